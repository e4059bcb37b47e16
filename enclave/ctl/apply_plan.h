// What `keyclave apply` would do: a file of secrets against what the token has. Nothing is asked of
// anybody here, and nothing done.
#pragma once

#include <set>

#include "enclave/authz/policy_diff.h"
#include "enclave/ctl/secrets_file.h"

namespace keyclave::ctl {

// What is there.
struct Present {
  std::optional<wire::TokenInfo> token = {};         // absent: it is to be made
  std::map<std::string, std::string> policies = {};  // texts, of those that the file speaks of
  std::set<std::string> absent = {};                 // of those, that surely are not there
  std::map<std::string, std::vector<wire::ObjectInfo>> objects = {};  // by secret's name
};

struct PolicyStep {
  enum class Action { kNothing, kCreate, kChange };
  Action action = Action::kNothing;
  std::string name;
  uint64_t before = 0;  // version; 0: none
  uint64_t after = 0;
  std::vector<authz::PolicyChange> changes = {};
  std::string text = {};
};

struct SecretStep {
  const WantedSecret* wanted = nullptr;
  bool creates = false;
  std::string note = {};           // of one that is there
  std::string public_policy = {};  // of its public key and certificate
};

struct Plan {
  std::vector<PolicyStep> policies = {};
  std::vector<SecretStep> secrets = {};
  // What is there and is not what the file says, with places: nothing is replaced, so with any of
  // these nothing is done.
  std::vector<std::string> conflicts = {};
  bool IsDone() const;
};

// What needs the files that it names: policies' texts, data, keys to import (relative to the
// file of secrets).
Status ReadNamedFiles(SecretsFile& file, const std::string& path);

// The names of all policies that the plan depends on: those that it puts in force, and those that
// secrets are under.
struct PolicyNames {
  std::set<std::string> put;
  std::set<std::string> used;
};
Result<PolicyNames> PolicyNamesOf(const SecretsFile& file);

// The plan refers to the file. kPolicySyntax and the like, kConfigBadValue, with places, for what
// is wrong whatever the token has.
Result<Plan> MakePlan(const SecretsFile& file, const Present& present);

}  // namespace keyclave::ctl
