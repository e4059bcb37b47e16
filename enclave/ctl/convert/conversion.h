// Policies of other systems, rewritten as Keyclave's (docs/policy.md, "Coming from elsewhere").
//
// After Convert succeeded, each Converted with a text holds a policy that authz::Policy::Parse
// accepts and that grants nothing to anybody whom its source refuses. What could not be carried
// over is in its findings, with the place in the source; where leaving a condition out would let
// more callers in, the permit that needs it is left out instead, and one without any permit has no
// text.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "enclave/base/result.h"

namespace keyclave::ctl::convert {

inline constexpr size_t kMaxSource = size_t{1} << 20;  // bytes

struct Finding {
  enum class Kind {
    kLeftOut,    // a condition without equivalent: whatever needs it is not in the result
    kAttention,  // carried over in other words, or stricter than it was
    kNote,       // to know, not to decide
  };
  Kind kind = Kind::kNote;
  std::string where;  // place in the source: anyOf[0].allOf[1]; policy.rego:7
  std::string what;
};
std::string_view FindingName(Finding::Kind kind);  // left-out, attention, note

struct Options {
  std::string name;                     // of the policy; empty: as the source has it
  std::vector<std::string> operations;  // what the permits allow; empty: as the source has it
  // Permits that name no workload are written with `allow_unattested: true` instead of left out.
  bool allow_unattested = false;
  std::string issuer;    // trustee: whose tokens count; empty: every configured issuer's
  std::string resource;  // trustee: the path of the resource that becomes the key
  // trustee: callers come by `keyclave kbs` with evidence of their TEE, and not with a token.
  bool raw_evidence = false;
  // capsulemanager: a party's id -> claim and text by which it is known here.
  std::map<std::string, std::pair<std::string, std::string>, std::less<>> parties;
  // capsulemanager: an application's operation -> operations of Keyclave that it stands for.
  std::map<std::string, std::vector<std::string>, std::less<>> operation_names;
};

struct Converted {
  std::string name;
  std::optional<std::string> text;  // nullopt: nothing could be carried over; the findings say why
  std::vector<Finding> findings;
};

// "azure-skr, aecs, capsulemanager, trustee"
std::string KnownDialects();

// One policy for each that the source holds. kInvalidArgument for an unknown dialect or option;
// kMalformed, kUnsupported or kConfig… with the place for what is no such policy.
Result<std::vector<Converted>> Convert(std::string_view dialect, std::string_view source,
                                       const std::string& file, const Options& options);

}  // namespace keyclave::ctl::convert
