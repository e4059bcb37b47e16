// Boolean expressions as other systems write them: comparisons of paths with literals, joined by
// and, or, not. One form for what is read of Rhai and of Rego.
#pragma once

#include <functional>

#include "enclave/ctl/convert/condition.h"
#include "enclave/ctl/convert/tokens.h"

namespace keyclave::ctl::convert {

struct SourceOperand {
  enum class Kind { kPath, kText, kNumber, kFlag, kList };
  Kind kind = Kind::kPath;
  std::vector<std::string> path;  // r.env["tee"] is {r, env, tee}; an index [0] is "0"
  std::string text;
  int64_t number = 0;
  bool flag = false;
  std::vector<std::string> list;  // of texts

  bool IsPath() const { return kind == Kind::kPath; }
  std::string PathText() const;  // with slashes: names may have dots in them
};

struct SourceExpression {
  enum class Kind { kAll, kAny, kNot, kCompare, kBare };
  Kind kind = Kind::kBare;
  std::vector<SourceExpression> children;
  SourceOperand left;
  std::string op;  // == != < > <= >= in
  SourceOperand right;
  int line = 0;
  std::string text;  // as the source has it
};

inline constexpr int kMaxSourceDepth = 32;

// From `next` on; the rest is the caller's. kUnsupported with the line for what is not in the
// subset. Rhai: || && ! ( ) and one comparison without parentheses on either side.
Result<SourceExpression> ParseRhai(TokenReader& tokens);
// Rego: one expression of a rule's body: [not] comparison, or a bare path.
Result<SourceExpression> ParseRegoStatement(TokenReader& tokens);
// A path by names, dots and brackets.
Result<SourceOperand> ParseOperand(TokenReader& tokens);

// What a comparison or a bare operand means, or (negated) what its opposite means.
using Leaf = std::function<Condition(const SourceExpression& leaf, bool negated)>;
Condition Translate(const SourceExpression& expression, bool negated, const Leaf& leaf);

// The comparison with its path on the left; nullopt if it has no path, or two.
std::optional<SourceExpression> PathFirst(const SourceExpression& comparison);
// Whether a comparison of literals holds; nullopt for one that is not all literals or that compares
// different types.
std::optional<bool> Constant(const SourceExpression& leaf);
// Whether `value` satisfies `op operand`; nullopt if the operand cannot be compared with a text.
std::optional<bool> HoldsFor(const std::string& value, const SourceExpression& comparison);

}  // namespace keyclave::ctl::convert
