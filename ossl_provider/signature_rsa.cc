// RSA signatures: the enclave hashes and encodes, or is given the digest: for PKCS #1 v1.5 in a
// DigestInfo made here.

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include "ossl_provider/params.h"
#include "ossl_provider/signature.h"

namespace keyclave::ossl {
namespace {

constexpr NamedNumber kPaddings[] = {{OSSL_PKEY_RSA_PAD_MODE_PKCSV15, RSA_PKCS1_PADDING},
                                     {OSSL_PKEY_RSA_PAD_MODE_PSS, RSA_PKCS1_PSS_PADDING}};
constexpr NamedNumber kSalts[] = {
    {OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST, RSA_PSS_SALTLEN_DIGEST},
    {OSSL_PKEY_RSA_PSS_SALT_LEN_MAX, RSA_PSS_SALTLEN_MAX},
    {OSSL_PKEY_RSA_PSS_SALT_LEN_AUTO, RSA_PSS_SALTLEN_AUTO},
    // OpenSSL 3.1 and later: the digest's size, or less where the key is too small.
    {"auto-digestmax", -4}};
constexpr int kLowestSalt = -4;

bool Takes(KeyFamily family) { return family == KeyFamily::kRsa || family == KeyFamily::kRsaPss; }

// A digest that an RSA-PSS key restricts its signatures to; nullptr if it does not.
Result<const Digest*> Restriction(const SignatureContext& ctx, const char* name) {
  char text[64] = "";
  size_t size = 0;
  const ErrorMark mark(ctx.context.core());
  if (EVP_PKEY_get_utf8_string_param(ctx.key->public_key(), name, text, sizeof(text), &size) != 1 ||
      text[0] == '\0') {
    return static_cast<const Digest*>(nullptr);
  }
  return RequireDigest(text);
}

Status BeginRsa(SignatureContext& ctx) {
  ctx.rsa = RsaSettings{.padding = RSA_PKCS1_PADDING, .salt_length = RSA_PSS_SALTLEN_AUTO};
  if (ctx.key->type() != KeyType::kRsaPss) return Done{};
  ctx.rsa.padding = RSA_PKCS1_PSS_PADDING;
  KC_ASSIGN(ctx.rsa.only_digest, Restriction(ctx, OSSL_PKEY_PARAM_RSA_DIGEST));
  if (ctx.rsa.only_digest == nullptr) return Done{};
  KC_ASSIGN(ctx.rsa.only_mgf1, Restriction(ctx, OSSL_PKEY_PARAM_RSA_MGF1_DIGEST));
  if (ctx.rsa.only_mgf1 == nullptr) ctx.rsa.only_mgf1 = ctx.rsa.only_digest;
  int salt = 0;
  const ErrorMark mark(ctx.context.core());
  if (EVP_PKEY_get_int_param(ctx.key->public_key(), OSSL_PKEY_PARAM_RSA_PSS_SALTLEN, &salt) == 1) {
    ctx.rsa.min_salt_length = salt;
    ctx.rsa.salt_length = salt;
  }
  ctx.digest = ctx.rsa.only_digest;
  ctx.rsa.mgf1 = ctx.rsa.only_mgf1;
  return Done{};
}

const Digest& Mgf1(const SignatureContext& ctx) {
  return ctx.rsa.mgf1 != nullptr ? *ctx.rsa.mgf1 : *ctx.digest;
}

// The salt's length in bytes for a signature now.
Result<int> SaltLength(const SignatureContext& ctx) {
  const int digest = static_cast<int>(HashSize(ctx.digest->algorithm));
  const int bits = EVP_PKEY_get_bits(ctx.key->public_key());
  const int most = (bits - 1 + 7) / 8 - digest - 2;  // RFC 8017 §9.1.1: emLen - hLen - 2
  int salt = ctx.rsa.salt_length;
  if (salt == RSA_PSS_SALTLEN_DIGEST) salt = digest;
  if (salt == RSA_PSS_SALTLEN_MAX || salt == RSA_PSS_SALTLEN_AUTO) salt = most;
  if (salt == kLowestSalt) salt = std::min(digest, most);
  if (salt < ctx.rsa.min_salt_length || salt > most)
    return Fail(Code::kInvalidArgument, "PSS salt length " + std::to_string(salt));
  return salt;
}

Result<Bytes> SignRsa(const SignatureContext& ctx, const Input& input) {
  KC_CHECK_OK(CheckSize(ctx, input));
  wire::Mechanism mechanism;
  if (ctx.rsa.padding == RSA_PKCS1_PADDING) {
    mechanism.type = input.whole ? ctx.digest->rsa_pkcs1 : CKM_RSA_PKCS;
    // Without a digest the caller's block is padded as it is, as OpenSSL does.
    if (input.whole || ctx.digest == nullptr)
      return ctx.key->Sign(ctx.context, std::move(mechanism), input.bytes);
    KC_ASSIGN(const Bytes info, DigestInfo(*ctx.digest, input.bytes));
    return ctx.key->Sign(ctx.context, std::move(mechanism), info);
  }
  if (ctx.digest == nullptr) return Fail(Code::kInvalidArgument, "PSS needs a digest");
  KC_ASSIGN(const int salt, SaltLength(ctx));
  mechanism.type = input.whole ? ctx.digest->rsa_pss : CKM_RSA_PKCS_PSS;
  mechanism.pss = wire::PssParam{.hash = ctx.digest->mechanism,
                                 .mgf = Mgf1(ctx).mgf,
                                 .salt_length = static_cast<uint64_t>(salt)};
  return ctx.key->Sign(ctx.context, std::move(mechanism), input.bytes);
}

// The public key's operation, prepared in the own library context.
Result<EvpPkeyCtx> PublicOperation(const SignatureContext& ctx, int (*init)(EVP_PKEY_CTX*)) {
  EvpPkeyCtx pctx(EVP_PKEY_CTX_new_from_pkey(ctx.context.libctx(), ctx.key->public_key(), nullptr));
  if (pctx == nullptr || init(pctx.get()) != 1)
    return Fail(Code::kCryptoFailed, "preparing a verification");
  OSSL_PARAM params[5];
  size_t count = 0;
  int padding = ctx.rsa.padding;
  int salt = ctx.rsa.salt_length;
  if (ctx.digest != nullptr) {
    params[count++] = OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST,
                                                       const_cast<char*>(ctx.digest->name), 0);
  }
  params[count++] = OSSL_PARAM_construct_int(OSSL_SIGNATURE_PARAM_PAD_MODE, &padding);
  if (padding == RSA_PKCS1_PSS_PADDING) {
    params[count++] = OSSL_PARAM_construct_int(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, &salt);
    if (ctx.digest != nullptr) {
      params[count++] = OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST,
                                                         const_cast<char*>(Mgf1(ctx).name), 0);
    }
  }
  params[count] = OSSL_PARAM_construct_end();
  if (EVP_PKEY_CTX_set_params(pctx.get(), params) != 1)
    return Fail(Code::kInvalidArgument, "these parameters of an RSA signature");
  return pctx;
}

