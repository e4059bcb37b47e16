// What EdDSA, ML-DSA, SLH-DSA and SM2 have in common: they sign messages, not digests that others
// made. A context string, or SM2's identity of the signer, goes to the enclave beside the message.

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "ossl_provider/params.h"
#include "ossl_provider/signature.h"

namespace keyclave::ossl {
namespace {

// Parameters that headers before 3.2 do not name.
constexpr char kInstance[] = "instance";
constexpr char kContextString[] = "context-string";
constexpr char kDeterministic[] = "deterministic";
constexpr char kMessageEncoding[] = "message-encoding";
constexpr size_t kMaxContext = 255;  // RFC 8032 §5.1, FIPS 204 §5.2, FIPS 205 §10.2

bool TakesEdwards(KeyFamily family) { return family == KeyFamily::kEdwards; }
bool TakesPostQuantum(KeyFamily family) {
  return family == KeyFamily::kMlDsa || family == KeyFamily::kSlhDsa;
}

Status BeginMessage(SignatureContext& ctx) {
  ctx.settings = MessageSettings{};
  return Done{};
}

Status SetContext(SignatureContext& ctx, const OSSL_PARAM params[], const char* name) {
  KC_ASSIGN(auto context, BytesParam(params, name));
  if (!context) return Done{};
  if (context->size() > kMaxContext)
    return Fail(Code::kInvalidArgument, "the context string: at most 255 bytes");
  ctx.settings.context = *std::move(context);
  return Done{};
}

Status AnswerOwnId(const SignatureContext& ctx, OSSL_PARAM params[]) {
  if (!Asks(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID)) return Done{};
  KC_ASSIGN(const Bytes id, OwnAlgorithmId(InfoOf(ctx.key->type()).names));
  return AnswerBytes(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID, id);
}

OSSL_PARAM ContextParam(const Bytes& context, const char* name) {
  // OpenSSL takes an empty string at no address for a mistake.
  static const unsigned char nothing = 0;
  const void* data = context.empty() ? &nothing : static_cast<const void*>(context.data());
  return OSSL_PARAM_construct_octet_string(name, const_cast<void*>(data), context.size());
}

// ---- EdDSA (RFC 8032) ----

struct Instance {
  const char* name;
  KeyType type;
  bool prehash;
  bool context;  // whether it takes a context string
};
constexpr Instance kInstances[] = {
    {"Ed25519", KeyType::kEd25519, false, false}, {"Ed25519ctx", KeyType::kEd25519, false, true},
    {"Ed25519ph", KeyType::kEd25519, true, true}, {"Ed448", KeyType::kEd448, false, true},
    {"Ed448ph", KeyType::kEd448, true, true},
};

// The instance that is set, or the pure scheme of the key.
Result<const Instance*> InstanceOf(const SignatureContext& ctx) {
  const std::string& name = ctx.settings.instance;
  for (const Instance& instance : kInstances) {
    if (instance.type == ctx.key->type() && (name.empty() || name == instance.name)) {
      if (!instance.context && !ctx.settings.context.empty())
        return Fail(Code::kInvalidArgument, std::string(instance.name) + " takes no context");
      return &instance;
    }
  }
  return Fail(Code::kInvalidArgument, name + " is no instance of " + KeyTypeName(ctx.key->type()));
}

Status SetEddsa(SignatureContext& ctx, const OSSL_PARAM params[]) {
  KC_ASSIGN(const auto instance, TextParam(params, kInstance));
  if (instance) {
    ctx.settings.instance = *instance;
  }
  KC_CHECK_OK(SetContext(ctx, params, kContextString));
  if (!ctx.settings.instance.empty()) KC_CHECK_OK(InstanceOf(ctx));
  return Done{};
}

Result<Bytes> SignEddsa(const SignatureContext& ctx, const Input& input) {
  KC_ASSIGN(const Instance* instance, InstanceOf(ctx));
  wire::Mechanism mechanism;
  mechanism.type = CKM_EDDSA;
  const bool pure = instance == &kInstances[0] || instance == &kInstances[3];
  if (!pure || !ctx.settings.context.empty())
    mechanism.eddsa = wire::EddsaParam{instance->prehash, ctx.settings.context};
  return ctx.key->Sign(ctx.context, std::move(mechanism), input.bytes);
}

Result<bool> VerifyEddsa(const SignatureContext& ctx, ByteSpan signature, const Input& input) {
  KC_ASSIGN(const Instance* instance, InstanceOf(ctx));
  const bool plain = ctx.settings.instance.empty() && ctx.settings.context.empty();
  const OSSL_PARAM params[] = {
      plain ? OSSL_PARAM_construct_end()
            : OSSL_PARAM_construct_utf8_string(kInstance, const_cast<char*>(instance->name), 0),
      ContextParam(ctx.settings.context, kContextString), OSSL_PARAM_construct_end()};
  return VerifyMessage(ctx, nullptr, params, signature, input.bytes);
}

// ---- ML-DSA (FIPS 204), SLH-DSA (FIPS 205) ----

Status SetPostQuantum(SignatureContext& ctx, const OSSL_PARAM params[]) {
  KC_CHECK_OK(SetContext(ctx, params, kContextString));
  KC_ASSIGN(const auto deterministic, IntParam(params, kDeterministic));
  if (deterministic) ctx.settings.deterministic = *deterministic != 0;
  KC_ASSIGN(const auto encoding, IntParam(params, kMessageEncoding));
  if (encoding && *encoding != 1)
    return Fail(Code::kUnsupported, "messages that the caller has encoded (message-encoding 0)");
  return Done{};
}

Result<Bytes> SignPostQuantum(const SignatureContext& ctx, const Input& input) {
  wire::Mechanism mechanism;
  mechanism.type = ctx.key->family() == KeyFamily::kMlDsa ? CKM_ML_DSA : CKM_SLH_DSA;
  if (ctx.settings.deterministic || !ctx.settings.context.empty()) {
    mechanism.sign_context = wire::SignContextParam{
        .hedge = ctx.settings.deterministic ? CKH_DETERMINISTIC_REQUIRED : CKH_HEDGE_PREFERRED,
        .context = ctx.settings.context};
  }
  return ctx.key->Sign(ctx.context, std::move(mechanism), input.bytes);
}

Result<bool> VerifyPostQuantum(const SignatureContext& ctx, ByteSpan signature,
                               const Input& input) {
  const OSSL_PARAM params[] = {ctx.settings.context.empty()
                                   ? OSSL_PARAM_construct_end()
                                   : ContextParam(ctx.settings.context, kContextString),
                               OSSL_PARAM_construct_end()};
  return VerifyMessage(ctx, nullptr, params, signature, input.bytes);
}

const OSSL_PARAM kIdOnly[] = {
    OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, nullptr, 0), OSSL_PARAM_END};
const OSSL_PARAM kEddsaSettable[] = {OSSL_PARAM_utf8_string(kInstance, nullptr, 0),
                                     OSSL_PARAM_octet_string(kContextString, nullptr, 0),
                                     KC_SIGNATURE_TO_VERIFY, OSSL_PARAM_END};
const OSSL_PARAM kPostQuantumSettable[] = {
    OSSL_PARAM_octet_string(kContextString, nullptr, 0), OSSL_PARAM_int(kDeterministic, nullptr),
    OSSL_PARAM_int(kMessageEncoding, nullptr), KC_SIGNATURE_TO_VERIFY, OSSL_PARAM_END};

}  // namespace

