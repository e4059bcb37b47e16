#include "enclave/authz/issue_rule.h"

#include <algorithm>

#include "attest/claim_names.h"

namespace keyclave::authz {

namespace {

constexpr size_t kMaxClaims = 32;

Result<std::vector<std::string>> ParseClaims(const YamlValue& yaml) {
  KC_ASSIGN(const std::vector<YamlValue> items, yaml.AsList());
  if (items.empty() || items.size() > kMaxClaims)
    return yaml.Bad("wanted 1 to " + std::to_string(kMaxClaims) + " claims");
  std::vector<std::string> claims;
  for (const YamlValue& item : items) {
    KC_ASSIGN(std::string name, item.AsText());
    const auto known = attest::FindClaim(name);
    if (!known.has_value()) return item.Bad("no such claim (known: " + attest::KnownClaims() + ")");
    if (known->transport) return item.Bad("the channel tells it: nobody has proved it");
    if (std::find(claims.begin(), claims.end(), name) != claims.end())
      return item.Bad("named twice");
    claims.push_back(std::move(name));
  }
  return claims;
}

std::string PrintClaims(const std::vector<std::string>& claims) {
  std::string text;
  for (const std::string& claim : claims)
    text.append(text.empty() ? ", claims: [" : ", ").append(claim);
  return text.empty() ? text : text + "]";
}

}  // namespace

Result<IssueRule> ParseIssueRule(const YamlValue& yaml) {
  KC_ASSIGN(YamlMap map, yaml.AsMap());
  IssueRule rule;
  KC_CHECK_OK(TakeNames(map, rule.x509));
  KC_ASSIGN(const YamlValue usages, map.Require("usages"));
  KC_ASSIGN(rule.x509.usages, ParseUsages(usages));
  KC_ASSIGN(const YamlValue validity, map.Require("max_validity"));
  KC_ASSIGN(rule.max_validity, validity.AsSeconds());
  if (const auto claims = map.Take("claims")) {
    KC_ASSIGN(rule.claims, ParseClaims(*claims));
  }
  KC_CHECK_OK(map.Finish());
  if (rule.max_validity == 0 || rule.max_validity > kMaxIssueValidity)
    return validity.Bad("wanted more than nothing and at most a hundred years, such as 24h");
  const X509Constraints& x509 = rule.x509;
  if (x509.dns.empty() && x509.ip.empty() && x509.email.empty() && x509.uri.empty()) {
    return yaml.Bad(
        "it names nobody, so nothing would be issued: add dns, uri, ip or email, such as "
        "`dns: [.mesh.example]`");
  }
  return rule;
}

std::string PrintIssueRule(const IssueRule& rule) {
  return "{" + PrintNames(rule.x509) + ", " + PrintUsages(rule.x509) +
         ", max_validity: " + std::to_string(rule.max_validity) + "s" + PrintClaims(rule.claims) +
         "}";
}

}  // namespace keyclave::authz
