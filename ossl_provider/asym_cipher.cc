// ASYM_CIPHER for RSA: decryption in the enclave, padding and all, so that no error tells more than
// the enclave says; encryption with the public half, here.

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/prov_ssl.h>
#include <openssl/rsa.h>

#include "ossl_provider/algorithms.h"
#include "ossl_provider/digest.h"
#include "ossl_provider/key.h"
#include "ossl_provider/params.h"

namespace keyclave::ossl {
namespace {

struct Settings {
  int padding = RSA_PKCS1_PADDING;
  const Digest* oaep = nullptr;  // nullptr: SHA-1, OpenSSL's default
  const Digest* mgf1 = nullptr;  // nullptr: as oaep
  Bytes label{};
  int tls_client_version = 0;
  int tls_negotiated_version = 0;
};

struct CipherContext {
  Context& context;
  KeyPtr key{};
  bool decrypt = false;
  Settings settings{};
};

constexpr NamedNumber kPaddings[] = {
    {OSSL_PKEY_RSA_PAD_MODE_PKCSV15, RSA_PKCS1_PADDING},
    {OSSL_PKEY_RSA_PAD_MODE_OAEP, RSA_PKCS1_OAEP_PADDING},
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

Status SetParams(CipherContext& ctx, const OSSL_PARAM params[]) {
  KC_ASSIGN(const auto padding, NamedParam(params, OSSL_ASYM_CIPHER_PARAM_PAD_MODE, kPaddings));
  if (padding) {
    if (*padding != RSA_PKCS1_PADDING && *padding != RSA_PKCS1_OAEP_PADDING &&
        (*padding != RSA_PKCS1_WITH_TLS_PADDING || !ctx.decrypt)) {
      return Fail(Code::kUnsupported, "RSA encryption other than PKCS #1 v1.5 and OAEP");
    }
    ctx.settings.padding = *padding;
  }
  KC_ASSIGN(const auto oaep, TextParam(params, OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST));
  if (oaep) {
    KC_ASSIGN(ctx.settings.oaep, RequireDigest(*oaep));
  }
  KC_ASSIGN(const auto mgf1, TextParam(params, OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST));
  if (mgf1) {
    KC_ASSIGN(ctx.settings.mgf1, RequireDigest(*mgf1));
  }
  KC_ASSIGN(auto label, BytesParam(params, OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL));
  if (label) ctx.settings.label = *std::move(label);
  KC_ASSIGN(const auto client, IntParam(params, OSSL_ASYM_CIPHER_PARAM_TLS_CLIENT_VERSION));
  if (client) ctx.settings.tls_client_version = *client;
  KC_ASSIGN(const auto agreed, IntParam(params, OSSL_ASYM_CIPHER_PARAM_TLS_NEGOTIATED_VERSION));
  if (agreed) ctx.settings.tls_negotiated_version = *agreed;
  return Done{};
}

template <bool decrypt>
int Init(void* vctx, void* key, const OSSL_PARAM params[]) {
  CipherContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&]() -> Status {
    const KeyPtr chosen = key != nullptr ? static_cast<KeyData*>(key)->key : ctx.key;
    if (chosen == nullptr) return Fail(Code::kInvalidArgument, "no key is set");
    if (chosen->type() != KeyType::kRsa)
      return Fail(Code::kKeyTypeInconsistent, KeyTypeName(chosen->type()));
    if (decrypt && !chosen->is_private())
      return Fail(Code::kActionProhibited, "a public key cannot decrypt");
    ctx.key = chosen;
    ctx.decrypt = decrypt;
    ctx.settings = Settings{};
    return SetParams(ctx, params);
  });
}

const Digest* OaepDigest(const CipherContext& ctx) {
  return ctx.settings.oaep != nullptr ? ctx.settings.oaep : FindDigest("SHA1");
}
const Digest* Mgf1Digest(const CipherContext& ctx) {
  return ctx.settings.mgf1 != nullptr ? ctx.settings.mgf1 : OaepDigest(ctx);
}

Result<wire::Mechanism> DecryptMechanism(const CipherContext& ctx) {
  wire::Mechanism mechanism;
  switch (ctx.settings.padding) {
    case RSA_PKCS1_OAEP_PADDING:
      mechanism.type = CKM_RSA_PKCS_OAEP;
      mechanism.oaep = wire::OaepParam{.hash = OaepDigest(ctx)->mechanism,
                                       .mgf = Mgf1Digest(ctx)->mgf,
                                       .label = ctx.settings.label};
      return mechanism;
    case RSA_PKCS1_WITH_TLS_PADDING:
      if (ctx.settings.tls_client_version <= 0)
        return Fail(Code::kInvalidArgument, "TLS padding needs the client's version");
      mechanism.type = kCkmRsaPkcsTls;
      mechanism.tls = wire::TlsVersionParam{
          .client_version = static_cast<uint64_t>(ctx.settings.tls_client_version),
          .negotiated_version =
              static_cast<uint64_t>(std::max(ctx.settings.tls_negotiated_version, 0))};
      return mechanism;
    default: mechanism.type = CKM_RSA_PKCS; return mechanism;
  }
}

int Decrypt(void* vctx, unsigned char* out, size_t* size, size_t capacity,
            const unsigned char* input, size_t input_size) {
  CipherContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&]() -> Status {
    if (ctx.key == nullptr || !ctx.decrypt)
      return Fail(Code::kWrongState, "no decryption is under way");
    const bool tls = ctx.settings.padding == RSA_PKCS1_WITH_TLS_PADDING;
    if (out == nullptr) {
      *size = tls ? SSL_MAX_MASTER_KEY_LENGTH : ctx.key->max_output();
      return Done{};
    }
    // Before the enclave is asked, so that a short buffer is no sign of what is inside.
    if (tls && capacity < SSL_MAX_MASTER_KEY_LENGTH)
      return Fail(Code::kInvalidArgument, "the buffer is smaller than a pre-master secret");
    KC_ASSIGN(wire::Mechanism mechanism, DecryptMechanism(ctx));
    KC_ASSIGN(const Bytes plain,
              ctx.key->Decrypt(ctx.context, std::move(mechanism), FromC(input, input_size)));
    if (tls && plain.size() != SSL_MAX_MASTER_KEY_LENGTH)
      return Fail(Code::kReplyMismatch, "a pre-master secret of another size than 48");
    if (plain.size() > capacity)
      return Fail(Code::kInvalidArgument, "the buffer is smaller than the plaintext");
    std::copy(plain.begin(), plain.end(), out);
    *size = plain.size();
    return Done{};
  });
}