Status ChooseNoDigest(SignatureContext& /*ctx*/, const char* name) {
  if (name == nullptr || *name == '\0') return Done{};
  return Fail(Code::kInvalidArgument,
              std::string("this algorithm signs messages as they are, with no digest: ") + name);
}

Result<bool> VerifyMessage(const SignatureContext& ctx, const char* digest,
                           const OSSL_PARAM params[], ByteSpan signature, ByteSpan message) {
  struct FreeMd {
    void operator()(EVP_MD_CTX* md) const { EVP_MD_CTX_free(md); }
  };
  const std::unique_ptr<EVP_MD_CTX, FreeMd> md(EVP_MD_CTX_new());
  EVP_PKEY_CTX* pctx = nullptr;  // md's own
  if (md == nullptr || EVP_DigestVerifyInit_ex(md.get(), &pctx, digest, ctx.context.libctx(),
                                               nullptr, ctx.key->public_key(), nullptr) != 1) {
    return Fail(Code::kCryptoFailed, "preparing a verification");
  }
  for (const OSSL_PARAM* param = params; param->key != nullptr; ++param) {
    // libcrypto passes over what it does not know: the answer would be about another signature.
    const OSSL_PARAM* known = EVP_PKEY_CTX_settable_params(pctx);
    if (known == nullptr || OSSL_PARAM_locate_const(known, param->key) == nullptr)
      return Fail(Code::kUnsupported, std::string(param->key) + " needs a newer OpenSSL here");
  }
  if (params->key != nullptr && EVP_PKEY_CTX_set_params(pctx, params) != 1)
    return Fail(Code::kInvalidArgument, "the parameters of this signature");
  return EVP_DigestVerify(md.get(), signature.data(), signature.size(), message.data(),
                          message.size()) == 1;
}

const Scheme kEddsaScheme{.takes = TakesEdwards,
                          .begin = BeginMessage,
                          .choose_digest = ChooseNoDigest,
                          .set = SetEddsa,
                          .get = AnswerOwnId,
                          .sign = SignEddsa,
                          .verify = VerifyEddsa,
                          .settable = kEddsaSettable,
                          .gettable = kIdOnly};

const Scheme kPostQuantumScheme{.takes = TakesPostQuantum,
                                .begin = BeginMessage,
                                .choose_digest = ChooseNoDigest,
                                .set = SetPostQuantum,
                                .get = AnswerOwnId,
                                .sign = SignPostQuantum,
                                .verify = VerifyPostQuantum,
                                .settable = kPostQuantumSettable,
                                .gettable = kIdOnly};

}  // namespace keyclave::ossl
