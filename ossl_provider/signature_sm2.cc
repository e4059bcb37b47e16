// SM2 signatures (GB/T 32918): over SM3 of the signer's identity and key and the message, all of
// it hashed in the enclave; r and s in DER.

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "ossl_provider/params.h"
#include "ossl_provider/signature.h"

namespace keyclave::ossl {
namespace {

constexpr char kSm3[] = "SM3";
constexpr char kSm3Oid[] = "1.2.156.10197.1.401";
constexpr int kSm3Size = 32;
constexpr char kSm2WithSm3[] = "1.2.156.10197.1.501";  // GM/T 0006
constexpr size_t kMaxIdentity = 8191;                  // bytes: its length in bits has 16 bits

bool Takes(KeyFamily family) { return family == KeyFamily::kSm2; }

Status BeginSm2(SignatureContext& ctx) {
  ctx.settings = MessageSettings{};
  return Done{};
}

Status ChooseSm3(SignatureContext& /*ctx*/, const char* name) {
  if (name == nullptr || *name == '\0' || OPENSSL_strcasecmp(name, kSm3) == 0 ||
      std::string_view(name) == kSm3Oid) {
    return Done{};
  }
  return Fail(Code::kUnsupported, std::string("SM2 with the digest ") + name + ": only SM3");
}

Status SetSm2(SignatureContext& ctx, const OSSL_PARAM params[]) {
  KC_ASSIGN(const auto digest, TextParam(params, OSSL_SIGNATURE_PARAM_DIGEST));
  if (digest) KC_CHECK_OK(ChooseSm3(ctx, std::string(*digest).c_str()));
  KC_ASSIGN(auto identity, BytesParam(params, OSSL_PKEY_PARAM_DIST_ID));
  if (!identity) return Done{};
  if (identity->size() > kMaxIdentity)
    return Fail(Code::kInvalidArgument, "distid: at most 8191 bytes");
  ctx.settings.context = *std::move(identity);
  return Done{};
}

Status GetSm2(const SignatureContext& /*ctx*/, OSSL_PARAM params[]) {
  if (Asks(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID)) {
    KC_ASSIGN(const Bytes id, OwnAlgorithmId(kSm2WithSm3));
    KC_CHECK_OK(AnswerBytes(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID, id));
  }
  KC_CHECK_OK(AnswerInt(params, OSSL_SIGNATURE_PARAM_DIGEST_SIZE, kSm3Size));
  return AnswerText(params, OSSL_SIGNATURE_PARAM_DIGEST, kSm3);
}

// Without distid the identity is empty, as it is for the default provider.
Result<Bytes> SignSm2(const SignatureContext& ctx, const Input& input) {
  wire::Mechanism mechanism;
  mechanism.type = kCkmSm2Sm3;
  mechanism.bytes = ctx.settings.context;
  KC_ASSIGN(Bytes rs, ctx.key->Sign(ctx.context, std::move(mechanism), input.bytes));
  return EncodeRs(std::move(rs));
}

Result<bool> VerifySm2(const SignatureContext& ctx, ByteSpan signature, const Input& input) {
  Bytes identity = ctx.settings.context;
  const OSSL_PARAM params[] = {identity.empty()
                                   ? OSSL_PARAM_construct_end()
                                   : OSSL_PARAM_construct_octet_string(
                                         OSSL_PKEY_PARAM_DIST_ID, identity.data(), identity.size()),
                               OSSL_PARAM_construct_end()};
  return VerifyMessage(ctx, kSm3, params, signature, input.bytes);
}

const OSSL_PARAM kGettable[] = {
    OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, nullptr, 0),
    OSSL_PARAM_size_t(OSSL_SIGNATURE_PARAM_DIGEST_SIZE, nullptr),
    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, nullptr, 0), OSSL_PARAM_END};

const OSSL_PARAM kSettable[] = {OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, nullptr, 0),
                                OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_DIST_ID, nullptr, 0),
                                OSSL_PARAM_END};

}  // namespace

const Scheme kSm2Scheme{.takes = Takes,
                        .begin = BeginSm2,
                        .choose_digest = ChooseSm3,
                        .set = SetSm2,
                        .get = GetSm2,
                        .sign = SignSm2,
                        .verify = VerifySm2,
                        .settable = kSettable,
                        .gettable = kGettable};

}  // namespace keyclave::ossl
