// SIGNATURE: the functions that libcrypto calls, the same for RSA and ECDSA. Nothing here makes a
// request but a signature's last step with a buffer to put it in.

#include "ossl_provider/signature.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "ossl_provider/algorithms.h"

namespace keyclave::ossl {
namespace {

SignatureContext& Ctx(void* ctx) { return *static_cast<SignatureContext*>(ctx); }

template <const Scheme& scheme>
void* NewCtx(void* provctx, const char* /*propq*/) {
  auto& context = *static_cast<Context*>(provctx);
  return GuardPointer(context, [&]() -> Result<SignatureContext*> {
    return new SignatureContext{.context = context, .scheme = scheme};
  });
}

void FreeCtx(void* ctx) { delete static_cast<SignatureContext*>(ctx); }

void* DupCtx(void* vctx) {
  const SignatureContext& from = Ctx(vctx);
  return GuardPointer(from.context, [&]() -> Result<SignatureContext*> {
    std::optional<client::SignedMessage> message;
    if (from.message) {
      KC_ASSIGN(message, from.message->Clone());
    }
    return new SignatureContext{from.context, from.scheme,       from.key,           from.operation,
                                from.digest,  from.digest_fixed, std::move(message), from.rsa};
  });
}

// A null key keeps the one of the last init.
Status Begin(SignatureContext& ctx, void* key, Operation operation, const OSSL_PARAM params[]) {
  if (key != nullptr) ctx.key = static_cast<KeyData*>(key)->key;
  if (ctx.key == nullptr) return Fail(Code::kInvalidArgument, "no key is set");
  if (!ctx.scheme.takes(ctx.key->type()))
    return Fail(Code::kKeyTypeInconsistent, KeyTypeName(ctx.key->type()));
  if (operation == Operation::kSign && !ctx.key->is_private())
    return Fail(Code::kActionProhibited, "a public key cannot sign");
  ctx.operation = operation;
  ctx.digest = nullptr;
  ctx.digest_fixed = false;
  ctx.message.reset();
  KC_CHECK_OK(ctx.scheme.begin(ctx));
  return ctx.scheme.set(ctx, params);
}

template <Operation operation>
int Init(void* vctx, void* key, const OSSL_PARAM params[]) {
  SignatureContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&] { return Begin(ctx, key, operation, params); });
}

template <Operation operation>
int DigestInit(void* vctx, const char* name, void* key, const OSSL_PARAM params[]) {
  SignatureContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&]() -> Status {
    KC_CHECK_OK(Begin(ctx, key, operation, nullptr));
    const char* chosen = name != nullptr && *name != '\0' ? name : "SHA2-256";
    // An RSA-PSS key that knows its digest comes with it.
    if (ctx.digest == nullptr || (name != nullptr && *name != '\0')) {
      KC_ASSIGN(const Digest* digest, RequireDigest(chosen));
      if (ctx.rsa.only_digest != nullptr && digest != ctx.rsa.only_digest)
        return Fail(Code::kInvalidArgument,
                    "the key is for another digest than " + std::string(name));
      ctx.digest = digest;
    }
    ctx.digest_fixed = true;
    KC_CHECK_OK(ctx.scheme.set(ctx, params));
    // To verify, nobody has to see the message.
    const size_t limit = operation == Operation::kSign ? client::kMaxWholeMessage : 0;
    KC_ASSIGN(ctx.message, client::SignedMessage::Create(ctx.digest->algorithm, limit));
    return Done{};
  });
}

int DigestUpdate(void* vctx, const unsigned char* data, size_t size) {
  SignatureContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&]() -> Status {
    if (!ctx.message) return Fail(Code::kWrongState, "no digest is under way");
    return ctx.message->Add(FromC(data, size));
  });
}

// A key whose CKA_ALLOWED_MECHANISMS has the bare mechanism alone is given the digest.
Result<Bytes> SignInput(SignatureContext& ctx, const Input& input) {
  auto signature = ctx.scheme.sign(ctx, input);
  if (signature.ok() || !input.whole || signature.code() != Code::kMechanismInvalid)
    return signature;
  KC_ASSIGN(Bytes digest, Hash(ctx.digest->algorithm, input.bytes));
  return ctx.scheme.sign(ctx, Input{std::move(digest)});
}

// Two-call convention: without a buffer only the size is told.
template <class MakeInput>
int SignInto(SignatureContext& ctx, unsigned char* out, size_t* size, size_t capacity,
             MakeInput make_input) {
  return Guard(ctx.context, [&]() -> Status {
    if (ctx.key == nullptr || ctx.operation != Operation::kSign)
      return Fail(Code::kWrongState, "no signature is under way");
    if (out == nullptr) {
      *size = ctx.key->max_output();
      return Done{};
    }
    KC_ASSIGN(const Input input, make_input());
    KC_ASSIGN(const Bytes signature, SignInput(ctx, input));
    if (signature.size() > capacity)
      return Fail(Code::kInvalidArgument, "the buffer is smaller than the signature");
    std::copy(signature.begin(), signature.end(), out);
    *size = signature.size();
    return Done{};
  });
}

