#include "enclave/guard/issue.h"

#include "enclave/guard/x509.h"

namespace keyclave::guard {

Status CheckIssue(const authz::IssueRule& rule, const mech::Leaf& leaf) {
  if (leaf.validity > rule.max_validity) {
    return FailWanted(Code::kIssueRefused, "it is valid for too long",
                      "at most " + std::to_string(rule.max_validity) + " s",
                      std::to_string(leaf.validity) + " s");
  }
  // A rule is parsed without them; whoever makes one otherwise shall not get a CA.
  if (rule.x509.ca || !rule.x509.extensions.empty())
    return Fail(Code::kIssueRefused, "the rule permits what is never issued");
  const X509* const draft = leaf.draft.get();
  const Status subject = CheckSubject(rule.x509, X509_get_subject_name(draft));
  if (!subject.ok()) return Fail(Code::kIssueRefused, subject.error().detail());
  const Status rest = CheckExtensions(rule.x509, draft);
  if (!rest.ok()) return Fail(Code::kIssueRefused, rest.error().detail());
  return Done{};
}

}  // namespace keyclave::guard
