// What a new key may be used for when its template does not say.
#pragma once

#include "enclave/wire/attributes.h"

namespace keyclave::keys {

// Private and secret keys and data are private; certificates, public keys and what goes with them
// are not (clients such as OpenSSH and NSS look for those before they log in).
bool PrivateByDefault(uint64_t object_class);

// Sets every usage attribute that the class has and `requested` does not name to what the key type
// is for, as other tokens do: signature, encryption and wrapping for RSA, signature for EC and
// Edwards keys, derivation for Montgomery and HKDF keys, everything but derivation for AES,
// encryption for AES-XTS, message authentication for generic secrets. What a caller may really do
// is for the key's policy to say.
void AddUsageDefaults(const wire::AttributeList& requested, uint64_t object_class,
                      uint64_t key_type, wire::AttributeList& object);

}  // namespace keyclave::keys