Result<Input> FinishMessage(SignatureContext& ctx) {
  if (!ctx.message) return Fail(Code::kWrongState, "no digest is under way");
  return ctx.message->Take();
}

Result<Input> WholeMessage(SignatureContext& ctx, const unsigned char* data, size_t size) {
  if (!ctx.message) return Fail(Code::kWrongState, "no digest is under way");
  KC_CHECK_OK(ctx.message->Add(FromC(data, size)));
  return ctx.message->Take();
}

int Sign(void* vctx, unsigned char* out, size_t* size, size_t capacity, const unsigned char* input,
         size_t input_size) {
  return SignInto(Ctx(vctx), out, size, capacity,
                  [&]() -> Result<Input> { return Input{ToBytes(FromC(input, input_size))}; });
}

int DigestSignFinal(void* vctx, unsigned char* out, size_t* size, size_t capacity) {
  SignatureContext& ctx = Ctx(vctx);
  return SignInto(ctx, out, size, capacity, [&] { return FinishMessage(ctx); });
}

int DigestSign(void* vctx, unsigned char* out, size_t* size, size_t capacity,
               const unsigned char* data, size_t data_size) {
  SignatureContext& ctx = Ctx(vctx);
  return SignInto(ctx, out, size, capacity, [&] { return WholeMessage(ctx, data, data_size); });
}

// Verification asks nobody: the public half is here.
Result<EvpPkeyCtx> PublicOperation(const SignatureContext& ctx, int (*init)(EVP_PKEY_CTX*)) {
  EvpPkeyCtx pctx(EVP_PKEY_CTX_new_from_pkey(ctx.context.libctx(), ctx.key->public_key(), nullptr));
  if (pctx == nullptr || init(pctx.get()) != 1)
    return Fail(Code::kCryptoFailed, "preparing a verification");
  KC_CHECK_OK(ctx.scheme.prepare(ctx, pctx.get()));
  return pctx;
}

// 1: good; 0: not, and the queue says nothing about it unless the verification could not be made.
template <class MakeInput>
int VerifyWith(SignatureContext& ctx, ByteSpan signature, MakeInput make_input) {
  bool good = false;
  const int ran = Guard(ctx.context, [&]() -> Status {
    if (ctx.key == nullptr || ctx.operation != Operation::kVerify)
      return Fail(Code::kWrongState, "no verification is under way");
    const ErrorMark mark(ctx.context.core());
    KC_ASSIGN(const Input input, make_input());
    KC_ASSIGN(const EvpPkeyCtx pctx, PublicOperation(ctx, EVP_PKEY_verify_init));
    good = EVP_PKEY_verify(pctx.get(), signature.data(), signature.size(), input.bytes.data(),
                           input.bytes.size()) == 1;
    return Done{};
  });
  return ran == 1 && good ? 1 : 0;
}

int Verify(void* vctx, const unsigned char* signature, size_t size, const unsigned char* input,
           size_t input_size) {
  return VerifyWith(Ctx(vctx), FromC(signature, size),
                    [&]() -> Result<Input> { return Input{ToBytes(FromC(input, input_size))}; });
}

int DigestVerifyFinal(void* vctx, const unsigned char* signature, size_t size) {
  SignatureContext& ctx = Ctx(vctx);
  return VerifyWith(ctx, FromC(signature, size), [&] { return FinishMessage(ctx); });
}

int DigestVerify(void* vctx, const unsigned char* signature, size_t size, const unsigned char* data,
                 size_t data_size) {
  SignatureContext& ctx = Ctx(vctx);
  return VerifyWith(ctx, FromC(signature, size),
                    [&] { return WholeMessage(ctx, data, data_size); });
}

int VerifyRecover(void* vctx, unsigned char* out, size_t* size, size_t capacity,
                  const unsigned char* signature, size_t signature_size) {
  SignatureContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&]() -> Status {
    if (ctx.key == nullptr || ctx.operation != Operation::kVerifyRecover)
      return Fail(Code::kWrongState, "no verification is under way");
    if (out == nullptr) {
      *size = ctx.key->max_output();
      return Done{};
    }
    const ErrorMark mark(ctx.context.core());
    KC_ASSIGN(const EvpPkeyCtx pctx, PublicOperation(ctx, EVP_PKEY_verify_recover_init));
    *size = capacity;
    if (EVP_PKEY_verify_recover(pctx.get(), out, size, signature, signature_size) != 1)
      return Fail(Code::kSignatureInvalid);
    return Done{};
  });
}

