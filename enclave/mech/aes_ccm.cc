// CKM_AES_CCM (pkcs11-curr-v3.0 §2.10.3): the ciphertext with the MAC behind it. ulDataLen is part
// of what CCM authenticates, so it must be the length of the plaintext; wrapping goes by the key
// instead ("tokens SHALL ignore any value provided in this field", v3.2 §6.13.6).

#include <openssl/err.h>

#include "enclave/mech/aes.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/families.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {CKM_AES_CCM, 16, 32, kFlagCipher | kFlagWrap},
};

// NIST SP 800-38C §5.3, A.1.
Result<const wire::CcmParam*> ParamOf(const wire::Mechanism& mechanism) {
  KC_ASSIGN(const wire::CcmParam* param, ExpectShape(mechanism, &wire::Mechanism::ccm));
  if (param->nonce.size() < 7 || param->nonce.size() > 13) {
    return Fail(Code::kMechanismParamInvalid, "ulNonceLen: 7 to 13");
  }
  if (param->tag_size < 4 || param->tag_size > 16 || param->tag_size % 2 != 0) {
    return Fail(Code::kMechanismParamInvalid, "ulMACLen: 4, 6, 8 to 16");
  }
  return param;
}

// Whether the nonce leaves room for a length of `size` bytes.
bool LengthFits(const wire::CcmParam& param, size_t size) {
  const size_t width = 15 - param.nonce.size();  // bytes
  return width >= sizeof(size) || size >> (8 * width) == 0;
}

// A context with key, nonce, length and associated data in it; `tag` is null for encryption.
Result<EvpCipherCtx> Begin(ByteSpan secret, const wire::CcmParam& param, Bytes* tag, size_t size) {
  EvpCipherCtx context(EVP_CIPHER_CTX_new());
  const int direction = tag == nullptr ? 1 : 0;
  int ignored = 0;
  if (!context ||
      EVP_CipherInit_ex2(context.get(), AesCipher(AesMode::kCcm, secret.size()), nullptr, nullptr,
                         direction, nullptr) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_IVLEN,
                          static_cast<int>(param.nonce.size()), nullptr) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(param.tag_size),
                          tag == nullptr ? nullptr : tag->data()) != 1 ||
      EVP_CipherInit_ex2(context.get(), nullptr, secret.data(), param.nonce.data(), direction,
                         nullptr) != 1 ||
      EVP_CipherUpdate(context.get(), nullptr, &ignored, nullptr, static_cast<int>(size)) != 1 ||
      (!param.aad.empty() && EVP_CipherUpdate(context.get(), nullptr, &ignored, param.aad.data(),
                                              static_cast<int>(param.aad.size())) != 1)) {
    return OpensslError("AES-CCM");
  }
  return context;
}

Result<Bytes> Seal(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const ByteSpan secret, AesKey(key));
  KC_ASSIGN(const wire::CcmParam* param, ParamOf(mechanism));
  if (!LengthFits(*param, input.size())) {
    return Fail(Code::kDataLenRange, "too long for a nonce of this length");
  }
  KC_ASSIGN(const EvpCipherCtx context, Begin(secret, *param, nullptr, input.size()));
  Bytes output(input.size() + param->tag_size);
  int updated = 0;
  // An empty plaintext needs its update, too: the MAC is made there.
  const Bytes empty(1);
  const uint8_t* data = input.empty() ? empty.data() : input.data();
  if (EVP_CipherUpdate(context.get(), output.data(), &updated, data,
                       static_cast<int>(input.size())) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(param->tag_size),
                          output.data() + input.size()) != 1) {
    return OpensslError("AES-CCM");
  }
  return output;
}

Result<Bytes> Open(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const ByteSpan secret, AesKey(key));
  KC_ASSIGN(const wire::CcmParam* param, ParamOf(mechanism));
  if (input.size() < param->tag_size || !LengthFits(*param, input.size() - param->tag_size)) {
    return Fail(Code::kEncryptedDataLenRange);
  }
  const ByteSpan ciphertext = input.first(input.size() - param->tag_size);
  Bytes tag = ToBytes(input.last(param->tag_size));
  KC_ASSIGN(const EvpCipherCtx context, Begin(secret, *param, &tag, ciphertext.size()));
  Bytes output(ciphertext.size() + kAesBlock);
  int updated = 0;
  const Bytes empty(1);
  const uint8_t* data = ciphertext.empty() ? empty.data() : ciphertext.data();
  // The MAC is checked before anything is given out.
  if (EVP_CipherUpdate(context.get(), output.data(), &updated, data,
                       static_cast<int>(ciphertext.size())) != 1) {
    ERR_clear_error();
    return Fail(Code::kEncryptedDataInvalid);
  }
  output.resize(ciphertext.size());
  return output;
}

Result<Bytes> Encrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_CHECK_OK(AesKey(key));
  KC_ASSIGN(const wire::CcmParam* param, ParamOf(mechanism));
  if (input.size() != param->data_size) return Fail(Code::kDataLenRange, "not ulDataLen bytes");
  return Seal(key, mechanism, input);
}

Result<Bytes> Decrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_CHECK_OK(AesKey(key));
  KC_ASSIGN(const wire::CcmParam* param, ParamOf(mechanism));
  if (input.size() < param->tag_size || input.size() - param->tag_size != param->data_size) {
    return Fail(Code::kEncryptedDataLenRange, "not ulDataLen and ulMACLen bytes");
  }
  return Open(key, mechanism, input);
}

}  // namespace

constinit const MechFamily kAesCcmFamily = {
    .name = "aes-ccm",
    .rows = kRows,
    .encrypt = Encrypt,
    .decrypt = Decrypt,
    .wrap = Seal,
    .unwrap = Open,
};

}  // namespace keyclave::mech
