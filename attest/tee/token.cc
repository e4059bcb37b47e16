// Tokens of attestation services: a service verified the hardware's evidence, and vouches for what
// it found. Evidence is the token's text (JWT, compact). Who may issue it and under which keys is
// configured (TokenIssuer); what families there are and how each is bound to a session is in
// attest/token/family.h.
//
// Times: `nbf` and `iat` may not be in the future and `exp` not in the past, give or take the
// issuer's skew. A token without `exp` (EAR need not have one) is good for as long as
// kMaxAgeWithoutExpiry after its `iat`, which it then must have. On a session an expired token is
// refused; of a file its age is a claim (token.expired).

#include <nlohmann/json.hpp>

#include "attest/produce/produce.h"
#include "attest/strict_json.h"
#include "attest/tee_type.h"
#include "attest/token/describe.h"
#include "attest/token/family.h"
#include "attest/token/issuer.h"

namespace keyclave::attest {
namespace {

using nlohmann::json;
using token::Token;

constexpr UnixTime kMaxAgeWithoutExpiry = 300;
// 9999-12-31: a number of seconds above it is none of a date, and sums below it do not overflow.
constexpr UnixTime kLatest = 253'402'300'799;

Result<std::any> Parse(ByteSpan bytes) {
  auto parsed = token::ParseToken(bytes);
  if (!parsed.ok()) return Fail(Code::kEvidenceMalformed, "token: " + parsed.error().Text());
  return std::any(*std::move(parsed));
}

// RFC 7519 §2, NumericDate: seconds, which may have a fraction. nullopt if it is absent.
Result<std::optional<UnixTime>> TimeMember(const json& payload, const char* name) {
  const auto found = payload.find(name);
  if (found == payload.end()) return std::optional<UnixTime>();
  const double seconds = found->is_number() ? found->get<double>() : -1;
  if (!(seconds >= 0 && seconds <= static_cast<double>(kLatest)))
    return Fail(Code::kEvidenceMalformed, std::string(name) + " is no time");
  return std::optional<UnixTime>(static_cast<UnixTime>(seconds));
}

struct Times {
  std::optional<UnixTime> issued;
  std::optional<UnixTime> not_before;
  std::optional<UnixTime> expires;
};

Result<Times> ReadTimes(const json& payload) {
  Times times;
  KC_ASSIGN(times.issued, TimeMember(payload, "iat"));
  KC_ASSIGN(times.not_before, TimeMember(payload, "nbf"));
  KC_ASSIGN(times.expires, TimeMember(payload, "exp"));
  return times;
}

// Whether it has expired; kEvidenceTime if it is not valid yet.
Result<bool> CheckTimes(const Times& times, int64_t skew, bool session, UnixTime now) {
  for (const auto& start : {times.issued, times.not_before}) {
    if (start.has_value() && *start > now + skew)
      return FailWanted(Code::kEvidenceTime, "token", "valid from " + FormatTime(*start),
                        FormatTime(now));
  }
  std::optional<UnixTime> end = times.expires;
  if (!end.has_value() && session) {
    if (!times.issued.has_value())
      return Fail(Code::kEvidenceTime, "a token that says neither when it was issued nor its end");
    end = *times.issued + kMaxAgeWithoutExpiry;
  }
  const bool expired = end.has_value() && now >= *end + skew;
  if (expired && session)
    return FailWanted(Code::kEvidenceTime, "token", "valid until " + FormatTime(*end),
                      FormatTime(now));
  return expired;
}

Status CheckBinding(const std::vector<Bytes>& fields, const ExpectedBinding& binding,
                    const TokenIssuer& issuer) {
  if (fields.empty() && binding.for_session()) {
    if (issuer.unbound) return Done{};
    return Fail(Code::kEvidenceUnbound, "the token holds nothing of the session");
  }
  if (fields.empty()) return binding.Check({});
  std::optional<Error> refused;
  for (const Bytes& field : fields) {
    Status bound = binding.Check(field);
    if (bound.ok()) return Done{};
    // The first place is where the family's hardware puts it: of that people are told.
    if (!refused.has_value()) refused = std::move(bound).error();
  }
  return *std::move(refused);
}

std::vector<std::string> Audiences(const json& payload) {
  std::vector<std::string> list;
  const auto found = payload.find("aud");
  if (found == payload.end()) return list;
  if (found->is_string()) list.push_back(found->get<std::string>());
  if (found->is_array()) {
    for (const json& one : *found) {
      if (one.is_string()) list.push_back(one.get<std::string>());
    }
  }
  return list;
}

void SetTokenClaims(const json& payload, const Times& times, ClaimSet& claims) {
  claims.Set("tee", std::string("token"));
  if (auto issuer = TextMember(payload, "iss"); issuer.has_value())
    claims.Set("token.issuer", *std::move(issuer));
  if (times.expires.has_value()) claims.Set("token.expires", FormatTime(*times.expires));
  if (times.issued.has_value()) claims.Set("token.issued", FormatTime(*times.issued));
  if (auto list = Audiences(payload); !list.empty()) claims.Set("token.audience", std::move(list));
}

Result<ClaimSet> Verify(const std::any& parsed, const VerifyContext& context) {
  const auto& evidence = std::any_cast<const Token&>(parsed);
  const json& payload = *evidence.payload;
  KC_ASSIGN(const TokenIssuer* const issuer, VerifyIssuer(evidence, context));
  const token::Family* family = token::FindFamily(payload);
  if (family == nullptr)
    return Fail(Code::kEvidenceMalformed,
                "a token of no known family: Azure MAA, Intel Trust Authority, Trustee or Veraison "
                "(EAR), Google Confidential Space");
  KC_ASSIGN(ClaimSet claims, family->claims(payload));
  KC_ASSIGN(const Times times, ReadTimes(payload));
  KC_ASSIGN(const bool expired,
            CheckTimes(times, issuer->skew, context.binding.for_session(), context.now));
  const std::vector<Bytes> bindings = family->bindings(payload);
  KC_CHECK_OK(CheckBinding(bindings, context.binding, *issuer));
  SetTokenClaims(payload, times, claims);
  claims.Set("token.family", std::string(family->name));
  claims.Set("token.expired", expired);
  claims.Set("token.bound", !bindings.empty());
  return claims;
}

// The header of a token is an object that begins with a name, and so the text does so.
bool Recognises(ByteSpan bytes) {
  return AsText(bytes).starts_with("ey") && token::ParseToken(bytes).ok();
}

std::vector<Field> Describe(const std::any& parsed) {
  return token::DescribeToken(std::any_cast<const Token&>(parsed));
}

Result<Bytes> Produce(const ReportData& report_data, const ProducerConfig& config,
                      UnixTime /*now*/) {
  return ProduceToken(report_data, config);
}

}  // namespace

extern const TeeType kTokenTee;
const TeeType kTokenTee = {"token", Recognises, Parse, Verify, Describe, Produce};

}  // namespace keyclave::attest
