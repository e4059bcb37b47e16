// What the RSA mechanisms share: sizes, checks.
#pragma once

#include "enclave/mech/key.h"
#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::mech {

inline constexpr size_t kRsaMinBits = 2048;
inline constexpr size_t kRsaMaxBits = 8192;

// The length of the modulus in bytes, if `key` is an RSA key that a mechanism may use:
// kKeyTypeInconsistent, kKeySizeRange, and kKeyFunctionNotPermitted if the private half is needed
// and this is a public key.
Result<size_t> RsaForPrivate(const Key& key);
Result<size_t> RsaForPublic(const Key& key);

}  // namespace keyclave::mech
