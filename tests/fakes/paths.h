// Where the sources and what was built of them lie: known to one object file, so that all others
// are the same in every checkout.
#pragma once

#include <string>

namespace keyclave::fakes {

std::string SourcePath(const std::string& relative);  // of the checkout: "docs/policy.md"
std::string BuildPath(const std::string& relative);   // of the build: "bin/keyclaved"

}  // namespace keyclave::fakes
