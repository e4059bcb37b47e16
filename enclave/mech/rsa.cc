#include "enclave/mech/rsa.h"

#include "enclave/mech/checks.h"

namespace keyclave::mech {
namespace {

Result<size_t> ModulusSize(const Key& key) {
  const auto bits = static_cast<size_t>(EVP_PKEY_get_bits(key.pkey()));
  if (bits < kRsaMinBits || bits > kRsaMaxBits) return Fail(Code::kKeySizeRange);
  return (bits + 7) / 8;
}

}  // namespace

Result<size_t> RsaForPrivate(const Key& key) {
  KC_CHECK_OK(CheckPrivate(key, CKK_RSA));
  return ModulusSize(key);
}

Result<size_t> RsaForPublic(const Key& key) {
  KC_CHECK_OK(CheckPublic(key, CKK_RSA));
  return ModulusSize(key);
}

}  // namespace keyclave::mech
