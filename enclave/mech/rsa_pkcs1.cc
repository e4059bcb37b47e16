// RSA PKCS#1 v1.5: CKM_RSA_PKCS over what the caller gives (a DigestInfo, for signatures that
// others verify), and signatures that hash first (pkcs11-curr-v3.0 §2.1.6, §2.1.12).

#include <openssl/rsa.h>

#include "enclave/mech/families.h"
#include "enclave/mech/hash_alg.h"
#include "enclave/mech/kem_run.h"
#include "enclave/mech/pkey_run.h"
#include "enclave/mech/rsa.h"

namespace keyclave::mech {
namespace {

constexpr size_t kPaddingSize = 11;  // RFC 8017 §7.2.1, §9.2

constexpr MechRow kRows[] = {
    {CKM_RSA_PKCS, kRsaMinBits, kRsaMaxBits,
     kFlagSign | kFlagRecover | kFlagCipher | kFlagWrap | kFlagEncapsulate},
    {CKM_SHA1_RSA_PKCS, kRsaMinBits, kRsaMaxBits, kFlagSign, SignInput::kMessage},
    {CKM_SHA224_RSA_PKCS, kRsaMinBits, kRsaMaxBits, kFlagSign, SignInput::kMessage},
    {CKM_SHA256_RSA_PKCS, kRsaMinBits, kRsaMaxBits, kFlagSign, SignInput::kMessage},
    {CKM_SHA384_RSA_PKCS, kRsaMinBits, kRsaMaxBits, kFlagSign, SignInput::kMessage},
    {CKM_SHA512_RSA_PKCS, kRsaMinBits, kRsaMaxBits, kFlagSign, SignInput::kMessage},
    {CKM_SHA3_224_RSA_PKCS, kRsaMinBits, kRsaMaxBits, kFlagSign, SignInput::kMessage},
    {CKM_SHA3_256_RSA_PKCS, kRsaMinBits, kRsaMaxBits, kFlagSign, SignInput::kMessage},
    {CKM_SHA3_384_RSA_PKCS, kRsaMinBits, kRsaMaxBits, kFlagSign, SignInput::kMessage},
    {CKM_SHA3_512_RSA_PKCS, kRsaMinBits, kRsaMaxBits, kFlagSign, SignInput::kMessage},
};

struct ToSign {
  PkeyUse use;
  Bytes digest;    // of a hashing mechanism; empty for CKM_RSA_PKCS
  ByteSpan input;  // what goes into the padding
};

Result<ToSign> Prepare(PkeyVerb verb, const wire::Mechanism& mechanism, ByteSpan input,
                       size_t modulus_size) {
  KC_CHECK_OK(ExpectNoParam(mechanism));
  ToSign prepared;
  prepared.use = {.verb = verb, .rsa_padding = RSA_PKCS1_PADDING};
  prepared.input = input;
  if (mechanism.type == CKM_RSA_PKCS) {
    // A signature of nothing says nothing, and OpenSSL would not verify it.
    if (input.empty() || input.size() > modulus_size - kPaddingSize) {
      return Fail(Code::kDataLenRange);
    }
    return prepared;
  }
  const HashAlg* hash = FindHash(&HashAlg::rsa_pkcs1, mechanism.type);
  if (hash == nullptr) return Fail(Code::kMechanismInvalid);
  KC_ASSIGN(prepared.digest, hash->Digest(input));
  prepared.use.md = hash->md();
  prepared.input = prepared.digest;
  return prepared;
}

Result<Bytes> Sign(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const size_t size, RsaForPrivate(key));
  KC_ASSIGN(const ToSign prepared, Prepare(PkeyVerb::kSign, mechanism, input, size));
  return RunSign(key, prepared.use, prepared.input, size);
}

Result<Bytes> LaneInput(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  const size_t size = InfoOf(key.lane()->kind).signature;
  KC_ASSIGN(const ToSign prepared, Prepare(PkeyVerb::kSign, mechanism, input, size));
  return Pkcs1LaneInput(*key.lane(), prepared.use.md, prepared.input);
}

Status Verify(const Key& key, const wire::Mechanism& mechanism, ByteSpan input,
              ByteSpan signature) {
  KC_ASSIGN(const size_t size, RsaForPublic(key));
  KC_ASSIGN(const ToSign prepared, Prepare(PkeyVerb::kVerify, mechanism, input, size));
  if (signature.size() != size) return Fail(Code::kSignatureLenRange);
  return RunVerify(key, prepared.use, prepared.input, signature);
}

Result<Bytes> Encrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  if (mechanism.type != CKM_RSA_PKCS) return Fail(Code::kMechanismInvalid);
  KC_ASSIGN(const size_t size, RsaForPublic(key));
  KC_CHECK_OK(ExpectNoParam(mechanism));
  if (input.size() > size - kPaddingSize) return Fail(Code::kDataLenRange);
  return RunEncrypt(key, {.verb = PkeyVerb::kEncrypt, .rsa_padding = RSA_PKCS1_PADDING}, input);
}

// Whoever may call this with ciphertexts of its choice has a padding oracle (Bleichenbacher, 1998)
// unless the linked OpenSSL rejects implicitly (3.2 and later): docs/mechanisms.md says so, and
// TLS uses rsa-tls instead.
Result<Bytes> Decrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  if (mechanism.type != CKM_RSA_PKCS) return Fail(Code::kMechanismInvalid);
  KC_ASSIGN(const size_t size, RsaForPrivate(key));
  KC_CHECK_OK(ExpectNoParam(mechanism));
  if (input.size() != size) return Fail(Code::kEncryptedDataLenRange);
  return RunDecrypt(key, {.verb = PkeyVerb::kDecrypt, .rsa_padding = RSA_PKCS1_PADDING}, input);
}

Result<Bytes> VerifyRecover(const Key& key, const wire::Mechanism& mechanism, ByteSpan signature) {
  if (mechanism.type != CKM_RSA_PKCS) return Fail(Code::kMechanismInvalid);
  KC_ASSIGN(const size_t size, RsaForPublic(key));
  KC_CHECK_OK(ExpectNoParam(mechanism));
  if (signature.size() != size) return Fail(Code::kSignatureLenRange);
  return RunVerifyRecover(key, RSA_PKCS1_PADDING, signature);
}

Result<Encapsulated> Encapsulate(const Key& key, const wire::Mechanism& mechanism, size_t size) {
  return EncapsulateRandom(Encrypt, key, mechanism, size);
}

Result<SecretBytes> Decapsulate(const Key& key, const wire::Mechanism& mechanism,
                                ByteSpan ciphertext, size_t size) {
  return DecapsulateRandom(Decrypt, key, mechanism, ciphertext, size);
}

}  // namespace

constinit const MechFamily kRsaPkcs1Family = {
    .name = "rsa-pkcs1",
    .rows = kRows,
    .sign = Sign,
    .lane_input = LaneInput,
    .verify = Verify,
    .encrypt = Encrypt,
    .decrypt = Decrypt,
    .encapsulate = Encapsulate,
    .decapsulate = Decapsulate,
    .verify_recover = VerifyRecover,
};

}  // namespace keyclave::mech
