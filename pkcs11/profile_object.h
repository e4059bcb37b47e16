// Profile objects (3.0 §4.13): which profiles of OASIS's "PKCS #11 Profiles" every token of this
// module conforms to. They are the module's own: public, the same in each token, unknown to the
// enclave.
#pragma once

#include "pkcs11/object_cache.h"

namespace keyclave::pkcs11 {

// Those of a token that match.
std::vector<wire::ObjectInfo> FindProfiles(const wire::TokenId& token,
                                           const wire::AttributeList& match);
bool IsProfile(const CachedObject& object);
// kActionProhibited for a profile, which nobody changes, copies or destroys.
Status CheckNotProfile(const CachedObject& object);

}  // namespace keyclave::pkcs11
