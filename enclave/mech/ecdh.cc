// CKM_ECDH1_DERIVE and CKM_ECDH1_COFACTOR_DERIVE (pkcs11-curr-v3.0 §2.3.17, §2.3.18), X25519 and
// X448 included. The peer's point comes bare or as DER OCTET STRING; the shared secret is used as
// it is (CKD_NULL) or through the KDF of ANSI X9.63.

#include <openssl/core_names.h>

#include "enclave/mech/aes.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/families.h"
#include "enclave/mech/hash_alg.h"
#include "enclave/mech/key_type.h"
#include "enclave/mech/pkey_run.h"

namespace keyclave::mech {
namespace {

constexpr uint64_t kFlags = CKF_HW | CKF_DERIVE | kFlagEc;

constexpr MechRow kRows[] = {
    {CKM_ECDH1_DERIVE, 255, 521, kFlags},
    {CKM_ECDH1_COFACTOR_DERIVE, 256, 521, kFlags},
};

Status CheckBase(const Key& key, uint64_t mechanism) {
  const bool montgomery = key.key_type() == CKK_EC_MONTGOMERY && mechanism == CKM_ECDH1_DERIVE;
  return CheckPrivate(key, montgomery ? CKK_EC_MONTGOMERY : CKK_EC);
}

// The peer's public key on the base key's curve; OpenSSL checks that the point is on it.
Result<EvpPkey> PeerOf(const Key& key, ByteSpan public_data) {
  const KeyType* type = FindKeyType(key.key_type());
  KC_ASSIGN(wire::AttributeList attributes, type->public_attributes(key.pkey()));
  attributes.Set(CKA_EC_POINT, public_data);
  Result<EvpPkey> peer = type->public_key(attributes);
  if (!peer.ok()) return Fail(Code::kMechanismParamInvalid, "pPublicData");
  return peer;
}

Result<SecretBytes> Expand(const SecretBytes& shared, const HashAlg& hash, const Bytes& info,
                           size_t size) {
  static EVP_KDF* const kdf = EVP_KDF_fetch(Library(), "X963KDF", nullptr);
  const EvpKdfCtx context(EVP_KDF_CTX_new(kdf));
  Bytes secret = ToBytes(shared.Expose(SecretAccess()));
  Bytes shared_info = info;
  std::string name = hash.name;
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, name.data(), name.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, secret.data(), secret.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, shared_info.data(),
                                        shared_info.size()),
      OSSL_PARAM_construct_end()};
  SecretBytes expanded(size);
  if (!context || EVP_KDF_derive(context.get(), expanded.ExposeMutable(SecretAccess()).data(), size,
                                 params) != 1) {
    return OpensslError("X9.63 key derivation");
  }
  return expanded;
}

Result<SecretBytes> Derive(const Key& key, const wire::Mechanism& mechanism, size_t size) {
  KC_CHECK_OK(CheckBase(key, mechanism.type));
  KC_ASSIGN(const wire::EcdhParam* param, ExpectShape(mechanism, &wire::Mechanism::ecdh));
  const bool plain = param->kdf == CKD_NULL;
  const HashAlg* hash = plain ? nullptr : FindHash(&HashAlg::kdf, param->kdf);
  if (!plain && hash == nullptr) return Fail(Code::kMechanismParamInvalid, "kdf");
  // "With the key derivation function CKD_NULL, pSharedData must be NULL and ulSharedDataLen must
  // be zero" (§2.3.17).
  if (plain && !param->shared_data.empty()) {
    return Fail(Code::kMechanismParamInvalid, "pSharedData without a KDF");
  }
  if (size > kMaxGenericSecret) return Fail(Code::kKeySizeRange);
  KC_ASSIGN(const EvpPkey peer, PeerOf(key, param->public_data));
  KC_ASSIGN(SecretBytes shared,
            RunAgree(key.pkey(), peer.get(), mechanism.type == CKM_ECDH1_COFACTOR_DERIVE));
  if (!plain) return Expand(shared, *hash, param->shared_data, size == 0 ? hash->size : size);
  if (size == 0 || size == shared.size()) return shared;
  if (size > shared.size()) return Fail(Code::kKeySizeRange);
  // "The truncation removes bytes from the leading end of the secret value" (§2.3.17).
  return SecretBytes::CopyOf(shared.Expose(SecretAccess()).last(size));
}

}  // namespace

constinit const MechFamily kEcdhFamily = {
    .name = "ecdh",
    .rows = kRows,
    .derive = Derive,
};

}  // namespace keyclave::mech
