// A policy: who may do what with a key, under which evidence (docs/policy.md). Strict: what it does
// not say is refused.
#pragma once

#include <set>

#include "attest/expression.h"

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
  kManage
};
inline constexpr size_t kOperationCount = 10;
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

 private:
  uint32_t bits_ = 0;
};

inline constexpr size_t kMaxPermits = 256;

struct Permit {
  OperationSet operations;
  std::optional<std::set<std::string, std::less<>>> mechanisms;  // nullopt: any
  attest::Expression when;
  std::optional<uint64_t> max_age;  // seconds since the evidence was verified
  std::optional<UnixTime> valid_from;
  std::optional<UnixTime> valid_until;  // exclusive
  // Without it the permit is for real TEEs outside debug mode only, whatever `when` says.
  bool allow_unattested = false;
  int line = 0;
};

class Policy {
 public:
  // kPolicySyntax, kConfig… with line; kPolicyUnattested for a permit without a term that names the
  // workload, or with debug or simulated evidence, that lacks allow_unattested. Grammar that this
  // version does not enforce (input other than any, limits, approvals, change, in-set) is refused,
  // never ignored.
  static Result<Policy> Parse(std::string_view text, std::string_view file_name);

  const std::string& name() const { return name_; }
  uint64_t version() const { return version_; }
  const ByteArray<32>& digest() const { return digest_; }  // SHA-256 of the text as it was given
  const std::vector<Permit>& permits() const { return permits_; }
  // What is legal but deserves a second look: simulated or debug evidence, permits without
  // mechanisms, manage to callers…
  std::vector<std::string> Warnings() const;

 private:
  Policy() = default;
  std::string name_;
  uint64_t version_ = 0;
  ByteArray<32> digest_{};
  std::vector<Permit> permits_;
};

}  // namespace keyclave::authz
