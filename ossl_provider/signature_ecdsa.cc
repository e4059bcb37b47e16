// ECDSA signatures: the enclave answers r and s, OpenSSL wants them in DER.

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <openssl/core_names.h>
#include <openssl/params.h>

#include "ossl_provider/params.h"
#include "ossl_provider/signature.h"

namespace keyclave::ossl {
namespace {

bool Takes(KeyType type) { return type == KeyType::kEc; }

Status BeginEcdsa(SignatureContext& /*ctx*/) { return Done{}; }

Result<Bytes> EncodeRs(Bytes rs) {
  if (rs.empty() || rs.size() % 2 != 0)
    return Fail(Code::kReplyMismatch, "an ECDSA signature of odd size");
  const auto half = static_cast<unsigned int>(rs.size() / 2);
  const gnutls_datum_t r{rs.data(), half};
  const gnutls_datum_t s{rs.data() + half, half};
  gnutls_datum_t out{nullptr, 0};
  if (gnutls_encode_rs_value(&out, &r, &s) < 0)
    return Fail(Code::kCryptoFailed, "encoding an ECDSA signature");
  Bytes der = ToBytes(ByteSpan(out.data, out.size));
  gnutls_free(out.data);
  return der;
}

Result<Bytes> SignEcdsa(const SignatureContext& ctx, const Input& input) {
  KC_CHECK_OK(CheckSize(ctx, input));
  wire::Mechanism mechanism;
  mechanism.type = input.whole ? ctx.digest->ecdsa : CKM_ECDSA;
  KC_ASSIGN(Bytes rs, ctx.key->Sign(ctx.context, std::move(mechanism), input.bytes));
  return EncodeRs(std::move(rs));
}

Status PrepareEcdsa(const SignatureContext& ctx, EVP_PKEY_CTX* verify) {
  if (ctx.digest == nullptr) return Done{};
  const ErrorMark mark(ctx.context.core());
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST,
                                       const_cast<char*>(ctx.digest->name), 0),
      OSSL_PARAM_construct_end()};
  if (EVP_PKEY_CTX_set_params(verify, params) != 1)
    return Fail(Code::kInvalidArgument, "this digest of an ECDSA signature");
  return Done{};
}

Status SetEcdsa(SignatureContext& ctx, const OSSL_PARAM params[]) { return SetDigest(ctx, params); }

Status GetEcdsa(const SignatureContext& ctx, OSSL_PARAM params[]) {
  if (Asks(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID)) {
    if (ctx.digest == nullptr) return Fail(Code::kInvalidArgument, "no digest is set");
    KC_ASSIGN(const Bytes id, PlainAlgorithmId(*ctx.digest, KeyType::kEc));
    KC_CHECK_OK(AnswerBytes(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID, id));
  }
  const int size = ctx.digest != nullptr ? static_cast<int>(HashSize(ctx.digest->algorithm)) : 0;
  KC_CHECK_OK(AnswerInt(params, OSSL_SIGNATURE_PARAM_DIGEST_SIZE, size));
  return AnswerText(params, OSSL_SIGNATURE_PARAM_DIGEST,
                    ctx.digest != nullptr ? ctx.digest->name : "");
}

}  // namespace

const Scheme kEcdsaScheme{.takes = Takes,
                          .begin = BeginEcdsa,
                          .set = SetEcdsa,
                          .get = GetEcdsa,
                          .sign = SignEcdsa,
                          .prepare = PrepareEcdsa};

Status CheckSize(const SignatureContext& ctx, const Input& input) {
  if (input.whole || ctx.digest == nullptr ||
      input.bytes.size() == HashSize(ctx.digest->algorithm)) {
    return Done{};
  }
  return Fail(Code::kDataLenRange, std::string("not a digest of ") + ctx.digest->name);
}

Status SetDigest(SignatureContext& ctx, const OSSL_PARAM params[]) {
  KC_ASSIGN(const auto name, TextParam(params, OSSL_SIGNATURE_PARAM_DIGEST));
  if (!name || name->empty()) return Done{};
  KC_ASSIGN(const Digest* digest, RequireDigest(*name));
  if (ctx.digest_fixed && digest != ctx.digest)
    return Fail(Code::kInvalidArgument, "the digest cannot be changed any more");
  ctx.digest = digest;
  return Done{};
}

}  // namespace keyclave::ossl
