// A policy: who may do what with a key, under which evidence (docs/policy.md). Strict: what it does
// not say is refused.
#pragma once

#include <set>

#include "attest/expression.h"
#include "enclave/authz/input_rule.h"
#include "enclave/authz/issue_rule.h"
#include "enclave/authz/limit_rule.h"
#include "enclave/authz/quorum.h"
#include "enclave/authz/wrap_forms.h"

namespace keyclave::authz {

enum class Operation : uint8_t {
  kSign,
  kVerify,
  kEncrypt,
  kDecrypt,
  kWrap,
  kUnwrap,
  kDerive,
  kRelease,
  kRead,
  kManage,
  kCreate,
  kEncapsulate,
  kDecapsulate,
  kIssue,
  kJoin
};
inline constexpr size_t kOperationCount = 15;
std::string_view OperationName(Operation operation);
std::optional<Operation> ParseOperation(std::string_view name);

class OperationSet {
 public:
  void Add(Operation operation) { bits_ |= 1U << static_cast<unsigned>(operation); }
  void AddAll(OperationSet other) { bits_ |= other.bits_; }
  bool Has(Operation operation) const {
    return (bits_ >> static_cast<unsigned>(operation) & 1U) != 0;
  }
  bool empty() const { return bits_ == 0; }
  std::string Text() const;  // "sign, decrypt"
  friend bool operator==(const OperationSet&, const OperationSet&) = default;

 private:
  uint32_t bits_ = 0;
};

inline constexpr size_t kMaxPermits = 256;
inline constexpr size_t kMaxPolicyTerms = 8192;  // of all permits together

struct Permit {
  OperationSet operations;
  std::optional<std::set<std::string, std::less<>>> mechanisms;  // nullopt: any
  attest::Expression when;
  std::optional<uint64_t> max_age;  // seconds since the evidence was verified
  std::optional<UnixTime> valid_from;
  std::optional<UnixTime> valid_until;  // exclusive
  // `bind: self`: only for the workload (tee and measurement) that made the object.
  bool bound = false;
  std::optional<InputRule> input;                // of `sign`; nullopt: any
  WrapForms wrap = WrapForms::RecipientBound();  // of `release`
  std::optional<IssueRule> issue;                // set if and only if `issue` is permitted
  std::optional<LimitRule> limits;
  std::optional<Quorum> approvals;
  // Without it the permit is for real TEEs outside debug mode only, whatever `when` says.
  bool allow_unattested = false;
  int line = 0;
};

class Policy {
 public:
  // kPolicySyntax, kConfig… with line; kPolicyUnattested for a permit without a term that names the
  // workload, or with debug or simulated evidence, that lacks allow_unattested.
  static Result<Policy> Parse(std::string_view text, std::string_view file_name);

  const std::string& name() const { return name_; }
  uint64_t version() const { return version_; }
  const ByteArray<32>& digest() const { return digest_; }  // SHA-256 of the text as it was given
  // Who must sign a new version, and what takes objects from under this policy; nullopt: any owner
  // of the token.
  const std::optional<Quorum>& change() const { return change_; }
  bool locked() const { return locked_; }
  // `on_verifier_trouble`: for how many seconds after its nextUpdate collateral counts.
  uint64_t collateral_grace() const { return collateral_grace_; }
  const std::vector<Permit>& permits() const { return permits_; }
  // Of the sets that its permits compare with.
  const std::set<std::string, std::less<>>& set_names() const { return set_names_; }
  bool Permits(Operation operation) const;  // to somebody
  // What is legal but deserves a second look: simulated or debug evidence, permits without
  // mechanisms, manage to callers…
  std::vector<std::string> Warnings() const;
  // Canonical YAML, every key written out; Parse(Print()) permits the same and prints the same.
  std::string Print() const;

 private:
  Policy() = default;
  Status ParsePermits(const YamlValue& yaml);
  std::string name_;
  uint64_t version_ = 0;
  ByteArray<32> digest_{};
  std::optional<Quorum> change_;
  bool locked_ = false;
  uint64_t collateral_grace_ = 0;
  std::vector<Permit> permits_;
  std::set<std::string, std::less<>> set_names_;
};

}  // namespace keyclave::authz
