// CKA_WRAP_TEMPLATE, CKA_UNWRAP_TEMPLATE and CKA_DERIVE_TEMPLATE: what a key says of the keys that
// go out and come in through it.
#pragma once

#include "enclave/wire/attributes.h"

namespace keyclave::keys {

// The caller's template with what the key's own (`type`: CKA_UNWRAP_TEMPLATE …) adds.
// kTemplateInconsistent if they say different things (pkcs11-base-v3.2 §5.18.4, §5.18.5: "If any
// attribute conflict occurs …").
Result<wire::AttributeList> WithKeysTemplate(wire::AttributeList requested,
                                             const wire::AttributeList& key, uint64_t type);

// kWrapTemplateMismatch unless `key` has every attribute of the wrapping key's CKA_WRAP_TEMPLATE
// (base §5.18.3: "according to the C_FindObject rules of attribute matching").
Status CheckWrapTemplate(const wire::AttributeList& wrapping_key, const wire::AttributeList& key);

}  // namespace keyclave::keys
