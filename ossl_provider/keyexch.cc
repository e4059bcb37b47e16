// KEYEXCH: ECDH, X25519, X448 with a private key of the enclave. The agreement, and the key
// derivation of ANSI X9.63 where one is asked for, are made there; the shared secret comes back to
// the program, as its policy's `derive` says it may.

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "ossl_provider/algorithms.h"
#include "ossl_provider/digest.h"
#include "ossl_provider/key.h"
#include "ossl_provider/params.h"

namespace keyclave::ossl {
namespace {

struct KdfSettings {
  bool x963 = false;  // else the shared secret as it is
  const Digest* digest = nullptr;
  size_t size = 0;  // bytes
  Bytes info{};
};

struct ExchangeContext {
  Context& context;
  KeyPtr key{};
  Bytes peer{};  // its encoded public key
  KdfSettings kdf{};
};

ExchangeContext& Ctx(void* ctx) { return *static_cast<ExchangeContext*>(ctx); }

void* NewCtx(void* provctx) {
  auto& context = *static_cast<Context*>(provctx);
  return GuardPointer(context,
                      [&]() -> Result<ExchangeContext*> { return new ExchangeContext{context}; });
}

void FreeCtx(void* ctx) { delete static_cast<ExchangeContext*>(ctx); }

void* DupCtx(void* vctx) {
  const ExchangeContext& from = Ctx(vctx);
  return GuardPointer(from.context,
                      [&]() -> Result<ExchangeContext*> { return new ExchangeContext(from); });
}

Status SetParams(ExchangeContext& ctx, const OSSL_PARAM params[]) {
  // All curves of the enclave have cofactor 1, so that both modes are the same.
  KC_ASSIGN(const auto cofactor, IntParam(params, OSSL_EXCHANGE_PARAM_EC_ECDH_COFACTOR_MODE));
  if (cofactor && (*cofactor < -1 || *cofactor > 1))
    return Fail(Code::kInvalidArgument, "ecdh-cofactor-mode");
  KC_ASSIGN(const auto type, TextParam(params, OSSL_EXCHANGE_PARAM_KDF_TYPE));
  if (type) {
    if (!type->empty() && *type != OSSL_KDF_NAME_X963KDF)
      return Fail(Code::kUnsupported, "the key derivation " + std::string(*type));
    ctx.kdf.x963 = !type->empty();
  }
  KC_ASSIGN(const auto digest, TextParam(params, OSSL_EXCHANGE_PARAM_KDF_DIGEST));
  if (digest) {
    KC_ASSIGN(ctx.kdf.digest, RequireDigest(*digest));
  }
  KC_ASSIGN(const auto size, IntParam(params, OSSL_EXCHANGE_PARAM_KDF_OUTLEN));
  if (size) {
    if (*size <= 0) return Fail(Code::kInvalidArgument, "kdf-outlen");
    ctx.kdf.size = static_cast<size_t>(*size);
  }
  KC_ASSIGN(auto info, BytesParam(params, OSSL_EXCHANGE_PARAM_KDF_UKM));
  if (info) ctx.kdf.info = *std::move(info);
  return Done{};
}

int Init(void* vctx, void* key, const OSSL_PARAM params[]) {
  ExchangeContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&]() -> Status {
    const KeyPtr chosen = key != nullptr ? static_cast<KeyData*>(key)->key : ctx.key;
    if (chosen == nullptr) return Fail(Code::kInvalidArgument, "no key is set");
    if (!chosen->is_private())
      return Fail(Code::kActionProhibited, "a public key agrees on nothing");
    ctx.key = chosen;
    ctx.peer.clear();
    ctx.kdf = KdfSettings{};
    return SetParams(ctx, params);
  });
}

int SetPeer(void* vctx, void* peer) {
  ExchangeContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&]() -> Status {
    const KeyPtr other = static_cast<KeyData*>(peer)->key;
    if (ctx.key == nullptr || other == nullptr)
      return Fail(Code::kInvalidArgument, "no key is set");
    const ErrorMark mark(ctx.context.core());
    if (EVP_PKEY_parameters_eq(ctx.key->public_key(), other->public_key()) != 1)
      return Fail(Code::kKeyTypeInconsistent, "the peer's key is of another type or curve");
    unsigned char* encoded = nullptr;
    const size_t size = EVP_PKEY_get1_encoded_public_key(other->public_key(), &encoded);
    const Memory owned(encoded);
    if (size == 0) return Fail(Code::kMalformed, "the peer's public key");
    ctx.peer = ToBytes(FromC(encoded, size));
    return Done{};
  });
}

// Of the shared secret, or of what is derived from it.
size_t SecretSize(const ExchangeContext& ctx) {
  if (ctx.kdf.x963) return ctx.kdf.size;
  return (static_cast<size_t>(EVP_PKEY_get_bits(ctx.key->public_key())) + 7) / 8;
}

Result<wire::Mechanism> MechanismOf(const ExchangeContext& ctx) {
  wire::Mechanism mechanism;
  mechanism.type = CKM_ECDH1_DERIVE;
  mechanism.ecdh = wire::EcdhParam{.kdf = CKD_NULL, .shared_data = {}, .public_data = ctx.peer};
  if (!ctx.kdf.x963) return mechanism;
  if (ctx.kdf.digest == nullptr || ctx.kdf.size == 0)
    return Fail(Code::kInvalidArgument, "the key derivation needs a digest and a length");
  mechanism.ecdh->kdf = ctx.kdf.digest->ecdh_kdf;
  mechanism.ecdh->shared_data = ctx.kdf.info;
  return mechanism;
}

