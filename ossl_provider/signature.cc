// SIGNATURE: the functions that libcrypto calls, the same for every scheme. Nothing here makes a
// request but a signature's last step with a buffer to put it in.

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "ossl_provider/params.h"
#include "ossl_provider/signature_functions.h"

namespace keyclave::ossl {
namespace {

SignatureContext& Ctx(void* ctx) { return *static_cast<SignatureContext*>(ctx); }

// A null key keeps the one of the last init.
Status Begin(SignatureContext& ctx, void* key, Operation operation) {
  if (key != nullptr) ctx.key = static_cast<KeyData*>(key)->key;
  if (ctx.key == nullptr) return Fail(Code::kInvalidArgument, "no key is set");
  if (!ctx.scheme.takes(ctx.key->family()))
    return Fail(Code::kKeyTypeInconsistent, KeyTypeName(ctx.key->type()));
  if (operation == Operation::kSign && !ctx.key->is_private())
    return Fail(Code::kActionProhibited, "a public key cannot sign");
  ctx.operation = operation;
  ctx.digest = nullptr;
  ctx.digest_fixed = false;
  ctx.message.reset();
  ctx.expected.clear();
  return ctx.scheme.begin(ctx);
}

// Everything that is set from outside comes through here, and the signature to verify with it.
Status Set(SignatureContext& ctx, const OSSL_PARAM params[]) {
  KC_ASSIGN(auto expected, BytesParam(params, kSignatureToVerify));
  if (expected) ctx.expected = *std::move(expected);
  return ctx.scheme.set(ctx, params);
}

// What is signed or verified is a message, from here on.
Status TakeMessage(SignatureContext& ctx, const char* digest, const OSSL_PARAM params[]) {
  KC_CHECK_OK(ctx.scheme.choose_digest(ctx, digest));
  ctx.digest_fixed = true;
  KC_CHECK_OK(Set(ctx, params));
  if (!ctx.scheme.signs_digests) {
    ctx.message = client::SignedMessage::Unhashed();
    return Done{};
  }
  // To verify, nobody has to see the message.
  const size_t limit = ctx.operation == Operation::kSign ? client::kMaxWholeMessage : 0;
  KC_ASSIGN(ctx.message, client::SignedMessage::Create(ctx.digest->algorithm, limit));
  return Done{};
}

}  // namespace

void* NewSignature(void* provctx, const Scheme& scheme, const char* composite) {
  auto& context = *static_cast<Context*>(provctx);
  return GuardPointer(context, [&]() -> Result<SignatureContext*> {
    return new SignatureContext{.context = context, .scheme = scheme, .composite = composite};
  });
}

void FreeSignature(void* ctx) { delete static_cast<SignatureContext*>(ctx); }

void* DuplicateSignature(void* vctx) {
  const SignatureContext& from = Ctx(vctx);
  return GuardPointer(from.context, [&]() -> Result<SignatureContext*> {
    std::optional<client::SignedMessage> message;
    if (from.message) {
      KC_ASSIGN(message, from.message->Clone());
    }
    return new SignatureContext{.context = from.context,
                                .scheme = from.scheme,
                                .composite = from.composite,
                                .key = from.key,
                                .operation = from.operation,
                                .digest = from.digest,
                                .digest_fixed = from.digest_fixed,
                                .message = std::move(message),
                                .expected = from.expected,
                                .rsa = from.rsa,
                                .settings = from.settings};
  });
}

template <Operation operation>
int InitSignature(void* vctx, void* key, const OSSL_PARAM params[]) {
  SignatureContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&]() -> Status {
    KC_CHECK_OK(Begin(ctx, key, operation));
    if (ctx.composite != nullptr) {
      KC_CHECK_OK(ctx.scheme.choose_digest(ctx, ctx.composite));
      ctx.digest_fixed = true;
    }
    return Set(ctx, params);
  });
}
template int InitSignature<Operation::kSign>(void*, void*, const OSSL_PARAM*);
template int InitSignature<Operation::kVerify>(void*, void*, const OSSL_PARAM*);
template int InitSignature<Operation::kVerifyRecover>(void*, void*, const OSSL_PARAM*);

template <Operation operation>
int InitDigestSignature(void* vctx, const char* digest, void* key, const OSSL_PARAM params[]) {
  SignatureContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&]() -> Status {
    KC_CHECK_OK(Begin(ctx, key, operation));
    return TakeMessage(ctx, digest, params);
  });
}
template int InitDigestSignature<Operation::kSign>(void*, const char*, void*, const OSSL_PARAM*);
template int InitDigestSignature<Operation::kVerify>(void*, const char*, void*, const OSSL_PARAM*);

template <Operation operation>
int InitMessageSignature(void* vctx, void* key, const OSSL_PARAM params[]) {
  SignatureContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&]() -> Status {
    KC_CHECK_OK(Begin(ctx, key, operation));
    return TakeMessage(ctx, ctx.scheme.signs_digests ? ctx.composite : nullptr, params);
  });
}
template int InitMessageSignature<Operation::kSign>(void*, void*, const OSSL_PARAM*);
template int InitMessageSignature<Operation::kVerify>(void*, void*, const OSSL_PARAM*);

