// What changes between two permits; for policy_diff.cc and permit_diff.cc only.
#pragma once

#include "enclave/authz/policy_diff.h"

namespace keyclave::authz {

struct Difference {
  ChangeVerdict verdict = ChangeVerdict::kSame;
  std::string what;
};

// From whether the old implies the new (nobody loses) and the new the old (nobody gains).
ChangeVerdict VerdictOf(bool nobody_loses, bool nobody_gains);
// Of a quorum; nullopt asks for nobody.
ChangeVerdict CompareQuorums(const std::optional<Quorum>& before,
                             const std::optional<Quorum>& after);

// One for each part of the permits that differs.
std::vector<Difference> ComparePermits(const Permit& before, const Permit& after);

}  // namespace keyclave::authz
