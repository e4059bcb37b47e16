// CKM_RSA_X_509 (pkcs11-curr-v3.0 §2.1.7): the bare RSA function. Input is filled with zeros in
// front up to the modulus's length. A policy should name it only for callers that bring their own
// padding.

#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include "enclave/mech/evp.h"
#include "enclave/mech/families.h"
#include "enclave/mech/kem_run.h"
#include "enclave/mech/pkey_run.h"
#include "enclave/mech/rsa.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {CKM_RSA_X_509, kRsaMinBits, kRsaMaxBits,
     kFlagSign | kFlagRecover | kFlagCipher | kFlagEncapsulate},
};

PkeyUse Use(PkeyVerb verb) { return {.verb = verb, .rsa_padding = RSA_NO_PADDING}; }

// `input` as long as the modulus. `too_long` and `too_large` are what the function says of data or
// of ciphertexts.
Result<Bytes> Fill(const Key& key, ByteSpan input, size_t size, Code too_long, Code too_large) {
  if (input.size() > size) return Fail(too_long);
  Bytes filled(size - input.size());
  filled.insert(filled.end(), input.begin(), input.end());
  KC_ASSIGN(const BigNum modulus, PkeyBigNum(key.pkey(), OSSL_PKEY_PARAM_RSA_N));
  const Bytes limit = BigNumBytes(modulus.get(), size);
  if (!std::lexicographical_compare(filled.begin(), filled.end(), limit.begin(), limit.end())) {
    return Fail(too_large, "not below the modulus");
  }
  return filled;
}

Result<Bytes> Sign(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const size_t size, RsaForPrivate(key));
  KC_CHECK_OK(ExpectNoParam(mechanism));
  KC_ASSIGN(const Bytes filled, Fill(key, input, size, Code::kDataLenRange, Code::kDataInvalid));
  return RunSign(key, Use(PkeyVerb::kSign), filled, size);
}

Status Verify(const Key& key, const wire::Mechanism& mechanism, ByteSpan input,
              ByteSpan signature) {
  KC_ASSIGN(const size_t size, RsaForPublic(key));
  KC_CHECK_OK(ExpectNoParam(mechanism));
  KC_ASSIGN(const Bytes filled, Fill(key, input, size, Code::kDataLenRange, Code::kDataInvalid));
  if (signature.size() != size) return Fail(Code::kSignatureLenRange);
  return RunVerify(key, Use(PkeyVerb::kVerify), filled, signature);
}

Result<Bytes> Encrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const size_t size, RsaForPublic(key));
  KC_CHECK_OK(ExpectNoParam(mechanism));
  KC_ASSIGN(const Bytes filled, Fill(key, input, size, Code::kDataLenRange, Code::kDataInvalid));
  return RunEncrypt(key, Use(PkeyVerb::kEncrypt), filled);
}

Result<Bytes> Decrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const size_t size, RsaForPrivate(key));
  KC_CHECK_OK(ExpectNoParam(mechanism));
  if (input.size() != size) return Fail(Code::kEncryptedDataLenRange);
  KC_ASSIGN(const Bytes checked,
            Fill(key, input, size, Code::kEncryptedDataLenRange, Code::kEncryptedDataInvalid));
  return RunDecrypt(key, Use(PkeyVerb::kDecrypt), checked);
}

Result<Bytes> VerifyRecover(const Key& key, const wire::Mechanism& mechanism, ByteSpan signature) {
  KC_ASSIGN(const size_t size, RsaForPublic(key));
  KC_CHECK_OK(ExpectNoParam(mechanism));
  if (signature.size() != size) return Fail(Code::kSignatureLenRange);
  return RunVerifyRecover(key, RSA_NO_PADDING, signature);
}

// "This mechanism can encapsulate and decapsulate keys according to RSASVE defined in [FIPS SP
// 800-56B]" (v3.2 §6.1.13).
Result<Encapsulated> Encapsulate(const Key& key, const wire::Mechanism& mechanism, size_t size) {
  KC_CHECK_OK(RsaForPublic(key));
  KC_CHECK_OK(ExpectNoParam(mechanism));
  return RunEncapsulate(key, OSSL_KEM_PARAM_OPERATION_RSASVE, size);
}

Result<SecretBytes> Decapsulate(const Key& key, const wire::Mechanism& mechanism,
                                ByteSpan ciphertext, size_t size) {
  KC_ASSIGN(const size_t modulus_size, RsaForPrivate(key));
  KC_CHECK_OK(ExpectNoParam(mechanism));
  if (ciphertext.size() != modulus_size) return Fail(Code::kEncryptedDataLenRange);
  return RunDecapsulate(key, OSSL_KEM_PARAM_OPERATION_RSASVE, ciphertext, size);
}

}  // namespace

constinit const MechFamily kRsaX509Family = {
    .name = "rsa-x509",
    .rows = kRows,
    .sign = Sign,
    .verify = Verify,
    .encrypt = Encrypt,
    .decrypt = Decrypt,
    .encapsulate = Encapsulate,
    .decapsulate = Decapsulate,
    .verify_recover = VerifyRecover,
};

}  // namespace keyclave::mech
