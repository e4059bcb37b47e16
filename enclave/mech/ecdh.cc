// CKM_ECDH1_DERIVE and CKM_ECDH1_COFACTOR_DERIVE (pkcs11-curr-v3.0 §2.3.17, §2.3.18), X25519 and
// X448 included. The peer's point comes bare or as DER OCTET STRING; the shared secret is used as
// it is (CKD_NULL), through the KDF of ANSI X9.63 or through that of NIST SP 800-56A §5.8.1.

#include <openssl/core_names.h>

#include "enclave/mech/aes.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/families.h"
#include "enclave/mech/kdf_run.h"
#include "enclave/mech/key_type.h"
#include "enclave/mech/pkey_run.h"

namespace keyclave::mech {
namespace {

constexpr uint64_t kFlags = CKF_HW | CKF_DERIVE | kFlagEncapsulate | kFlagEc;

constexpr MechRow kRows[] = {
    {CKM_ECDH1_DERIVE, 255, 521, kFlags},
    {CKM_ECDH1_COFACTOR_DERIVE, 256, 521, kFlags},
};

uint64_t KeyTypeFor(const Key& key, uint64_t mechanism) {
  const bool montgomery = key.key_type() == CKK_EC_MONTGOMERY && mechanism == CKM_ECDH1_DERIVE;
  return montgomery ? CKK_EC_MONTGOMERY : CKK_EC;
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

struct Kdf {
  const char* name = nullptr;  // OpenSSL's; nullptr: CKD_NULL
  const HashAlg* hash = nullptr;
};

Result<Kdf> KdfOf(const wire::EcdhParam& param) {
  if (param.kdf == CKD_NULL) {
    // "With the key derivation function CKD_NULL, pSharedData must be NULL and ulSharedDataLen must
    // be zero" (§2.3.17).
    if (param.shared_data.empty()) return Kdf{};
    return Fail(Code::kMechanismParamInvalid, "pSharedData without a KDF");
  }
  if (const HashAlg* hash = FindHash(&HashAlg::kdf, param.kdf); hash != nullptr) {
    return Kdf{"X963KDF", hash};
  }
  if (const HashAlg* hash = FindHash(&HashAlg::concat_kdf, param.kdf); hash != nullptr) {
    return Kdf{"SSKDF", hash};
  }
  return Fail(Code::kMechanismParamInvalid, "kdf");
}

Result<SecretBytes> Expand(const SecretBytes& shared, const Kdf& kdf, const Bytes& info,
                           size_t size) {
  static EVP_KDF* const x963 = EVP_KDF_fetch(Library(), "X963KDF", nullptr);
  static EVP_KDF* const concat = EVP_KDF_fetch(Library(), "SSKDF", nullptr);
  KdfRun run(std::string_view(kdf.name) == "SSKDF" ? concat : x963);
  run.Digest(*kdf.hash).Secret(OSSL_KDF_PARAM_SECRET, shared).Octets(OSSL_KDF_PARAM_INFO, info);
  return run.Derive(size, kdf.name);
}

Result<SecretBytes> Agree(EVP_PKEY* own, EVP_PKEY* peer, uint64_t mechanism,
                          const wire::EcdhParam& param, size_t size) {
  KC_ASSIGN(const Kdf kdf, KdfOf(param));
  KC_ASSIGN(SecretBytes shared, RunAgree(own, peer, mechanism == CKM_ECDH1_COFACTOR_DERIVE));
  const bool whole = kdf.name == nullptr;
  const size_t wanted = size != 0 ? size : whole ? shared.size() : kdf.hash->size;
  KC_CHECK_OK(CheckDerivedSize(wanted, whole ? shared.size() : kMaxGenericSecret));
  if (!whole) return Expand(shared, kdf, param.shared_data, wanted);
  // "The truncation removes bytes from the leading end of the secret value" (§2.3.17).
  return SecretBytes::CopyOf(shared.Expose(SecretAccess()).last(wanted));
}

Result<SecretBytes> Derive(const Key& key, const wire::Mechanism& mechanism, size_t size) {
  KC_CHECK_OK(CheckPrivate(key, KeyTypeFor(key, mechanism.type)));
  KC_ASSIGN(const wire::EcdhParam* param, ExpectShape(mechanism, &wire::Mechanism::ecdh));
  KC_CHECK_OK(KdfOf(*param));
  KC_ASSIGN(const EvpPkey peer, PeerOf(key, param->public_data));
  return Agree(key.pkey(), peer.get(), mechanism.type, *param, size);
}

// "When this mechanism is used in C_EncapsulateKey and C_DecapsulateKey, the mechanism parameters
// pPublicData and ulPublicDataLen must be set to NULL and 0 respectively" (v3.2 §6.3.20).
Result<const wire::EcdhParam*> ParamOfKem(const wire::Mechanism& mechanism) {
  KC_ASSIGN(const wire::EcdhParam* param, ExpectShape(mechanism, &wire::Mechanism::ecdh));
  KC_CHECK_OK(KdfOf(*param));
  if (!param->public_data.empty()) {
    return Fail(Code::kMechanismParamInvalid, "pPublicData: encapsulation makes the key itself");
  }
  return param;
}

// A new key pair on the same curve.
Result<EvpPkey> EphemeralOf(EVP_PKEY* pkey) {
  const EvpPkeyCtx context(EVP_PKEY_CTX_new_from_pkey(Library(), pkey, nullptr));
  EVP_PKEY* made = nullptr;
  if (!context || EVP_PKEY_keygen_init(context.get()) != 1 ||
      EVP_PKEY_generate(context.get(), &made) != 1) {
    return OpensslError("making an ephemeral key");
  }
  return EvpPkey(made);
}

Result<Encapsulated> Encapsulate(const Key& key, const wire::Mechanism& mechanism, size_t size) {
  KC_CHECK_OK(CheckPublic(key, KeyTypeFor(key, mechanism.type)));
  KC_ASSIGN(const wire::EcdhParam* param, ParamOfKem(mechanism));
  KC_ASSIGN(const EvpPkey ephemeral, EphemeralOf(key.pkey()));
  Encapsulated made;
  KC_ASSIGN(made.ciphertext, PkeyOctets(ephemeral.get(), OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY));
  KC_ASSIGN(made.secret, Agree(ephemeral.get(), key.pkey(), mechanism.type, *param, size));
  return made;
}

Result<SecretBytes> Decapsulate(const Key& key, const wire::Mechanism& mechanism,
                                ByteSpan ciphertext, size_t size) {
  KC_CHECK_OK(CheckPrivate(key, KeyTypeFor(key, mechanism.type)));
  KC_ASSIGN(const wire::EcdhParam* param, ParamOfKem(mechanism));
  const auto peer = PeerOf(key, ciphertext);
  if (!peer.ok()) return Fail(Code::kEncryptedDataInvalid);
  auto secret = Agree(key.pkey(), peer->get(), mechanism.type, *param, size);
  // The parameter was in order: what is left is a point that gives no secret.
  if (!secret.ok() && secret.code() == Code::kMechanismParamInvalid) {
    return Fail(Code::kEncryptedDataInvalid);
  }
  return secret;
}

}  // namespace

constinit const MechFamily kEcdhFamily = {
    .name = "ecdh",
    .rows = kRows,
    .derive = Derive,
    .encapsulate = Encapsulate,
    .decapsulate = Decapsulate,
};

}  // namespace keyclave::mech
