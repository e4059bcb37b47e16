// What changes between two versions of a policy, term by term, and who it is better for.
//
// kWeaker says that a caller may gain something, kStricter that one may lose something; where it
// cannot be told, or is both, the verdict is kChanged. kSame changes words only. A change that lets
// more in is never called kSame or kStricter.
#pragma once

#include "enclave/authz/policy.h"

namespace keyclave::authz {

enum class ChangeVerdict : uint8_t { kSame, kWeaker, kStricter, kChanged };
std::string_view ChangeName(ChangeVerdict verdict);  // SAME, WEAKER, STRICTER, CHANGED

struct PolicyChange {
  ChangeVerdict verdict = ChangeVerdict::kSame;
  size_t before = 0;  // the permit's number, from 1; 0: it is new, or it is the policy as a whole
  size_t after = 0;   // 0: it is gone
  std::string what;   // the term svn: {min: 3} becomes svn: {min: 2}
};

// In the order of the permits of `after`, then of those that are gone. Empty if both permit the
// same in the same words.
std::vector<PolicyChange> Compare(const Policy& before, const Policy& after);

// Of all of them together: kSame, kWeaker or kStricter if no change says otherwise.
ChangeVerdict Overall(const std::vector<PolicyChange>& changes);

}  // namespace keyclave::authz
