// KEM: ML-KEM. Encapsulation is of the public half, here; decapsulation is the enclave's.

#include <openssl/core_names.h>

#include "ossl_provider/algorithms.h"
#include "ossl_provider/key.h"

namespace keyclave::ossl {
namespace {

constexpr size_t kSecretSize = 32;  // bytes: FIPS 203 §8

struct KemContext {
  Context& context;
  KeyPtr key{};
  bool decapsulate = false;
};

KemContext& Ctx(void* ctx) { return *static_cast<KemContext*>(ctx); }

void* NewCtx(void* provctx) {
  auto& context = *static_cast<Context*>(provctx);
  return GuardPointer(context, [&]() -> Result<KemContext*> { return new KemContext{context}; });
}

void FreeCtx(void* ctx) { delete static_cast<KemContext*>(ctx); }

void* DupCtx(void* vctx) {
  const KemContext& from = Ctx(vctx);
  return GuardPointer(from.context, [&]() -> Result<KemContext*> { return new KemContext(from); });
}

template <bool decapsulate>
int Init(void* vctx, void* key, const OSSL_PARAM /*params*/[]) {
  KemContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&]() -> Status {
    const KeyPtr chosen = key != nullptr ? static_cast<KeyData*>(key)->key : ctx.key;
    if (chosen == nullptr) return Fail(Code::kInvalidArgument, "no key is set");
    if (decapsulate && !chosen->is_private())
      return Fail(Code::kActionProhibited, "a public key cannot decapsulate");
    ctx.key = chosen;
    ctx.decapsulate = decapsulate;
    return Done{};
  });
}

int Encapsulate(void* vctx, unsigned char* out, size_t* out_size, unsigned char* secret,
                size_t* secret_size) {
  KemContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&]() -> Status {
    if (ctx.key == nullptr || ctx.decapsulate)
      return Fail(Code::kWrongState, "no encapsulation is under way");
    const ErrorMark mark(ctx.context.core());
    const EvpPkeyCtx pctx(
        EVP_PKEY_CTX_new_from_pkey(ctx.context.libctx(), ctx.key->public_key(), nullptr));
    if (pctx == nullptr || EVP_PKEY_encapsulate_init(pctx.get(), nullptr) != 1 ||
        EVP_PKEY_encapsulate(pctx.get(), out, out_size, secret, secret_size) != 1) {
      return Fail(Code::kCryptoFailed, "encapsulating for the public key");
    }
    return Done{};
  });
}

int Decapsulate(void* vctx, unsigned char* out, size_t* size, const unsigned char* input,
                size_t input_size) {
  KemContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&]() -> Status {
    if (ctx.key == nullptr || !ctx.decapsulate)
      return Fail(Code::kWrongState, "no decapsulation is under way");
    if (out == nullptr) {
      *size = kSecretSize;
      return Done{};
    }
    if (size != nullptr && *size < kSecretSize)
      return Fail(Code::kInvalidArgument, "the buffer is smaller than the secret");
    wire::Mechanism mechanism;
    mechanism.type = CKM_ML_KEM;
    KC_ASSIGN(const SecretBytes secret,
              ctx.key->Decapsulate(ctx.context, std::move(mechanism), FromC(input, input_size)));
    const ByteSpan bytes = secret.Expose(SecretAccess());
    if (bytes.size() != kSecretSize) return Fail(Code::kReplyMismatch, "a secret of another size");
    std::copy(bytes.begin(), bytes.end(), out);
    if (size != nullptr) *size = bytes.size();
    return Done{};
  });
}

#define KC_KEM(name, type, function) \
  KC_FN(OSSL_FUNC_KEM_##name, OSSL_FUNC_kem_##type##_fn, function)

const OSSL_DISPATCH kFunctions[] = {KC_KEM(NEWCTX, newctx, NewCtx),
                                    KC_KEM(FREECTX, freectx, FreeCtx),
                                    KC_KEM(DUPCTX, dupctx, DupCtx),
                                    KC_KEM(ENCAPSULATE_INIT, encapsulate_init, Init<false>),
                                    KC_KEM(ENCAPSULATE, encapsulate, Encapsulate),
                                    KC_KEM(DECAPSULATE_INIT, decapsulate_init, Init<true>),
                                    KC_KEM(DECAPSULATE, decapsulate, Decapsulate),
                                    {0, nullptr}};

}  // namespace

const OSSL_DISPATCH* MlKemKem() { return kFunctions; }

}  // namespace keyclave::ossl
