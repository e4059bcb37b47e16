// What a new version of a policy or set lets callers do that the present one does not: told, and
// asked about, before anything is sent.
#pragma once

#include "enclave/authz/policy.h"
#include "enclave/authz/set_document.h"

namespace keyclave::ctl {

// A line for each place where the new version is weaker, or where that cannot be ruled out.
std::vector<std::string> Weakenings(const authz::Policy& before, const authz::Policy& after);
std::vector<std::string> Weakenings(const authz::SetDocument& before,
                                    const authz::SetDocument& after);

// Every difference between two sets, for people: "+ value …", "- value …".
std::vector<std::string> Differences(const authz::SetDocument& before,
                                     const authz::SetDocument& after);

// Says them and asks, unless `yes`. False: the person said no, or nobody could be asked.
Result<bool> AcceptWeakening(const std::string& document, const std::vector<std::string>& weaker,
                             bool yes);

}  // namespace keyclave::ctl
