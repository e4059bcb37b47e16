#include "enclave/mech/context_sign.h"

#include <openssl/err.h>
#include <openssl/params.h>

#include <algorithm>

#include "enclave/mech/checks.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/parameter_set.h"

namespace keyclave::mech {
namespace {

constexpr size_t kMaxContext = 255;                         // FIPS 204 §5.2
constexpr uint64_t kNoDigest = CK_UNAVAILABLE_INFORMATION;  // no such mechanism
// Parameters of a signature that headers before 3.5 do not name.
constexpr const char* kContextString = "context-string";
constexpr const char* kDeterministic = "deterministic";
constexpr const char* kMessageEncoding = "message-encoding";

constexpr PreHashAlg kPreHashes[] = {
    {"SHA2-256", 32, 1, CKM_SHA256, CKM_HASH_ML_DSA_SHA256, CKM_HASH_SLH_DSA_SHA256},
    {"SHA2-384", 48, 2, CKM_SHA384, CKM_HASH_ML_DSA_SHA384, CKM_HASH_SLH_DSA_SHA384},
    {"SHA2-512", 64, 3, CKM_SHA512, CKM_HASH_ML_DSA_SHA512, CKM_HASH_SLH_DSA_SHA512},
    {"SHA2-224", 28, 4, CKM_SHA224, CKM_HASH_ML_DSA_SHA224, CKM_HASH_SLH_DSA_SHA224},
    {"SHA3-224", 28, 7, CKM_SHA3_224, CKM_HASH_ML_DSA_SHA3_224, CKM_HASH_SLH_DSA_SHA3_224},
    {"SHA3-256", 32, 8, CKM_SHA3_256, CKM_HASH_ML_DSA_SHA3_256, CKM_HASH_SLH_DSA_SHA3_256},
    {"SHA3-384", 48, 9, CKM_SHA3_384, CKM_HASH_ML_DSA_SHA3_384, CKM_HASH_SLH_DSA_SHA3_384},
    {"SHA3-512", 64, 10, CKM_SHA3_512, CKM_HASH_ML_DSA_SHA3_512, CKM_HASH_SLH_DSA_SHA3_512},
    {"SHAKE-128", 32, 11, kNoDigest, CKM_HASH_ML_DSA_SHAKE128, CKM_HASH_SLH_DSA_SHAKE128},
    {"SHAKE-256", 64, 12, kNoDigest, CKM_HASH_ML_DSA_SHAKE256, CKM_HASH_SLH_DSA_SHAKE256},
};

// What is signed, and how.
struct Scheme {
  bool deterministic = false;
  Bytes context;
  const PreHashAlg* hash = nullptr;  // nullptr: the pure scheme
  bool hashed = false;               // the input is the digest already
};

const PreHashAlg* FindPreHash(uint64_t PreHashAlg::*column, uint64_t number) {
  const auto* found = std::find_if(std::begin(kPreHashes), std::end(kPreHashes),
                                   [&](const PreHashAlg& hash) { return hash.*column == number; });
  return found == std::end(kPreHashes) || number == kNoDigest ? nullptr : found;
}

Status ReadParam(const wire::SignContextParam& param, Scheme& scheme) {
  if (param.context.size() > kMaxContext) {
    return Fail(Code::kMechanismParamInvalid, "ulContextLen: at most 255");
  }
  if (param.hedge > CKH_DETERMINISTIC_REQUIRED) {
    return Fail(Code::kMechanismParamInvalid, "hedgeVariant");
  }
  scheme.context = param.context;
  scheme.deterministic = param.hedge == CKH_DETERMINISTIC_REQUIRED;
  return Done{};
}

Result<Scheme> SchemeOf(const wire::Mechanism& mechanism) {
  Scheme scheme;
  scheme.hashed = mechanism.type == CKM_HASH_ML_DSA || mechanism.type == CKM_HASH_SLH_DSA;
  scheme.hash = FindPreHash(&PreHashAlg::ml_dsa, mechanism.type);
  if (scheme.hash == nullptr) scheme.hash = FindPreHash(&PreHashAlg::slh_dsa, mechanism.type);
  // Without parameter: hedged, and no context (v3.2 §6.67.5).
  if (!scheme.hashed && ExpectNoParam(mechanism).ok()) return scheme;
  KC_ASSIGN(const wire::SignContextParam* param,
            ExpectShape(mechanism, &wire::Mechanism::sign_context));
  KC_CHECK_OK(ReadParam(*param, scheme));
  if (!scheme.hashed) {
    if (param->hash != 0) return Fail(Code::kMechanismParamInvalid, "the mechanism names its hash");
    return scheme;
  }
  scheme.hash = FindPreHash(&PreHashAlg::digest, param->hash);
  if (scheme.hash == nullptr) return Fail(Code::kMechanismParamInvalid, "hash");
  return scheme;
}

Result<Bytes> Digest(const PreHashAlg& hash, ByteSpan message) {
  const Owned<EVP_MD, EVP_MD_free> md(EVP_MD_fetch(Library(), hash.name, nullptr));
  const EvpMdCtx context(EVP_MD_CTX_new());
  Bytes digest(hash.size);
  if (!md || !context || EVP_DigestInit_ex2(context.get(), md.get(), nullptr) != 1 ||
      EVP_DigestUpdate(context.get(), message.data(), message.size()) != 1) {
    return OpensslError("digest");
  }
  const bool xof = (EVP_MD_get_flags(md.get()) & EVP_MD_FLAG_XOF) != 0;
  const int done = xof ? EVP_DigestFinalXOF(context.get(), digest.data(), digest.size())
                       : EVP_DigestFinal_ex(context.get(), digest.data(), nullptr);
  if (done != 1) return OpensslError("digest");
  return digest;
}

// What OpenSSL is given: the message; or M' of a pre-hashed scheme (FIPS 204 algorithm 4, step 23).
Result<Bytes> ToSign(const Scheme& scheme, ByteSpan input) {
  if (scheme.hash == nullptr) return ToBytes(input);
  if (scheme.hashed && input.size() != scheme.hash->size) return Fail(Code::kDataLenRange);
  Bytes digest = ToBytes(input);
  if (!scheme.hashed) {
    KC_ASSIGN(digest, Digest(*scheme.hash, input));
  }
  Bytes message = {1, static_cast<uint8_t>(scheme.context.size())};
  message.insert(message.end(), scheme.context.begin(), scheme.context.end());
  for (const int byte : {0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02}) {
    message.push_back(static_cast<uint8_t>(byte));
  }
  message.push_back(scheme.hash->last_arc);
  message.insert(message.end(), digest.begin(), digest.end());
  return message;
}

Status SetScheme(EVP_PKEY_CTX* context, const Scheme& scheme, bool sign) {
  Bytes context_string = scheme.context;
  int deterministic = scheme.deterministic ? 1 : 0;
  int encoding = scheme.hash == nullptr ? 1 : 0;  // 0: the message has its form already
  std::vector<OSSL_PARAM> params = {OSSL_PARAM_construct_int(kMessageEncoding, &encoding)};
  if (scheme.hash == nullptr && !context_string.empty()) {
    params.push_back(OSSL_PARAM_construct_octet_string(kContextString, context_string.data(),
                                                       context_string.size()));
  }
  if (sign) params.push_back(OSSL_PARAM_construct_int(kDeterministic, &deterministic));
  params.push_back(OSSL_PARAM_construct_end());
  if (EVP_PKEY_CTX_set_params(context, params.data()) != 1) {
    return OpensslError("CK_SIGN_ADDITIONAL_CONTEXT");
  }
  return Done{};
}

Result<EvpMdCtx> Begin(const Key& key, const Scheme& scheme, bool sign) {
  EvpMdCtx context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* pkey_context = nullptr;  // the digest context's own
  const auto init = sign ? EVP_DigestSignInit_ex : EVP_DigestVerifyInit_ex;
  if (context == nullptr ||
      init(context.get(), &pkey_context, nullptr, Library(), nullptr, key.pkey(), nullptr) != 1) {
    return OpensslError("setting up a signature");
  }
  KC_CHECK_OK(SetScheme(pkey_context, scheme, sign));
  return context;
}

}  // namespace

std::span<const PreHashAlg> AllPreHashes() { return std::span(kPreHashes); }

Result<Bytes> SignInContext(uint64_t key_type, const Key& key, const wire::Mechanism& mechanism,
                            ByteSpan input) {
  KC_CHECK_OK(CheckPrivate(key, key_type));
  KC_ASSIGN(const Scheme scheme, SchemeOf(mechanism));
  KC_ASSIGN(const Bytes message, ToSign(scheme, input));
  KC_ASSIGN(const EvpMdCtx context, Begin(key, scheme, true));
  Bytes signature(ParameterSetOf(key_type, key.pkey())->output_size);
  size_t size = signature.size();
  if (EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) != 1) {
    return OpensslError("signing");
  }
  signature.resize(size);
  return signature;
}

Status VerifyInContext(uint64_t key_type, const Key& key, const wire::Mechanism& mechanism,
                       ByteSpan input, ByteSpan signature) {
  KC_CHECK_OK(CheckPublic(key, key_type));
  KC_ASSIGN(const Scheme scheme, SchemeOf(mechanism));
  KC_ASSIGN(const Bytes message, ToSign(scheme, input));
  if (signature.size() != ParameterSetOf(key_type, key.pkey())->output_size) {
    return Fail(Code::kSignatureLenRange);
  }
  KC_ASSIGN(const EvpMdCtx context, Begin(key, scheme, false));
  if (EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(),
                       message.size()) != 1) {
    ERR_clear_error();
    return Fail(Code::kSignatureInvalid);
  }
  return Done{};
}

}  // namespace keyclave::mech
