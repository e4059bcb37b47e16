// HKDF, RFC 5869 (pkcs11-curr-v3.0 §2.45): CKM_HKDF_DERIVE makes a key, CKM_HKDF_DATA a data object
// of the same bytes, CKM_HKDF_KEY_GEN a base key. The salt is in the parameter or is another key.

#include <openssl/core_names.h>

#include "enclave/mech/aes.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/families.h"
#include "enclave/mech/kdf_run.h"
#include "enclave/mech/secret_keygen.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kDeriveRows[] = {
    {CKM_HKDF_DERIVE, 1, kMaxGenericSecret, CKF_HW | CKF_DERIVE},
};
constexpr MechRow kDataRows[] = {
    {CKM_HKDF_DATA, 1, kMaxGenericSecret, CKF_HW | CKF_DERIVE},
};
constexpr MechRow kKeygenRows[] = {
    {CKM_HKDF_KEY_GEN, 1, kMaxGenericSecret, CKF_HW | CKF_GENERATE},
};

constexpr size_t kMaxBlocks = 255;  // RFC 5869 §2.3

// "The input key must be of type CKK_HKDF or CKK_GENERIC_SECRET" (§2.45.3).
Status CheckBase(const Key& key) {
  if (key.object_class() != CKO_SECRET_KEY ||
      (key.key_type() != CKK_HKDF && key.key_type() != CKK_GENERIC_SECRET)) {
    return Fail(Code::kKeyTypeInconsistent);
  }
  return Done{};
}

const char* ModeOf(const wire::HkdfParam& param) {
  if (!param.expand) return "EXTRACT_ONLY";
  return param.extract ? "EXTRACT_AND_EXPAND" : "EXPAND_ONLY";
}

// The size of the output: the hash's after extraction alone, CKA_VALUE_LEN otherwise.
Result<size_t> OutputSize(const wire::HkdfParam& param, const HashAlg& hash, size_t asked) {
  if (!param.expand) {
    if (asked != 0 && asked != hash.size) {
      return Fail(Code::kKeySizeRange, "CKA_VALUE_LEN is not the hash's without bExpand");
    }
    return hash.size;
  }
  if (asked == 0) return Fail(Code::kTemplateIncomplete, "CKA_VALUE_LEN");
  KC_CHECK_OK(CheckDerivedSize(asked, kMaxBlocks * hash.size));
  return asked;
}

Result<SecretBytes> Run(const Key& key, const wire::HkdfParam& param, const SecretBytes& salt,
                        size_t asked) {
  const HashAlg* hash = FindHash(&HashAlg::digest, param.hash);
  if (hash == nullptr) hash = FindHash(&HashAlg::hmac, param.hash);
  if (hash == nullptr) return Fail(Code::kMechanismParamInvalid, "prfHashMechanism");
  if (!param.extract && !param.expand) {
    return Fail(Code::kMechanismParamInvalid, "neither bExtract nor bExpand");
  }
  KC_ASSIGN(const size_t size, OutputSize(param, *hash, asked));
  static EVP_KDF* const kdf = EVP_KDF_fetch(Library(), "HKDF", nullptr);
  KdfRun run(kdf);
  run.Digest(*hash)
      .Text(OSSL_KDF_PARAM_MODE, ModeOf(param))
      .Secret(OSSL_KDF_PARAM_KEY, key.secret());
  // "The salt should be ignored if bExtract is false. The pInfo should be ignored if bExpand is set
  // to false" (§2.45.3). Without salt HKDF takes zeros.
  if (param.extract && !salt.empty()) run.Secret(OSSL_KDF_PARAM_SALT, salt);
  if (param.expand) run.Octets(OSSL_KDF_PARAM_INFO, param.info);
  return run.Derive(size, "HKDF");
}

Result<SecretBytes> Derive(const Key& key, const wire::Mechanism& mechanism, size_t size) {
  KC_CHECK_OK(CheckBase(key));
  KC_ASSIGN(const wire::HkdfParam* param, ExpectShape(mechanism, &wire::Mechanism::hkdf));
  return Run(key, *param, SecretBytes::CopyOf(param->salt), size);
}

Result<SecretBytes> DeriveWith(const Key& key, const Key& second, const wire::Mechanism& mechanism,
                               size_t size) {
  KC_CHECK_OK(CheckBase(key));
  KC_ASSIGN(const wire::HkdfParam* param, ExpectShape(mechanism, &wire::Mechanism::hkdf, true));
  if (!param->salt.empty() || second.object_class() != CKO_SECRET_KEY) {
    return Fail(Code::kMechanismParamInvalid, "hSaltKey");
  }
  return Run(key, *param, second.secret(), size);
}

Result<NewKey> Generate(const wire::Mechanism& mechanism, const wire::AttributeList& attributes) {
  return GenerateSecret(mechanism, attributes, CKK_HKDF);
}

}  // namespace

constinit const MechFamily kHkdfFamily = {
    .name = "hkdf",
    .rows = kDeriveRows,
    .derive = Derive,
    .derive_with = DeriveWith,
};

constinit const MechFamily kHkdfDataFamily = {
    .name = "hkdf-data",
    .rows = kDataRows,
    .derive = Derive,
    .derive_with = DeriveWith,
};

constinit const MechFamily kHkdfKeygenFamily = {
    .name = "hkdf-keygen",
    .rows = kKeygenRows,
    .generate = Generate,
};

}  // namespace keyclave::mech