Result<EvpPkeyCtx> PublicEncryption(const CipherContext& ctx) {
  EvpPkeyCtx pctx(EVP_PKEY_CTX_new_from_pkey(ctx.context.libctx(), ctx.key->public_key(), nullptr));
  int padding = ctx.settings.padding;
  Bytes label = ctx.settings.label;
  OSSL_PARAM params[5] = {
      OSSL_PARAM_construct_int(OSSL_ASYM_CIPHER_PARAM_PAD_MODE, &padding),
      OSSL_PARAM_construct_end(),
  };
  if (padding == RSA_PKCS1_OAEP_PADDING) {
    params[1] = OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST,
                                                 const_cast<char*>(OaepDigest(ctx)->name), 0);
    params[2] = OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST,
                                                 const_cast<char*>(Mgf1Digest(ctx)->name), 0);
    params[3] = label.empty() ? OSSL_PARAM_construct_end()
                              : OSSL_PARAM_construct_octet_string(OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL,
                                                                  label.data(), label.size());
    params[4] = OSSL_PARAM_construct_end();
  }
  if (pctx == nullptr || EVP_PKEY_encrypt_init_ex(pctx.get(), params) != 1)
    return Fail(Code::kCryptoFailed, "preparing an encryption");
  return pctx;
}

