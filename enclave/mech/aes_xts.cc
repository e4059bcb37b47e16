// CKM_AES_XTS and CKM_AES_XTS_KEY_GEN (pkcs11-curr-v3.0 §2.17): a key of two halves, a data unit of
// at least one block, its number as the parameter.

#include "enclave/mech/aes.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/families.h"
#include "enclave/mech/secret_keygen.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {CKM_AES_XTS, 32, 64, kFlagCipher},
};
constexpr MechRow kKeygenRows[] = {
    {CKM_AES_XTS_KEY_GEN, 32, 64, CKF_HW | CKF_GENERATE},
};

constexpr size_t kMaxUnit = kAesBlock << 20;  // IEEE 1619-2018 §5.1: 2^20 blocks

// The default provider of every OpenSSL 3 has both.
const EVP_CIPHER* Cipher(size_t key_size) {
  static const EVP_CIPHER* const small = EVP_CIPHER_fetch(Library(), "AES-128-XTS", nullptr);
  static const EVP_CIPHER* const large = EVP_CIPHER_fetch(Library(), "AES-256-XTS", nullptr);
  return key_size == kXtsKeySizes[0] ? small : large;
}

Result<Bytes> Transform(const Key& key, const wire::Mechanism& mechanism, ByteSpan input,
                        bool encrypt) {
  KC_CHECK_OK(CheckSecret(key, CKK_AES_XTS));
  KC_ASSIGN(const ByteSpan unit, ExpectBytes(mechanism, kAesBlock));
  if (input.size() < kAesBlock || input.size() > kMaxUnit) {
    return Fail(encrypt ? Code::kDataLenRange : Code::kEncryptedDataLenRange);
  }
  const ByteSpan secret = key.secret().Expose(SecretAccess());
  return CipherTransform(Cipher(secret.size()), encrypt, secret, unit, input);
}

Result<Bytes> Encrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  return Transform(key, mechanism, input, true);
}

Result<Bytes> Decrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  return Transform(key, mechanism, input, false);
}

Result<NewKey> Generate(const wire::Mechanism& mechanism, const wire::AttributeList& attributes) {
  return GenerateSecret(mechanism, attributes, CKK_AES_XTS);
}

}  // namespace

constinit const MechFamily kAesXtsFamily = {
    .name = "aes-xts",
    .rows = kRows,
    .encrypt = Encrypt,
    .decrypt = Decrypt,
};

constinit const MechFamily kAesXtsKeygenFamily = {
    .name = "aes-xts-keygen",
    .rows = kKeygenRows,
    .generate = Generate,
};

}  // namespace keyclave::mech