int Derive(void* vctx, unsigned char* out, size_t* size, size_t capacity) {
  ExchangeContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&]() -> Status {
    if (ctx.key == nullptr || ctx.peer.empty())
      return Fail(Code::kWrongState, "the peer's key is not set");
    const size_t wanted = SecretSize(ctx);
    if (out == nullptr) {
      *size = wanted;
      return Done{};
    }
    if (capacity < wanted)
      return Fail(Code::kInvalidArgument, "the buffer is smaller than the secret");
    KC_ASSIGN(wire::Mechanism mechanism, MechanismOf(ctx));
    KC_ASSIGN(const SecretBytes secret,
              ctx.key->Derive(ctx.context, std::move(mechanism), ctx.kdf.x963 ? wanted : 0));
    const ByteSpan bytes = secret.Expose(SecretAccess());
    if (bytes.size() != wanted) return Fail(Code::kReplyMismatch, "a secret of another size");
    std::copy(bytes.begin(), bytes.end(), out);
    *size = bytes.size();
    return Done{};
  });
}

int SetCtxParams(void* vctx, const OSSL_PARAM params[]) {
  ExchangeContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&] { return SetParams(ctx, params); });
}

int GetCtxParams(void* vctx, OSSL_PARAM params[]) {
  const ExchangeContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&]() -> Status {
    KC_CHECK_OK(AnswerInt(params, OSSL_EXCHANGE_PARAM_EC_ECDH_COFACTOR_MODE, 0));
    KC_CHECK_OK(AnswerText(params, OSSL_EXCHANGE_PARAM_KDF_TYPE,
                           ctx.kdf.x963 ? OSSL_KDF_NAME_X963KDF : ""));
    KC_CHECK_OK(AnswerText(params, OSSL_EXCHANGE_PARAM_KDF_DIGEST,
                           ctx.kdf.digest != nullptr ? ctx.kdf.digest->name : ""));
    KC_CHECK_OK(AnswerInt(params, OSSL_EXCHANGE_PARAM_KDF_OUTLEN, static_cast<int>(ctx.kdf.size)));
    OSSL_PARAM* info = OSSL_PARAM_locate(params, OSSL_EXCHANGE_PARAM_KDF_UKM);
    if (info != nullptr &&
        OSSL_PARAM_set_octet_ptr(info, ctx.kdf.info.data(), ctx.kdf.info.size()) != 1) {
      return Fail(Code::kInvalidArgument, "the parameter kdf-ukm");
    }
    return Done{};
  });
}

const OSSL_PARAM* Settable(void* /*ctx*/, void* /*provctx*/) {
  static const OSSL_PARAM params[] = {
      OSSL_PARAM_int(OSSL_EXCHANGE_PARAM_EC_ECDH_COFACTOR_MODE, nullptr),
      OSSL_PARAM_utf8_string(OSSL_EXCHANGE_PARAM_KDF_TYPE, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_EXCHANGE_PARAM_KDF_DIGEST, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_EXCHANGE_PARAM_KDF_DIGEST_PROPS, nullptr, 0),
      OSSL_PARAM_size_t(OSSL_EXCHANGE_PARAM_KDF_OUTLEN, nullptr),
      OSSL_PARAM_octet_string(OSSL_EXCHANGE_PARAM_KDF_UKM, nullptr, 0),
      OSSL_PARAM_END};
  return params;
}

const OSSL_PARAM* Gettable(void* /*ctx*/, void* /*provctx*/) {
  static const OSSL_PARAM params[] = {
      OSSL_PARAM_int(OSSL_EXCHANGE_PARAM_EC_ECDH_COFACTOR_MODE, nullptr),
      OSSL_PARAM_utf8_string(OSSL_EXCHANGE_PARAM_KDF_TYPE, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_EXCHANGE_PARAM_KDF_DIGEST, nullptr, 0),
      OSSL_PARAM_size_t(OSSL_EXCHANGE_PARAM_KDF_OUTLEN, nullptr),
      OSSL_PARAM_DEFN(OSSL_EXCHANGE_PARAM_KDF_UKM, OSSL_PARAM_OCTET_PTR, nullptr, 0),
      OSSL_PARAM_END};
  return params;
}

#define KC_EXCHANGE(name, type, function) \
  KC_FN(OSSL_FUNC_KEYEXCH_##name, OSSL_FUNC_keyexch_##type##_fn, function)
#define KC_EXCHANGE_FUNCTIONS                                                  \
  KC_EXCHANGE(NEWCTX, newctx, NewCtx), KC_EXCHANGE(FREECTX, freectx, FreeCtx), \
      KC_EXCHANGE(DUPCTX, dupctx, DupCtx), KC_EXCHANGE(INIT, init, Init),      \
      KC_EXCHANGE(SET_PEER, set_peer, SetPeer), KC_EXCHANGE(DERIVE, derive, Derive)

const OSSL_DISPATCH kEcdhFunctions[] = {
    KC_EXCHANGE_FUNCTIONS,
    KC_EXCHANGE(SET_CTX_PARAMS, set_ctx_params, SetCtxParams),
    KC_EXCHANGE(SETTABLE_CTX_PARAMS, settable_ctx_params, Settable),
    KC_EXCHANGE(GET_CTX_PARAMS, get_ctx_params, GetCtxParams),
    KC_EXCHANGE(GETTABLE_CTX_PARAMS, gettable_ctx_params, Gettable),
    {0, nullptr}};
const OSSL_DISPATCH kMontgomeryFunctions[] = {KC_EXCHANGE_FUNCTIONS, {0, nullptr}};

}  // namespace

const OSSL_DISPATCH* EcdhKeyexch() { return kEcdhFunctions; }
const OSSL_DISPATCH* MontgomeryKeyexch() { return kMontgomeryFunctions; }

}  // namespace keyclave::ossl