int Encrypt(void* vctx, unsigned char* out, size_t* size, size_t capacity,
            const unsigned char* input, size_t input_size) {
  CipherContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&]() -> Status {
    if (ctx.key == nullptr || ctx.decrypt)
      return Fail(Code::kWrongState, "no encryption is under way");
    if (out == nullptr) {
      *size = ctx.key->max_output();
      return Done{};
    }
    const ErrorMark mark(ctx.context.core());
    KC_ASSIGN(const EvpPkeyCtx pctx, PublicEncryption(ctx));
    *size = capacity;
    if (EVP_PKEY_encrypt(pctx.get(), out, size, input, input_size) != 1)
      return Fail(Code::kDataInvalid, "encrypting with the public key");
    return Done{};
  });
}

int SetCtxParams(void* vctx, const OSSL_PARAM params[]) {
  CipherContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&] { return SetParams(ctx, params); });
}

int GetCtxParams(void* vctx, OSSL_PARAM params[]) {
  const CipherContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&]() -> Status {
    KC_CHECK_OK(
        AnswerNamed(params, OSSL_ASYM_CIPHER_PARAM_PAD_MODE, ctx.settings.padding, kPaddings));
    KC_CHECK_OK(AnswerText(params, OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, OaepDigest(ctx)->name));
    KC_CHECK_OK(AnswerText(params, OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, Mgf1Digest(ctx)->name));
    KC_CHECK_OK(AnswerInt(params, OSSL_ASYM_CIPHER_PARAM_TLS_CLIENT_VERSION,
                          ctx.settings.tls_client_version));
    KC_CHECK_OK(AnswerInt(params, OSSL_ASYM_CIPHER_PARAM_TLS_NEGOTIATED_VERSION,
                          ctx.settings.tls_negotiated_version));
    OSSL_PARAM* label = OSSL_PARAM_locate(params, OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL);
    if (label != nullptr && OSSL_PARAM_set_octet_ptr(label, ctx.settings.label.data(),
                                                     ctx.settings.label.size()) != 1) {
      return Fail(Code::kInvalidArgument, "the parameter oaep-label");
    }
    return Done{};
  });
}

const OSSL_PARAM* Gettable(void* /*ctx*/, void* /*provctx*/) {
  static const OSSL_PARAM params[] = {
      OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_PAD_MODE, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, nullptr, 0),
      OSSL_PARAM_DEFN(OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL, OSSL_PARAM_OCTET_PTR, nullptr, 0),
      OSSL_PARAM_uint(OSSL_ASYM_CIPHER_PARAM_TLS_CLIENT_VERSION, nullptr),
      OSSL_PARAM_uint(OSSL_ASYM_CIPHER_PARAM_TLS_NEGOTIATED_VERSION, nullptr),
      OSSL_PARAM_END};
  return params;
}

const OSSL_PARAM* Settable(void* /*ctx*/, void* /*provctx*/) {
  static const OSSL_PARAM params[] = {
      OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_PAD_MODE, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST_PROPS, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST_PROPS, nullptr, 0),
      OSSL_PARAM_octet_string(OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL, nullptr, 0),
      OSSL_PARAM_uint(OSSL_ASYM_CIPHER_PARAM_TLS_CLIENT_VERSION, nullptr),
      OSSL_PARAM_uint(OSSL_ASYM_CIPHER_PARAM_TLS_NEGOTIATED_VERSION, nullptr),
      OSSL_PARAM_END};
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
                                    KC_CIPHER(GET_CTX_PARAMS, get_ctx_params, GetCtxParams),
                                    KC_CIPHER(GETTABLE_CTX_PARAMS, gettable_ctx_params, Gettable),
                                    KC_CIPHER(SET_CTX_PARAMS, set_ctx_params, SetCtxParams),
                                    KC_CIPHER(SETTABLE_CTX_PARAMS, settable_ctx_params, Settable),
                                    {0, nullptr}};

}  // namespace

const OSSL_DISPATCH* RsaAsymCipher() { return kFunctions; }

}  // namespace keyclave::ossl
