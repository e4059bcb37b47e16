// CKM_EDDSA (pkcs11-curr-v3.0 §2.3.14): the five schemes of RFC 8032. Without parameter it is the
// pure scheme of the key's curve; CK_EDDSA_PARAMS asks for a context or for the pre-hashed scheme,
// which OpenSSL has since 3.2.

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include "enclave/mech/evp.h"
#include "enclave/mech/families.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {CKM_EDDSA, 255, 448, kFlagSign | kFlagEc, SignInput::kMessage},
};

constexpr size_t kMaxContext = 255;  // RFC 8032 §5.1, §5.2
// Parameters of a signature that headers before 3.2 do not name.
constexpr const char* kInstance = "instance";
constexpr const char* kContextString = "context-string";

// A scheme of RFC 8032 as OpenSSL names it.
struct Scheme {
  std::string instance;  // empty: the pure scheme, which is the default
  Bytes context;
};

// "Mapping to RFC 8032 Signature Schemes" (§2.3.14, table 39).
Result<Scheme> SchemeOf(const Key& key, const wire::Mechanism& mechanism) {
  if (ExpectNoParam(mechanism).ok()) return Scheme{};
  KC_ASSIGN(const wire::EddsaParam* param, ExpectShape(mechanism, &wire::Mechanism::eddsa));
  if (param->context.size() > kMaxContext) {
    return Fail(Code::kMechanismParamInvalid, "ulContextDataLen: at most 255");
  }
  Scheme scheme{.instance = {}, .context = param->context};
  const bool large = EVP_PKEY_is_a(key.pkey(), "ED448") == 1;
  if (large && !param->prehash && param->context.empty()) return scheme;
  const std::string curve = large ? "Ed448" : "Ed25519";
  scheme.instance = curve + (param->prehash ? "ph" : large ? "" : "ctx");
  return scheme;
}

Status SetScheme(EVP_PKEY_CTX* context, Scheme& scheme) {
  if (scheme.instance.empty()) return Done{};
  const OSSL_PARAM* settable = EVP_PKEY_CTX_settable_params(context);
  if (settable == nullptr || OSSL_PARAM_locate_const(settable, kInstance) == nullptr) {
    return Fail(Code::kMechanismParamInvalid, "CK_EDDSA_PARAMS needs OpenSSL 3.2");
  }
  // OpenSSL takes an empty string at no address for a mistake: no context is none.
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(kInstance, scheme.instance.data(), scheme.instance.size()),
      scheme.context.empty() ? OSSL_PARAM_construct_end()
                             : OSSL_PARAM_construct_octet_string(
                                   kContextString, scheme.context.data(), scheme.context.size()),
      OSSL_PARAM_construct_end()};
  if (EVP_PKEY_CTX_set_params(context, params) != 1) {
    return OpensslError(Code::kMechanismParamInvalid, "CK_EDDSA_PARAMS");
  }
  return Done{};
}

Result<EvpMdCtx> Begin(const Key& key, const wire::Mechanism& mechanism, bool sign) {
  KC_ASSIGN(Scheme scheme, SchemeOf(key, mechanism));
  EvpMdCtx context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* pkey_context = nullptr;  // the digest context's own
  const auto init = sign ? EVP_DigestSignInit_ex : EVP_DigestVerifyInit_ex;
  if (context == nullptr ||
      init(context.get(), &pkey_context, nullptr, Library(), nullptr, key.pkey(), nullptr) != 1) {
    return OpensslError("EdDSA");
  }
  KC_CHECK_OK(SetScheme(pkey_context, scheme));
  return context;
}

size_t SignatureSize(const Key& key) { return static_cast<size_t>(EVP_PKEY_get_size(key.pkey())); }

Result<Bytes> Sign(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_CHECK_OK(CheckPrivate(key, CKK_EC_EDWARDS));
  KC_ASSIGN(const EvpMdCtx context, Begin(key, mechanism, true));
  Bytes signature(SignatureSize(key));
  size_t size = signature.size();
  if (EVP_DigestSign(context.get(), signature.data(), &size, input.data(), input.size()) != 1) {
    return OpensslError("EdDSA");
  }
  signature.resize(size);
  return signature;
}

constexpr size_t kMaxLaneInput = size_t{16} << 10;  // bytes: a longer message holds up its group

Result<Bytes> LaneInput(const Key& /*key*/, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_CHECK_OK(ExpectNoParam(mechanism));
  if (input.empty() || input.size() > kMaxLaneInput) return Fail(Code::kUnsupported);
  return ToBytes(input);
}

Status Verify(const Key& key, const wire::Mechanism& mechanism, ByteSpan input,
              ByteSpan signature) {
  KC_CHECK_OK(CheckPublic(key, CKK_EC_EDWARDS));
  KC_ASSIGN(const EvpMdCtx context, Begin(key, mechanism, false));
  if (signature.size() != SignatureSize(key)) return Fail(Code::kSignatureLenRange);
  if (EVP_DigestVerify(context.get(), signature.data(), signature.size(), input.data(),
                       input.size()) != 1) {
    ERR_clear_error();
    return Fail(Code::kSignatureInvalid);
  }
  return Done{};
}

}  // namespace

constinit const MechFamily kEddsaFamily = {
    .name = "eddsa",
    .rows = kRows,
    .sign = Sign,
    .lane_input = LaneInput,
    .verify = Verify,
};

}  // namespace keyclave::mech
