// The tree behind Expression; for expression*.cc only.
#pragma once

#include "attest/claim_names.h"
#include "attest/expression.h"

namespace keyclave::attest {

enum class Comparator { kIs, kIn, kMin, kMax, kBefore, kAfter, kMatches, kExists, kInSet };

// A parsed operand; of the type that the claim must have.
using Operand = std::variant<bool, int64_t, std::string>;

struct ExpressionNode {
  enum class Kind { kAll, kAny, kNot, kAtLeast, kTerm };
  Kind kind = Kind::kTerm;
  int line = 0;

  std::vector<ExpressionNode> children;  // all, any, not (one), at-least
  size_t at_least = 0;

  std::string claim;
  ClaimInfo info;
  Comparator comparator = Comparator::kIs;
  std::vector<Operand> operands;  // one, except for `in`; none for `in-set`
  std::string set;                // of `in-set`: its name
};

// Strong three-valued logic: what is unknown stays so unless the rest decides.
enum class Truth { kFalse, kUnknown, kTrue };

// What terms are evaluated over.
struct Facts {
  const ClaimSet& claims;
  UnixTime now = 0;
  const ReferenceSets& sets;
};
Truth Evaluate(const ExpressionNode& node, const Facts& facts);
std::string_view ComparatorName(Comparator comparator);
// "tee: {in: [sev-snp, tdx]}" for a term, "all: […]" otherwise: what stands between the braces.
std::string PrintNode(const ExpressionNode& node);
// "in [sev-snp, tdx]"
std::string PrintWanted(const ExpressionNode& term);

}  // namespace keyclave::attest
