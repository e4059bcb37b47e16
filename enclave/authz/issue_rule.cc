#include "enclave/authz/issue_rule.h"

namespace keyclave::authz {

Result<IssueRule> ParseIssueRule(const YamlValue& yaml) {
  KC_ASSIGN(YamlMap map, yaml.AsMap());
  IssueRule rule;
  KC_CHECK_OK(TakeNames(map, rule.x509));
  KC_ASSIGN(const YamlValue usages, map.Require("usages"));
  KC_ASSIGN(rule.x509.usages, ParseUsages(usages));
  KC_ASSIGN(const YamlValue validity, map.Require("max_validity"));
  KC_ASSIGN(rule.max_validity, validity.AsSeconds());
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
         ", max_validity: " + std::to_string(rule.max_validity) + "s}";
}

}  // namespace keyclave::authz
