// Whether a permit's `issue` lets the enclave make a certificate. It is judged by the same code as
// certificates that somebody else made and wants signed (x509.h).
#pragma once

#include "enclave/authz/issue_rule.h"
#include "enclave/mech/issue.h"

namespace keyclave::guard {

// kIssueRefused says which name, usage or time is not permitted.
Status CheckIssue(const authz::IssueRule& rule, const mech::Leaf& leaf);

}  // namespace keyclave::guard