Result<bool> VerifyRsa(const SignatureContext& ctx, ByteSpan signature, const Input& input) {
  KC_ASSIGN(const EvpPkeyCtx pctx, PublicOperation(ctx, EVP_PKEY_verify_init));
  return EVP_PKEY_verify(pctx.get(), signature.data(), signature.size(), input.bytes.data(),
                         input.bytes.size()) == 1;
}

Result<Bytes> RecoverRsa(const SignatureContext& ctx, ByteSpan signature) {
  KC_ASSIGN(const EvpPkeyCtx pctx, PublicOperation(ctx, EVP_PKEY_verify_recover_init));
  Bytes recovered(ctx.key->max_output());
  size_t size = recovered.size();
  if (EVP_PKEY_verify_recover(pctx.get(), recovered.data(), &size, signature.data(),
                              signature.size()) != 1) {
    return Fail(Code::kSignatureInvalid);
  }
  recovered.resize(size);
  return recovered;
}

Status SetPadding(SignatureContext& ctx, const OSSL_PARAM params[]) {
  KC_ASSIGN(const auto padding, NamedParam(params, OSSL_SIGNATURE_PARAM_PAD_MODE, kPaddings));
  if (!padding) return Done{};
  if (*padding != RSA_PKCS1_PADDING && *padding != RSA_PKCS1_PSS_PADDING)
    return Fail(Code::kUnsupported, "RSA signatures other than PKCS #1 v1.5 and PSS");
  if (*padding == RSA_PKCS1_PSS_PADDING && ctx.operation == Operation::kVerifyRecover)
    return Fail(Code::kUnsupported, "recovering a PSS signature");
  if (*padding != RSA_PKCS1_PSS_PADDING && ctx.key != nullptr &&
      ctx.key->type() == KeyType::kRsaPss) {
    return Fail(Code::kInvalidArgument, "an RSA-PSS key signs with PSS only");
  }
  ctx.rsa.padding = *padding;
  return Done{};
}

