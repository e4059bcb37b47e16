// ASYM_CIPHER for SM2 (GB/T 32918.4 with SM3, ciphertexts in DER): decryption in the enclave,
// encryption with the public half, here.

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "ossl_provider/algorithms.h"
#include "ossl_provider/key.h"
#include "ossl_provider/params.h"

namespace keyclave::ossl {
namespace {

struct CipherContext {
  Context& context;
  KeyPtr key{};
  bool decrypt = false;
};

CipherContext& Ctx(void* ctx) { return *static_cast<CipherContext*>(ctx); }

void* NewCtx(void* provctx) {
  auto& context = *static_cast<Context*>(provctx);
  return GuardPointer(context,
                      [&]() -> Result<CipherContext*> { return new CipherContext{context}; });
}

void FreeCtx(void* ctx) { delete static_cast<CipherContext*>(ctx); }

void* DupCtx(void* vctx) {
  const CipherContext& from = Ctx(vctx);
  return GuardPointer(from.context,
                      [&]() -> Result<CipherContext*> { return new CipherContext(from); });
}

Status SetParams(const OSSL_PARAM params[]) {
  KC_ASSIGN(const auto digest, TextParam(params, OSSL_ASYM_CIPHER_PARAM_DIGEST));
  if (!digest || OPENSSL_strcasecmp(std::string(*digest).c_str(), "SM3") == 0) return Done{};
  return Fail(Code::kUnsupported, "SM2 with another digest than SM3");
}

template <bool decrypt>
int Init(void* vctx, void* key, const OSSL_PARAM params[]) {
  CipherContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&]() -> Status {
    const KeyPtr chosen = key != nullptr ? static_cast<KeyData*>(key)->key : ctx.key;
    if (chosen == nullptr) return Fail(Code::kInvalidArgument, "no key is set");
    if (decrypt && !chosen->is_private())
      return Fail(Code::kActionProhibited, "a public key cannot decrypt");
    ctx.key = chosen;
    ctx.decrypt = decrypt;
    return SetParams(params);
  });
}

int Decrypt(void* vctx, unsigned char* out, size_t* size, size_t capacity,
            const unsigned char* input, size_t input_size) {
  CipherContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&]() -> Status {
    if (ctx.key == nullptr || !ctx.decrypt)
      return Fail(Code::kWrongState, "no decryption is under way");
    if (out == nullptr) {
      *size = input_size;  // a ciphertext is longer than its plaintext
      return Done{};
    }
    wire::Mechanism mechanism;
    mechanism.type = kCkmSm2Encrypt;
    KC_ASSIGN(const Bytes plain,
              ctx.key->Decrypt(ctx.context, std::move(mechanism), FromC(input, input_size)));
    if (plain.size() > capacity)
      return Fail(Code::kInvalidArgument, "the buffer is smaller than the plaintext");
    std::copy(plain.begin(), plain.end(), out);
    *size = plain.size();
    return Done{};
  });
}

int Encrypt(void* vctx, unsigned char* out, size_t* size, size_t capacity,
            const unsigned char* input, size_t input_size) {
  CipherContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&]() -> Status {
    if (ctx.key == nullptr || ctx.decrypt)
      return Fail(Code::kWrongState, "no encryption is under way");
    const ErrorMark mark(ctx.context.core());
    const EvpPkeyCtx pctx(
        EVP_PKEY_CTX_new_from_pkey(ctx.context.libctx(), ctx.key->public_key(), nullptr));
    if (out != nullptr) *size = capacity;
    if (pctx == nullptr || EVP_PKEY_encrypt_init(pctx.get()) != 1 ||
        EVP_PKEY_encrypt(pctx.get(), out, size, input, input_size) != 1) {
      return Fail(Code::kDataInvalid, "encrypting with the public key");
    }
    return Done{};
  });
}

int SetCtxParams(void* vctx, const OSSL_PARAM params[]) {
  return Guard(Ctx(vctx).context, [&] { return SetParams(params); });
}

const OSSL_PARAM* Settable(void* /*ctx*/, void* /*provctx*/) {
  static const OSSL_PARAM params[] = {
      OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_DIGEST, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_PROPERTIES, nullptr, 0), OSSL_PARAM_END};
  return params;
}

#define KC_CIPHER(name, type, function) \
  KC_FN(OSSL_FUNC_ASYM_CIPHER_##name, OSSL_FUNC_asym_cipher_##type##_fn, function)

const OSSL_DISPATCH kFunctions[] = {KC_CIPHER(NEWCTX, newctx, NewCtx),
                                    KC_CIPHER(FREECTX, freectx, FreeCtx),
                                    KC_CIPHER(DUPCTX, dupctx, DupCtx),
                                    KC_CIPHER(ENCRYPT_INIT, encrypt_init, Init<false>),
                                    KC_CIPHER(ENCRYPT, encrypt, Encrypt),
                                    KC_CIPHER(DECRYPT_INIT, decrypt_init, Init<true>),
                                    KC_CIPHER(DECRYPT, decrypt, Decrypt),
                                    KC_CIPHER(SET_CTX_PARAMS, set_ctx_params, SetCtxParams),
                                    KC_CIPHER(SETTABLE_CTX_PARAMS, settable_ctx_params, Settable),
                                    {0, nullptr}};

}  // namespace

const OSSL_DISPATCH* Sm2AsymCipher() { return kFunctions; }

}  // namespace keyclave::ossl
