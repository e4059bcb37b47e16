#include "enclave/daemon/audit_key.h"

#include <openssl/evp.h>

#include "enclave/mech/mech_type.h"

namespace keyclave::daemon {
namespace {

// OBJECT IDENTIFIER prime256v1 (RFC 5480 §2.1.1.1), DER.
constexpr uint8_t kP256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

struct ContextFree {
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
};

Result<Bytes> SignDigest(const mech::Key& key, ByteSpan digest) {
  const std::unique_ptr<EVP_PKEY_CTX, ContextFree> context(
      EVP_PKEY_CTX_new_from_pkey(nullptr, key.pkey(), nullptr));
  size_t size = 0;
  if (context == nullptr || EVP_PKEY_sign_init(context.get()) != 1 ||
      EVP_PKEY_sign(context.get(), nullptr, &size, digest.data(), digest.size()) != 1) {
    return Fail(Code::kCryptoFailed, "audit checkpoint");
  }
  Bytes signature(size);
  if (EVP_PKEY_sign(context.get(), signature.data(), &size, digest.data(), digest.size()) != 1) {
    return Fail(Code::kCryptoFailed, "audit checkpoint");
  }
  signature.resize(size);
  return signature;
}

}  // namespace

Result<AuditKey> DeriveAuditKey(const keys::ObjectStore& store) {
  wire::AttributeList attributes;
  attributes.SetUlong(CKA_CLASS, CKO_PRIVATE_KEY);
  attributes.SetUlong(CKA_KEY_TYPE, CKK_EC);
  attributes.Set(CKA_EC_PARAMS, kP256);
  // Rejection sampling (FIPS 186-5 A.2.2): a candidate that is no scalar of the curve, once in
  // 2^32, gives way to the next.
  for (int attempt = 1; attempt <= 4; ++attempt) {
    const SecretBytes scalar = store.DeriveKey("audit-signing-key/" + std::to_string(attempt), 32);
    wire::AttributeList with_value = attributes;
    with_value.Set(CKA_VALUE, scalar.Expose(SecretAccess()));
    auto made = mech::MaterialFromTemplate(with_value);
    if (!made.ok()) continue;
    KC_ASSIGN(std::shared_ptr<const mech::Key> key, mech::LoadKey(attributes, made->material));
    KC_ASSIGN(Bytes spki, mech::PublicKeyInfo(*key));
    return AuditKey{std::move(spki), [key](ByteSpan digest) { return SignDigest(*key, digest); }};
  }
  return Fail(Code::kCryptoFailed, "no audit key could be derived");
}

}  // namespace keyclave::daemon
