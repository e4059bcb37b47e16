// What certificates a permit lets the key of a CA issue (docs/policy.md, "Certificates that the
// enclave issues"). The enclave makes them itself, and none that the rule does not name.
#pragma once

#include "enclave/authz/x509_constraints.h"

namespace keyclave::authz {

struct IssueRule {
  // No certificates of CAs, no extensions beside those that the enclave writes; `max_days` is not
  // used.
  X509Constraints x509 = {};
  uint64_t max_validity = 0;  // seconds, from the moment of issue
  // What the asker proved that the certificate tells everybody: names of attested claims. Empty: it
  // tells nothing.
  std::vector<std::string> claims = {};
  bool operator==(const IssueRule&) const = default;
};

inline constexpr uint64_t kMaxIssueValidity = uint64_t{36525} * 86400;  // a hundred years

// The value of `issue`. It has to say which names, which usages, and for how long. kConfig… with
// the place.
Result<IssueRule> ParseIssueRule(const YamlValue& yaml);
// The same as YAML in one line; parsed again it is equal.
std::string PrintIssueRule(const IssueRule& rule);

}  // namespace keyclave::authz