Status SetRsa(SignatureContext& ctx, const OSSL_PARAM params[]) {
  KC_CHECK_OK(SetDigest(ctx, params));
  if (ctx.rsa.only_digest != nullptr && ctx.digest != ctx.rsa.only_digest)
    return Fail(Code::kInvalidArgument, "the key is for another digest");
  KC_CHECK_OK(SetPadding(ctx, params));
  KC_ASSIGN(const auto salt, NamedParam(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN, kSalts));
  KC_ASSIGN(const auto mgf1, TextParam(params, OSSL_SIGNATURE_PARAM_MGF1_DIGEST));
  if ((salt || mgf1) && ctx.rsa.padding != RSA_PKCS1_PSS_PADDING)
    return Fail(Code::kInvalidArgument, "salt length and MGF1 digest are for PSS");
  if (salt) {
    if (*salt < kLowestSalt) return Fail(Code::kInvalidArgument, "PSS salt length");
    ctx.rsa.salt_length = *salt;
  }
  if (mgf1) {
    KC_ASSIGN(ctx.rsa.mgf1, RequireDigest(*mgf1));
    if (ctx.rsa.only_mgf1 != nullptr && ctx.rsa.mgf1 != ctx.rsa.only_mgf1)
      return Fail(Code::kInvalidArgument, "the key is for another MGF1 digest");
  }
  // OpenSSL's own default, so that both ends of a command line agree.
  if (ctx.rsa.padding == RSA_PKCS1_PSS_PADDING && ctx.digest == nullptr &&
      Asks(params, OSSL_SIGNATURE_PARAM_PAD_MODE)) {
    KC_ASSIGN(ctx.digest, RequireDigest("SHA1"));
  }
  return Done{};
}

Result<Bytes> AlgorithmId(const SignatureContext& ctx) {
  if (ctx.digest == nullptr) return Fail(Code::kInvalidArgument, "no digest is set");
  if (ctx.rsa.padding == RSA_PKCS1_PADDING) return PlainAlgorithmId(*ctx.digest, KeyFamily::kRsa);
  KC_ASSIGN(const int salt, SaltLength(ctx));
  return PssAlgorithmId(*ctx.digest, Mgf1(ctx), salt);
}

Status GetRsa(const SignatureContext& ctx, OSSL_PARAM params[]) {
  if (Asks(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID)) {
    KC_ASSIGN(const Bytes id, AlgorithmId(ctx));
    KC_CHECK_OK(AnswerBytes(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID, id));
  }
  KC_CHECK_OK(AnswerNamed(params, OSSL_SIGNATURE_PARAM_PAD_MODE, ctx.rsa.padding, kPaddings));
  KC_CHECK_OK(AnswerNamed(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN, ctx.rsa.salt_length, kSalts));
  const char* digest = ctx.digest != nullptr ? ctx.digest->name : "";
  KC_CHECK_OK(AnswerText(params, OSSL_SIGNATURE_PARAM_DIGEST, digest));
  const char* mgf1 = ctx.rsa.mgf1 != nullptr ? ctx.rsa.mgf1->name : digest;
  return AnswerText(params, OSSL_SIGNATURE_PARAM_MGF1_DIGEST, mgf1);
}

const OSSL_PARAM kGettable[] = {
    OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, nullptr, 0),
    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, nullptr, 0),
    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, nullptr, 0),
    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, nullptr, 0),
    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, nullptr, 0),
    OSSL_PARAM_END};

const OSSL_PARAM kSettable[] = {
    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, nullptr, 0),
    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PROPERTIES, nullptr, 0),
    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, nullptr, 0),
    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, nullptr, 0),
    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, nullptr, 0),
    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_PROPERTIES, nullptr, 0),
    KC_SIGNATURE_TO_VERIFY,
    OSSL_PARAM_END};

}  // namespace

const Scheme kRsaScheme{.takes = Takes,
                        .signs_digests = true,
                        .begin = BeginRsa,
                        .choose_digest = ChooseAnyDigest,
                        .set = SetRsa,
                        .get = GetRsa,
                        .sign = SignRsa,
                        .verify = VerifyRsa,
                        .recover = RecoverRsa,
                        .settable = kSettable,
                        .gettable = kGettable};

}  // namespace keyclave::ossl
