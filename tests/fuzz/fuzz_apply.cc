// Files of secrets, ours and AECS's: whatever comes in, an answer. What is taken names everything
// once, and every policy of its plan is one.
#include <cstdlib>
#include <set>

#include "enclave/ctl/apply_plan.h"

using keyclave::AsText;
using keyclave::FromC;
using keyclave::authz::Policy;
using keyclave::ctl::MakePlan;
using keyclave::ctl::ParseSecretsFile;
using keyclave::ctl::PolicyStep;
using keyclave::ctl::SecretStep;

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = ParseSecretsFile(AsText(FromC(data, size)), "fuzz");
  if (!file.ok()) return 0;
  const auto plan = MakePlan(*file, {});
  if (!plan.ok()) return 0;
  Require(plan->conflicts.empty());
  std::set<std::string> names;
  for (const PolicyStep& step : plan->policies) {
    const auto policy = Policy::Parse(step.text, "plan");
    Require(policy.ok() && policy->name() == step.name);
    Require(names.insert(step.name).second);
  }
  names.clear();
  for (const SecretStep& step : plan->secrets)
    Require(step.creates && names.insert(step.wanted->name).second);
  return 0;
}
