// ECDSA signatures: the enclave answers r and s, OpenSSL wants them in DER.

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "ossl_provider/params.h"
#include "ossl_provider/signature.h"

namespace keyclave::ossl {
namespace {

bool Takes(KeyFamily family) { return family == KeyFamily::kEc; }

Status BeginEcdsa(SignatureContext& /*ctx*/) { return Done{}; }

Result<Bytes> SignEcdsa(const SignatureContext& ctx, const Input& input) {
  KC_CHECK_OK(CheckSize(ctx, input));
  wire::Mechanism mechanism;
  mechanism.type = input.whole ? ctx.digest->ecdsa : CKM_ECDSA;
  KC_ASSIGN(Bytes rs, ctx.key->Sign(ctx.context, std::move(mechanism), input.bytes));
  return EncodeRs(std::move(rs));
}

Result<bool> VerifyEcdsa(const SignatureContext& ctx, ByteSpan signature, const Input& input) {
  const EvpPkeyCtx pctx(
      EVP_PKEY_CTX_new_from_pkey(ctx.context.libctx(), ctx.key->public_key(), nullptr));
  if (pctx == nullptr || EVP_PKEY_verify_init(pctx.get()) != 1)
    return Fail(Code::kCryptoFailed, "preparing a verification");
  if (ctx.digest != nullptr) {
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST,
                                         const_cast<char*>(ctx.digest->name), 0),
        OSSL_PARAM_construct_end()};
    if (EVP_PKEY_CTX_set_params(pctx.get(), params) != 1)
      return Fail(Code::kInvalidArgument, "this digest of an ECDSA signature");
  }
  return EVP_PKEY_verify(pctx.get(), signature.data(), signature.size(), input.bytes.data(),
                         input.bytes.size()) == 1;
}

Status SetEcdsa(SignatureContext& ctx, const OSSL_PARAM params[]) { return SetDigest(ctx, params); }

Status GetEcdsa(const SignatureContext& ctx, OSSL_PARAM params[]) {
  if (Asks(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID)) {
    if (ctx.digest == nullptr) return Fail(Code::kInvalidArgument, "no digest is set");
    KC_ASSIGN(const Bytes id, PlainAlgorithmId(*ctx.digest, KeyFamily::kEc));
    KC_CHECK_OK(AnswerBytes(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID, id));
  }
  const int size = ctx.digest != nullptr ? static_cast<int>(HashSize(ctx.digest->algorithm)) : 0;
  KC_CHECK_OK(AnswerInt(params, OSSL_SIGNATURE_PARAM_DIGEST_SIZE, size));
  return AnswerText(params, OSSL_SIGNATURE_PARAM_DIGEST,
                    ctx.digest != nullptr ? ctx.digest->name : "");
}

const OSSL_PARAM kGettable[] = {
    OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, nullptr, 0),
    OSSL_PARAM_size_t(OSSL_SIGNATURE_PARAM_DIGEST_SIZE, nullptr),
    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, nullptr, 0), OSSL_PARAM_END};

const OSSL_PARAM kSettable[] = {OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, nullptr, 0),
                                OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PROPERTIES, nullptr, 0),
                                KC_SIGNATURE_TO_VERIFY, OSSL_PARAM_END};

}  // namespace

const Scheme kEcdsaScheme{.takes = Takes,
                          .signs_digests = true,
                          .begin = BeginEcdsa,
                          .choose_digest = ChooseAnyDigest,
                          .set = SetEcdsa,
                          .get = GetEcdsa,
                          .sign = SignEcdsa,
                          .verify = VerifyEcdsa,
                          .settable = kSettable,
                          .gettable = kGettable};

}  // namespace keyclave::ossl