int UpdateSignature(void* vctx, const unsigned char* data, size_t size) {
  SignatureContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&]() -> Status {
    if (!ctx.message) return Fail(Code::kWrongState, "no message is under way");
    return ctx.message->Add(FromC(data, size));
  });
}

namespace {

// A key whose CKA_ALLOWED_MECHANISMS has the bare mechanism alone is given the digest.
Result<Bytes> SignInput(SignatureContext& ctx, const Input& input) {
  auto signature = ctx.scheme.sign(ctx, input);
  if (signature.ok() || !input.whole || !ctx.scheme.signs_digests ||
      signature.code() != Code::kMechanismInvalid) {
    return signature;
  }
  KC_ASSIGN(Bytes digest, Hash(ctx.digest->algorithm, input.bytes));
  return ctx.scheme.sign(ctx, Input{std::move(digest)});
}

// What was taken in and `last`: the message's end, or what was hashed elsewhere.
Result<Input> TakeInput(SignatureContext& ctx, ByteSpan last) {
  if (!ctx.message) return Input{ToBytes(last)};
  KC_CHECK_OK(ctx.message->Add(last));
  return ctx.message->Take();
}

// Two-call convention: without a buffer only the size is told.
int SignInto(SignatureContext& ctx, unsigned char* out, size_t* size, size_t capacity,
             ByteSpan last) {
  return Guard(ctx.context, [&]() -> Status {
    if (ctx.key == nullptr || ctx.operation != Operation::kSign)
      return Fail(Code::kWrongState, "no signature is under way");
    if (out == nullptr) {
      *size = ctx.key->max_output();
      return Done{};
    }
    KC_ASSIGN(const Input input, TakeInput(ctx, last));
    KC_ASSIGN(const Bytes signature, SignInput(ctx, input));
    if (signature.size() > capacity)
      return Fail(Code::kInvalidArgument, "the buffer is smaller than the signature");
    std::copy(signature.begin(), signature.end(), out);
    *size = signature.size();
    return Done{};
  });
}

// 1: good; 0: not, and the queue says nothing about it unless the verification could not be made.
int VerifyWith(SignatureContext& ctx, ByteSpan signature, ByteSpan last) {
  bool good = false;
  const int ran = Guard(ctx.context, [&]() -> Status {
    if (ctx.key == nullptr || ctx.operation != Operation::kVerify)
      return Fail(Code::kWrongState, "no verification is under way");
    KC_ASSIGN(const Input input, TakeInput(ctx, last));
    const ErrorMark mark(ctx.context.core());
    KC_ASSIGN(good, ctx.scheme.verify(ctx, signature, input));
    return Done{};
  });
  return ran == 1 && good ? 1 : 0;
}

}  // namespace

int Sign(void* ctx, unsigned char* out, size_t* size, size_t capacity, const unsigned char* input,
         size_t input_size) {
  return SignInto(Ctx(ctx), out, size, capacity, FromC(input, input_size));
}

int FinishSign(void* ctx, unsigned char* out, size_t* size, size_t capacity) {
  return SignInto(Ctx(ctx), out, size, capacity, {});
}

int Verify(void* ctx, const unsigned char* signature, size_t size, const unsigned char* input,
           size_t input_size) {
  return VerifyWith(Ctx(ctx), FromC(signature, size), FromC(input, input_size));
}

int FinishVerify(void* ctx, const unsigned char* signature, size_t size) {
  return VerifyWith(Ctx(ctx), FromC(signature, size), {});
}

int FinishMessageVerify(void* ctx) { return VerifyWith(Ctx(ctx), Ctx(ctx).expected, {}); }

int RecoverSignature(void* vctx, unsigned char* out, size_t* size, size_t capacity,
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
    KC_ASSIGN(const Bytes message, ctx.scheme.recover(ctx, FromC(signature, signature_size)));
    if (message.size() > capacity)
      return Fail(Code::kInvalidArgument, "the buffer is smaller than the message");
    std::copy(message.begin(), message.end(), out);
    *size = message.size();
    return Done{};
  });
}

int GetSignatureParams(void* vctx, OSSL_PARAM params[]) {
  const SignatureContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&] { return ctx.scheme.get(ctx, params); });
}

int SetSignatureParams(void* vctx, const OSSL_PARAM params[]) {
  SignatureContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&] { return Set(ctx, params); });
}

const OSSL_PARAM* GettableSignatureParams(void* ctx, void* /*provctx*/) {
  return Ctx(ctx).scheme.gettable;
}
const OSSL_PARAM* SettableSignatureParams(void* ctx, void* /*provctx*/) {
  return Ctx(ctx).scheme.settable;
}

}  // namespace keyclave::ossl
