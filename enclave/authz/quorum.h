// n of several named owners: who must sign a change, or approve a use.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "enclave/base/yaml.h"

namespace keyclave::authz {

inline constexpr size_t kMaxOwners = 64;  // of a token, and so of a quorum

struct Quorum {
  uint64_t quorum = 0;          // distinct owners that are needed, 1..of.size()
  std::vector<std::string> of;  // distinct names of owners

  // How many of them are among `names`, each counted once.
  uint64_t Count(const std::set<std::string, std::less<>>& names) const;
  bool Reached(const std::set<std::string, std::less<>>& names) const {
    return Count(names) >= quorum;
  }
  std::string Print() const;  // {quorum: 2, of: [ops, security]}
  friend bool operator==(const Quorum&, const Quorum&) = default;
};

// kConfig… with the place.
Result<Quorum> ParseQuorum(const YamlValue& yaml);

// A name of a policy, a set or an owner (enclave/base/name.h).
Result<std::string> ParseName(const YamlValue& yaml);
// A document's version: 1 to 2^53, which JSON readers keep exact.
Result<uint64_t> ParseVersion(const YamlValue& yaml);

}  // namespace keyclave::authz
