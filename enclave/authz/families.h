// The names of mechanism families that policies may use (docs/policy.md). They stand here and not
// in enclave/mech, so that a policy can be checked by a program that has no key operations.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace keyclave::authz {

inline constexpr std::array<std::string_view, 46> kFamilies = {
    // signatures, encryption and agreement with key pairs
    "rsa-pkcs1", "rsa-pss", "rsa-oaep", "rsa-x509", "rsa-tls", "ecdsa", "ecdh", "eddsa", "sm2",
    "sm2-encrypt", "ml-dsa", "ml-kem", "slh-dsa",
    // secret keys
    "aes-gcm", "aes-cbc", "aes-ctr", "aes-ecb", "aes-kw", "aes-ccm", "aes-xts", "aes-cmac",
    "aes-gmac", "rsa-aes-key-wrap", "hmac", "hpke", "sm4-ecb", "sm4-cbc", "sm4-ctr",
    // keys from keys
    "hkdf", "hkdf-data", "sp800-108", "hash-derive", "cipher-derive", "join-derive", "join-keys",
    // new keys
    "rsa-keygen", "ec-keygen", "aes-keygen", "aes-xts-keygen", "generic-keygen", "hkdf-keygen",
    "sm2-keygen", "sm4-keygen", "ml-dsa-keygen", "ml-kem-keygen", "slh-dsa-keygen"};

constexpr bool IsFamily(std::string_view name) {
  return std::find(kFamilies.begin(), kFamilies.end(), name) != kFamilies.end();
}

// One bit for each family, so that a set of them is a number; 0 for a name that is none.
static_assert(kFamilies.size() <= 64);
constexpr uint64_t FamilyBit(std::string_view name) {
  const auto* const found = std::find(kFamilies.begin(), kFamilies.end(), name);
  return found == kFamilies.end() ? 0 : uint64_t{1} << (found - kFamilies.begin());
}

}  // namespace keyclave::authz
