// What RSA and ECDSA have in common: they sign the digest of a message.

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <openssl/core_names.h>

#include "ossl_provider/params.h"
#include "ossl_provider/signature.h"

namespace keyclave::ossl {

Status ChooseAnyDigest(SignatureContext& ctx, const char* name) {
  const bool named = name != nullptr && *name != '\0';
  // An RSA-PSS key that knows its digest comes with it.
  if (ctx.digest != nullptr && !named) return Done{};
  KC_ASSIGN(const Digest* digest, RequireDigest(named ? name : "SHA2-256"));
  if (ctx.rsa.only_digest != nullptr && digest != ctx.rsa.only_digest)
    return Fail(Code::kInvalidArgument, "the key is for another digest than " + std::string(name));
  ctx.digest = digest;
  return Done{};
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

Status CheckSize(const SignatureContext& ctx, const Input& input) {
  if (input.whole || ctx.digest == nullptr ||
      input.bytes.size() == HashSize(ctx.digest->algorithm)) {
    return Done{};
  }
  return Fail(Code::kDataLenRange, std::string("not a digest of ") + ctx.digest->name);
}

Result<Bytes> EncodeRs(Bytes rs) {
  if (rs.empty() || rs.size() % 2 != 0)
    return Fail(Code::kReplyMismatch, "a signature of odd size");
  const auto half = static_cast<unsigned int>(rs.size() / 2);
  const gnutls_datum_t r{rs.data(), half};
  const gnutls_datum_t s{rs.data() + half, half};
  gnutls_datum_t out{nullptr, 0};
  if (gnutls_encode_rs_value(&out, &r, &s) < 0)
    return Fail(Code::kCryptoFailed, "encoding a signature");
  Bytes der = ToBytes(ByteSpan(out.data, out.size));
  gnutls_free(out.data);
  return der;
}

}  // namespace keyclave::ossl
