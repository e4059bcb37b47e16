// A secret that is wanted, and the objects of its name that there are.
#pragma once

#include "enclave/ctl/secrets_file.h"

namespace keyclave::ctl {

struct Comparison {
  std::vector<std::string> conflicts = {};  // each goes on after the secret's name
  std::string note = {};                    // what could not be compared
};

// `objects`: all of this name that can be seen, at least one.
Result<Comparison> CompareSecret(const WantedSecret& wanted, const std::string& public_policy,
                                 const std::vector<wire::ObjectInfo>& objects);

}  // namespace keyclave::ctl
