// The claims that policies may name: what type each has, who says it, and whether it tells one
// workload from another.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace keyclave::attest {

enum class ClaimType {
  kText,
  kHex,  // lower-case hexadecimal, whole bytes
  kTee,  // a TEE type's name
  kTcb,  // a TCB status
  kInteger,
  kBool,
  kTime,  // a text that ParseTime reads
  kOpen,  // a type's own claim: the operand decides
};

struct ClaimInfo {
  ClaimType type = ClaimType::kOpen;
  bool transport = false;   // told by the channel, never by a TEE
  bool identifies = false;  // an exact value of it names the workload (its code or its signer)
  bool every = false;  // of a list, every element must satisfy a comparator; else one is enough
};

// nullopt for a name that no evidence type and no channel can ever set.
std::optional<ClaimInfo> FindClaim(std::string_view name);
// For messages: "tee, measurement, …; tdx.*, …".
std::string KnownClaims();

// The names of docs/policy.md, whether or not this build has the type.
bool IsTeeName(std::string_view name);
std::string KnownTees();
bool IsTcbStatus(std::string_view name);
std::string KnownTcbStatuses();

}  // namespace keyclave::attest
