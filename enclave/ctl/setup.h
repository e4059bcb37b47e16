// The files of a new simulated enclave: what `keyclave init` and `keyclave dev` write.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "enclave/ctl/installation.h"

namespace keyclave::ctl {

struct SetupPlan {
  Places places;
  std::vector<std::string> listen;    // besides the socket: tcp:HOST:PORT
  std::optional<gid_t> caller_group;  // who may read simulated-root.key; absent: everybody
  // Who can restore a backup elsewhere: so many of these keys (NAME, FILE); 0: nobody.
  size_t recovery_threshold = 0;
  std::vector<std::pair<std::string, std::string>> recovery_keys;
  // A throw-away enclave: a permissive policy, and memory need not be locked.
  bool development = false;
};

// What stands in the way of writing: relative or unprintable paths, a socket path that is too long,
// files that are there already (nothing is overwritten).
Status CheckPlan(const SetupPlan& plan);

// Writes everything that the plan names; on failure removes again what it wrote. Returns the paths
// in order.
Result<std::vector<std::string>> WriteSetup(const SetupPlan& plan,
                                            const Installation& installation);

// The files that WriteSetup writes, for taking a half-made enclave back.
void RemoveSetup(const SetupPlan& plan);

// keyclaved --config … --init: root secret, empty store, witness.
Status MakeState(const SetupPlan& plan, const Installation& installation);

// The texts, for tests.
std::string DaemonConfigText(const SetupPlan& plan, uid_t owner);
std::string ClientConfigText(const SetupPlan& plan, uid_t owner);
std::string DefaultPolicyText(uid_t owner);
std::string DevelopmentPolicyText();

}  // namespace keyclave::ctl
