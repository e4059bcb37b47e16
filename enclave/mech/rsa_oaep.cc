// CKM_RSA_PKCS_OAEP (pkcs11-curr-v3.0 §2.1.8): every hash with every mask function, and a label.

#include <openssl/rsa.h>

#include "enclave/mech/families.h"
#include "enclave/mech/hash_alg.h"
#include "enclave/mech/kem_run.h"
#include "enclave/mech/pkey_run.h"
#include "enclave/mech/rsa.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {CKM_RSA_PKCS_OAEP, kRsaMinBits, kRsaMaxBits, kFlagCipher | kFlagWrap | kFlagEncapsulate},
};

struct Oaep {
  PkeyUse use;
  ByteSpan label;
  size_t max_input = 0;
};

Result<Oaep> Prepare(PkeyVerb verb, const wire::Mechanism& mechanism, size_t modulus_size) {
  KC_ASSIGN(const wire::OaepParam* param, ExpectShape(mechanism, &wire::Mechanism::oaep));
  const HashAlg* hash = FindHash(&HashAlg::digest, param->hash);
  const HashAlg* mgf = FindHash(&HashAlg::mgf, param->mgf);
  if (hash == nullptr) return Fail(Code::kMechanismParamInvalid, "hashAlg");
  if (mgf == nullptr) return Fail(Code::kMechanismParamInvalid, "mgf");
  Oaep oaep;
  oaep.use = {
      .verb = verb, .rsa_padding = RSA_PKCS1_OAEP_PADDING, .md = hash->md(), .mgf = mgf->md()};
  oaep.label = param->label;
  // RFC 8017 §7.1.1; the shortest modulus holds the longest hash.
  static_assert(kRsaMinBits / 8 >= 2 * 64 + 2);
  oaep.max_input = modulus_size - 2 * hash->size - 2;
  return oaep;
}

Result<Bytes> Encrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const size_t size, RsaForPublic(key));
  KC_ASSIGN(const Oaep oaep, Prepare(PkeyVerb::kEncrypt, mechanism, size));
  if (input.size() > oaep.max_input) return Fail(Code::kDataLenRange);
  return RunEncrypt(key, oaep.use, input, oaep.label);
}

Result<Bytes> Decrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const size_t size, RsaForPrivate(key));
  KC_ASSIGN(const Oaep oaep, Prepare(PkeyVerb::kDecrypt, mechanism, size));
  if (input.size() != size) return Fail(Code::kEncryptedDataLenRange);
  return RunDecrypt(key, oaep.use, input, oaep.label);
}

Result<Encapsulated> Encapsulate(const Key& key, const wire::Mechanism& mechanism, size_t size) {
  return EncapsulateRandom(Encrypt, key, mechanism, size);
}

Result<SecretBytes> Decapsulate(const Key& key, const wire::Mechanism& mechanism,
                                ByteSpan ciphertext, size_t size) {
  return DecapsulateRandom(Decrypt, key, mechanism, ciphertext, size);
}

}  // namespace

constinit const MechFamily kRsaOaepFamily = {
    .name = "rsa-oaep",
    .rows = kRows,
    .encrypt = Encrypt,
    .decrypt = Decrypt,
    .encapsulate = Encapsulate,
    .decapsulate = Decapsulate,
};

}  // namespace keyclave::mech
