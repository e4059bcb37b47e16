#include "enclave/mech/kdf_run.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "enclave/mech/aes.h"
#include "enclave/mech/evp.h"

namespace keyclave::mech {

Status CheckDerivedSize(size_t size, size_t available) {
  if (size > available || size > kMaxGenericSecret) {
    return Fail(Code::kKeySizeRange, "CKA_VALUE_LEN is more than the derivation gives");
  }
  return Done{};
}

KdfRun& KdfRun::Octets(const char* param, ByteSpan value) {
  if (value.empty()) return *this;
  Bytes& kept = octets_.emplace_back(ToBytes(value));
  params_.push_back(OSSL_PARAM_construct_octet_string(param, kept.data(), kept.size()));
  return *this;
}

KdfRun& KdfRun::Secret(const char* param, const SecretBytes& value) {
  SecretBytes& kept = secrets_.emplace_back(value.Clone());
  const std::span<uint8_t> bytes = kept.ExposeMutable(SecretAccess());
  params_.push_back(OSSL_PARAM_construct_octet_string(param, bytes.data(), bytes.size()));
  return *this;
}

KdfRun& KdfRun::Text(const char* param, std::string_view value) {
  std::string& kept = texts_.emplace_back(value);
  params_.push_back(OSSL_PARAM_construct_utf8_string(param, kept.data(), kept.size()));
  return *this;
}

KdfRun& KdfRun::Digest(const HashAlg& hash) { return Text(OSSL_KDF_PARAM_DIGEST, hash.name); }

KdfRun& KdfRun::Number(const char* param, int value) {
  int& kept = numbers_.emplace_back(value);
  params_.push_back(OSSL_PARAM_construct_int(param, &kept));
  return *this;
}

Result<SecretBytes> KdfRun::Derive(size_t size, std::string_view what) {
  const EvpKdfCtx context(EVP_KDF_CTX_new(kdf_));
  params_.push_back(OSSL_PARAM_construct_end());
  SecretBytes derived(size);
  if (context == nullptr ||
      EVP_KDF_derive(context.get(), derived.ExposeMutable(SecretAccess()).data(), size,
                     params_.data()) != 1) {
    return OpensslError(what);
  }
  return derived;
}

}  // namespace keyclave::mech
