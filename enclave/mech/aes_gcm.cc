// CKM_AES_GCM (pkcs11-curr-v3.0 §2.10.2): the ciphertext with the tag behind it. The caller brings
// the IV; nothing here keeps it from using one twice.

#include <openssl/err.h>

#include "enclave/mech/aes.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/families.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {CKM_AES_GCM, 16, 32, kFlagCipher | kFlagWrap},
};

// A context with key, IV and associated data in it.
Result<EvpCipherCtx> Begin(ByteSpan secret, const wire::GcmParam& param, bool encrypt) {
  EvpCipherCtx context(EVP_CIPHER_CTX_new());
  const int direction = encrypt ? 1 : 0;
  int ignored = 0;
  if (!context ||
      EVP_CipherInit_ex2(context.get(), AesCipher(AesMode::kGcm, secret.size()), nullptr, nullptr,
                         direction, nullptr) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_IVLEN, static_cast<int>(param.iv.size()),
                          nullptr) != 1 ||
      EVP_CipherInit_ex2(context.get(), nullptr, secret.data(), param.iv.data(), direction,
                         nullptr) != 1 ||
      (!param.aad.empty() && EVP_CipherUpdate(context.get(), nullptr, &ignored, param.aad.data(),
                                              static_cast<int>(param.aad.size())) != 1)) {
    return OpensslError("AES-GCM");
  }
  return context;
}

Result<Bytes> Encrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const ByteSpan secret, AesKey(key));
  KC_ASSIGN(const wire::GcmParam* param, ExpectGcm(mechanism));
  KC_ASSIGN(const EvpCipherCtx context, Begin(secret, *param, true));
  const size_t tag_size = param->tag_bits / 8;
  Bytes output(input.size() + tag_size);
  int updated = 0;
  int finished = 0;
  if ((!input.empty() && EVP_CipherUpdate(context.get(), output.data(), &updated, input.data(),
                                          static_cast<int>(input.size())) != 1) ||
      EVP_CipherFinal_ex(context.get(), output.data() + updated, &finished) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(tag_size),
                          output.data() + input.size()) != 1) {
    return OpensslError("AES-GCM");
  }
  return output;
}

Result<Bytes> Decrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const ByteSpan secret, AesKey(key));
  KC_ASSIGN(const wire::GcmParam* param, ExpectGcm(mechanism));
  const size_t tag_size = param->tag_bits / 8;
  if (input.size() < tag_size) return Fail(Code::kEncryptedDataLenRange);
  KC_ASSIGN(const EvpCipherCtx context, Begin(secret, *param, false));
  const ByteSpan ciphertext = input.first(input.size() - tag_size);
  Bytes tag = ToBytes(input.last(tag_size));
  Bytes output(ciphertext.size() + kAesBlock);
  int updated = 0;
  int finished = 0;
  if ((!ciphertext.empty() &&
       EVP_CipherUpdate(context.get(), output.data(), &updated, ciphertext.data(),
                        static_cast<int>(ciphertext.size())) != 1) ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag_size),
                          tag.data()) != 1) {
    return OpensslError("AES-GCM");
  }
  // What was decrypted is nobody's until the tag has been checked.
  if (EVP_CipherFinal_ex(context.get(), output.data() + updated, &finished) != 1) {
    ERR_clear_error();
    return Fail(Code::kEncryptedDataInvalid);
  }
  output.resize(ciphertext.size());
  return output;
}

}  // namespace

constinit const MechFamily kAesGcmFamily = {
    .name = "aes-gcm",
    .rows = kRows,
    .encrypt = Encrypt,
    .decrypt = Decrypt,
};

}  // namespace keyclave::mech