int GetCtxParams(void* vctx, OSSL_PARAM params[]) {
  const SignatureContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&] { return ctx.scheme.get(ctx, params); });
}

int SetCtxParams(void* vctx, const OSSL_PARAM params[]) {
  SignatureContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&] { return ctx.scheme.set(ctx, params); });
}

const OSSL_PARAM* RsaGettable(void* /*ctx*/, void* /*provctx*/) {
  static const OSSL_PARAM params[] = {
      OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, nullptr, 0),
      OSSL_PARAM_END};
  return params;
}

const OSSL_PARAM* RsaSettable(void* /*ctx*/, void* /*provctx*/) {
  static const OSSL_PARAM params[] = {
      OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PROPERTIES, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_PROPERTIES, nullptr, 0),
      OSSL_PARAM_END};
  return params;
}

const OSSL_PARAM* EcdsaGettable(void* /*ctx*/, void* /*provctx*/) {
  static const OSSL_PARAM params[] = {
      OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, nullptr, 0),
      OSSL_PARAM_size_t(OSSL_SIGNATURE_PARAM_DIGEST_SIZE, nullptr),
      OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, nullptr, 0), OSSL_PARAM_END};
  return params;
}

const OSSL_PARAM* EcdsaSettable(void* /*ctx*/, void* /*provctx*/) {
  static const OSSL_PARAM params[] = {
      OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PROPERTIES, nullptr, 0), OSSL_PARAM_END};
  return params;
}

template <const Scheme& scheme>
inline constexpr bool kIsRsa = false;
template <>
inline constexpr bool kIsRsa<kRsaScheme> = true;

template <const Scheme& scheme>
struct SignatureTable {
  static constexpr bool kRsa = kIsRsa<scheme>;
  static const OSSL_DISPATCH functions[];
};

#define KC_SIGNATURE(name, type, function) \
  KC_FN(OSSL_FUNC_SIGNATURE_##name, OSSL_FUNC_signature_##type##_fn, function)

template <const Scheme& scheme>
const OSSL_DISPATCH SignatureTable<scheme>::functions[] = {
    KC_SIGNATURE(NEWCTX, newctx, NewCtx<scheme>),
    KC_SIGNATURE(FREECTX, freectx, FreeCtx),
    KC_SIGNATURE(DUPCTX, dupctx, DupCtx),
    KC_SIGNATURE(SIGN_INIT, sign_init, Init<Operation::kSign>),
    KC_SIGNATURE(SIGN, sign, Sign),
    KC_SIGNATURE(VERIFY_INIT, verify_init, Init<Operation::kVerify>),
    KC_SIGNATURE(VERIFY, verify, Verify),
    KC_SIGNATURE(DIGEST_SIGN_INIT, digest_sign_init, DigestInit<Operation::kSign>),
    KC_SIGNATURE(DIGEST_SIGN_UPDATE, digest_sign_update, DigestUpdate),
    KC_SIGNATURE(DIGEST_SIGN_FINAL, digest_sign_final, DigestSignFinal),
    KC_SIGNATURE(DIGEST_SIGN, digest_sign, DigestSign),
    KC_SIGNATURE(DIGEST_VERIFY_INIT, digest_verify_init, DigestInit<Operation::kVerify>),
    KC_SIGNATURE(DIGEST_VERIFY_UPDATE, digest_verify_update, DigestUpdate),
    KC_SIGNATURE(DIGEST_VERIFY_FINAL, digest_verify_final, DigestVerifyFinal),
    KC_SIGNATURE(DIGEST_VERIFY, digest_verify, DigestVerify),
    KC_SIGNATURE(GET_CTX_PARAMS, get_ctx_params, GetCtxParams),
    KC_SIGNATURE(GETTABLE_CTX_PARAMS, gettable_ctx_params, (kRsa ? RsaGettable : EcdsaGettable)),
    KC_SIGNATURE(SET_CTX_PARAMS, set_ctx_params, SetCtxParams),
    KC_SIGNATURE(SETTABLE_CTX_PARAMS, settable_ctx_params, (kRsa ? RsaSettable : EcdsaSettable)),
    // Only RSA recovers; the rows after this one end the table of ECDSA.
    {kRsa ? OSSL_FUNC_SIGNATURE_VERIFY_RECOVER_INIT : 0,
     (void (*)(void)) static_cast<OSSL_FUNC_signature_verify_recover_init_fn*>(
         Init<Operation::kVerifyRecover>)},
    KC_SIGNATURE(VERIFY_RECOVER, verify_recover, VerifyRecover),
    {0, nullptr}};

}  // namespace

const OSSL_DISPATCH* RsaSignature() { return SignatureTable<kRsaScheme>::functions; }
const OSSL_DISPATCH* EcdsaSignature() { return SignatureTable<kEcdsaScheme>::functions; }

}  // namespace keyclave::ossl
