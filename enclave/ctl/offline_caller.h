// A caller that is not there: what evidence in a file would say of it, and what a person says the
// channel would tell.
#pragma once

#include <map>

#include "enclave/authz/policy.h"
#include "enclave/authz/token_rules.h"
#include "enclave/ctl/evidence_trust.h"

namespace keyclave::ctl {

struct OfflineCaller {
  attest::ClaimSet claims;
  std::map<std::string, std::string, std::less<>> origins;  // of each claim, for people
};

// A mapping of claims to values, as policies write them; tls.* and peer.* are the channel's word.
// kConfig… with the place for a name or a value that no caller can have.
Result<attest::ClaimSet> ReadClaims(const YamlValue& yaml);

// The claims of the evidence, if it is genuine, and `told` of the channel beside them. Errors of
// ReadEvidence and ExamineFile; kInvalidArgument if `told` has anything but the channel's claims.
Result<OfflineCaller> CallerOf(const std::string& evidence, const TrustOptions& options,
                               const attest::Trust& base, const attest::ClaimSet& told,
                               UnixTime now);
// A caller of these claims, whatever would have proved them.
OfflineCaller CallerOf(const attest::ClaimSet& claims);

// Reference-value sets out of files, for policies that compare with them.
Result<authz::TokenRules> ReadSets(const std::vector<std::string>& files);
// kInvalidArgument if the policy compares with a set that is not there: its terms would hold for
// nobody.
Status CheckSets(const authz::Policy& policy, const authz::TokenRules& rules);

// The claim that a failing term is about; empty where it is about none (operations, max_age …).
std::string ClaimOfTerm(std::string_view term);
// Where the claim of this term came from: "sev-snp evidence FILE", "the channel", "nowhere:
// absent".
std::string OriginOfTerm(const OfflineCaller& caller, std::string_view term);

}  // namespace keyclave::ctl
