#include "enclave/ctl/offline_caller.h"

#include "attest/claim_names.h"
#include "enclave/authz/set_document.h"
#include "enclave/base/file.h"

namespace keyclave::ctl {
namespace {

using attest::ClaimSet;
using attest::ClaimType;
using attest::ClaimValue;

constexpr size_t kMaxSet = size_t{1} << 20;  // bytes
const std::string kChannel = "the channel, not attested";

Result<ClaimValue> ReadValue(const YamlValue& yaml, const attest::ClaimInfo& info) {
  if (yaml.IsList()) {
    KC_ASSIGN(const std::vector<YamlValue> items, yaml.AsList());
    std::vector<std::string> texts;
    for (const YamlValue& item : items) {
      KC_ASSIGN(texts.emplace_back(), item.AsText());
    }
    return ClaimValue(std::move(texts));
  }
  if (info.type == ClaimType::kBool || info.type == ClaimType::kOpen) {
    const auto flag = yaml.AsBool();
    if (flag.ok()) return ClaimValue(*flag);
    if (info.type == ClaimType::kBool) return flag.error();
  }
  if (info.type == ClaimType::kInteger || info.type == ClaimType::kOpen) {
    const auto number = yaml.AsInt(INT64_MIN, INT64_MAX);
    if (number.ok()) return ClaimValue(*number);
    if (info.type == ClaimType::kInteger) return number.error();
  }
  KC_ASSIGN(std::string text, yaml.AsText());
  if (info.type == ClaimType::kTee && !attest::IsTeeName(text))
    return yaml.Bad("no such TEE (known: " + attest::KnownTees() + ")");
  if (info.type == ClaimType::kTcb && !attest::IsTcbStatus(text))
    return yaml.Bad("no such status (known: " + attest::KnownTcbStatuses() + ")");
  return ClaimValue(std::move(text));
}

}  // namespace

Result<ClaimSet> ReadClaims(const YamlValue& yaml) {
  KC_ASSIGN(YamlMap map, yaml.AsMap());
  ClaimSet claims;
  for (const auto& [name, value] : map.TakeAll()) {
    const auto info = attest::FindClaim(name);
    if (!info.has_value()) {
      return Fail(Code::kConfigUnknownKey,
                  value.Where() + ": no such claim (known: " + attest::KnownClaims() + ")");
    }
    KC_ASSIGN(ClaimValue parsed, ReadValue(value, *info));
    claims.Set(name, std::move(parsed),
               info->transport ? attest::Origin::kTransport : attest::Origin::kAttested);
  }
  return claims;
}

Result<OfflineCaller> CallerOf(const std::string& evidence, const TrustOptions& options,
                               const attest::Trust& base, const ClaimSet& told, UnixTime now) {
  OfflineCaller caller;
  KC_ASSIGN(const EvidenceFile file, ReadEvidence(evidence));
  KC_ASSIGN(const attest::Trust trust, TrustFor(options, file, base));
  KC_ASSIGN(caller.claims, ExamineFile(file, trust, now));
  // Of a file its age is a claim; on a session it would be refused.
  const attest::Claim* expired = caller.claims.Find("token.expired");
  if (expired != nullptr && expired->value == ClaimValue(true))
    return Fail(Code::kEvidenceTime, file.source + ": the token has expired at this time");
  const std::string source = std::string(file.type->name) + " evidence " + file.source;
  for (const auto& [name, claim] : caller.claims) caller.origins[name] = source;
  for (const auto& [name, claim] : told) {
    if (claim.origin != attest::Origin::kTransport) {
      return Fail(
          Code::kInvalidArgument,
          name + ": beside evidence only what the channel tells (tls.*, peer.*) can be said");
    }
    caller.claims.Set(name, claim.value, claim.origin);
    caller.origins[name] = kChannel;
  }
  return caller;
}

OfflineCaller CallerOf(const ClaimSet& claims) {
  OfflineCaller caller{.claims = claims, .origins = {}};
  for (const auto& [name, claim] : claims)
    caller.origins[name] = claim.origin == attest::Origin::kTransport ? kChannel : "as given";
  return caller;
}

Result<authz::TokenRules> ReadSets(const std::vector<std::string>& files) {
  authz::TokenRules rules;
  for (const std::string& file : files) {
    KC_ASSIGN(const Bytes text, ReadFile(file, kMaxSet));
    KC_ASSIGN(const authz::SetDocument set, authz::SetDocument::Parse(AsText(text), file));
    auto values = std::make_shared<const attest::ReferenceSet>(set.Values());
    if (!rules.sets.emplace(set.name(), std::move(values)).second)
      return Fail(Code::kInvalidArgument, file + ": there is another set " + set.name());
  }
  return rules;
}

Status CheckSets(const authz::Policy& policy, const authz::TokenRules& rules) {
  for (const std::string& name : policy.set_names()) {
    if (!rules.sets.contains(name)) {
      return Fail(Code::kInvalidArgument,
                  "policy " + policy.name() + " compares with the set " + name +
                      ": name its file, too (--set FILE, sets: in a table)");
    }
  }
  return Done{};
}

std::string ClaimOfTerm(std::string_view term) {
  constexpr std::string_view kNot = "not: {";
  while (term.starts_with(kNot)) term.remove_prefix(kNot.size());
  const std::string name(term.substr(0, term.find(':')));
  return attest::FindClaim(name).has_value() ? name : std::string();
}

std::string OriginOfTerm(const OfflineCaller& caller, std::string_view term) {
  const std::string claim = ClaimOfTerm(term);
  if (claim.empty()) return {};
  const auto found = caller.origins.find(claim);
  return found == caller.origins.end() ? "nowhere: it is absent" : found->second;
}

}  // namespace keyclave::ctl
