// A policy on its way from a foreign one; for enclave/ctl/convert/*.cc only.
#pragma once

#include "enclave/ctl/convert/condition.h"
#include "enclave/ctl/convert/conversion.h"

namespace keyclave::ctl::convert {

// Collects what a person must know.
class Findings {
 public:
  // For a condition that has no equivalent: says so, and is the condition that nobody satisfies.
  Condition LeaveOut(std::string where, std::string what) {
    list_.push_back({Finding::Kind::kLeftOut, std::move(where), std::move(what)});
    return Condition::Never();
  }
  void Attention(std::string where, std::string what) {
    list_.push_back({Finding::Kind::kAttention, std::move(where), std::move(what)});
  }
  void Note(std::string where, std::string what) {
    list_.push_back({Finding::Kind::kNote, std::move(where), std::move(what)});
  }
  void Add(Finding finding) { list_.push_back(std::move(finding)); }
  const std::vector<Finding>& list() const { return list_; }

 private:
  std::vector<Finding> list_;
};

struct DraftPermit {
  std::string where;
  std::vector<std::string> operations;
  Condition when = Condition::Never();
  std::string wrap = {};  // of a release; empty: as without
};

struct Draft {
  std::string name;  // any text; Finish makes a name of it
  bool locked = false;
  std::vector<DraftPermit> permits;
  Findings findings;
};

// The texts: permits that nobody satisfies, or that would let in whom they do not name, are left
// out, and what remains has been parsed as a policy.
Converted Finish(Draft draft, std::string_view dialect, const std::string& file,
                 const Options& options);

// The operations that a dialect's permits have, unless the user named others.
std::vector<std::string> OperationsOr(const Options& options, std::vector<std::string> usual);

// The file's name without folder and ending, for sources that have no name of their own.
std::string StemOf(const std::string& file);

// Lower-case hexadecimal of whole bytes; nullopt for what is none.
std::optional<std::string> HexOf(std::string_view text);

// Whether a claim can be compared with this text: not empty, not long, no control characters.
bool IsClaimText(std::string_view text);

struct Source {
  std::string_view text;
  const std::string& file;
  const Options& options;
};
#define KC_DIALECT(name, function) Result<std::vector<Draft>> function(const Source& source);
#include "enclave/ctl/convert/dialects.inc"
#undef KC_DIALECT

}  // namespace keyclave::ctl::convert
