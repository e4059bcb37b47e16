// Whether one expression asks for no less than another: rules over their structure, sound for every
// caller, but not complete. What they cannot see is answered with no.

#include <algorithm>

#include "attest/expression_node.h"
#include "attest/glob.h"

namespace keyclave::attest {
namespace {

using Kind = ExpressionNode::Kind;
using Nodes = std::vector<ExpressionNode>;

bool IsOneOf(const ExpressionNode& term) {
  return term.comparator == Comparator::kIs || term.comparator == Comparator::kIn;
}

bool Contains(const ExpressionNode& term, const Operand& operand) {
  return std::find(term.operands.begin(), term.operands.end(), operand) != term.operands.end();
}

// Whether a claim that equals this operand satisfies the term.
bool OperandSatisfies(const Operand& operand, const ExpressionNode& term) {
  if (IsOneOf(term)) return Contains(term, operand);
  if (term.comparator == Comparator::kExists) return true;
  if (term.comparator == Comparator::kInSet) return false;  // who knows what is in it
  const Operand& bound = term.operands.front();
  if (term.comparator == Comparator::kMatches) {
    const auto* text = std::get_if<std::string>(&operand);
    return text != nullptr && GlobMatches(std::get<std::string>(bound), *text);
  }
  const auto* number = std::get_if<int64_t>(&operand);
  if (number == nullptr) return false;
  // A claim of a type's own that equals a number is no time, and one that is a time no number.
  const bool time = term.info.type == ClaimType::kTime;
  switch (term.comparator) {
    case Comparator::kMin: return !time && *number >= std::get<int64_t>(bound);
    case Comparator::kMax: return !time && *number <= std::get<int64_t>(bound);
    case Comparator::kBefore: return time && *number < std::get<int64_t>(bound);
    case Comparator::kAfter: return time && *number > std::get<int64_t>(bound);
    default: return false;
  }
}

bool TermImplies(const ExpressionNode& a, const ExpressionNode& b) {
  if (a.claim != b.claim) return false;
  if (b.comparator == Comparator::kExists) return true;  // an absent claim satisfies no term
  if (IsOneOf(a)) {
    return std::all_of(a.operands.begin(), a.operands.end(),
                       [&](const Operand& operand) { return OperandSatisfies(operand, b); });
  }
  if (a.comparator != b.comparator) return false;
  if (a.comparator == Comparator::kInSet) return a.set == b.set;
  if (a.operands == b.operands) return true;
  const auto* left = std::get_if<int64_t>(&a.operands.front());
  const auto* right = std::get_if<int64_t>(&b.operands.front());
  if (left == nullptr || right == nullptr) return false;
  switch (a.comparator) {
    case Comparator::kMin:
    case Comparator::kAfter: return *left >= *right;
    case Comparator::kMax:
    case Comparator::kBefore: return *left <= *right;
    default: return false;
  }
}

// Claims that no evidence gives as a list, of which two terms could each be satisfied by another
// element.
bool IsSingle(const ExpressionNode& term) {
  switch (term.info.type) {
    case ClaimType::kTee:
    case ClaimType::kTcb:
    case ClaimType::kInteger:
    case ClaimType::kBool: return true;
    default: return false;
  }
}

bool SameType(const ExpressionNode& a, const ExpressionNode& b) {
  const size_t index = a.operands.front().index();
  const auto same = [&](const Operand& operand) { return operand.index() == index; };
  return std::all_of(a.operands.begin(), a.operands.end(), same) &&
         std::all_of(b.operands.begin(), b.operands.end(), same);
}

// Whether b is false wherever a is.
bool FalseTermImplies(const ExpressionNode& a, const ExpressionNode& b) {
  if (a.claim != b.claim) return false;
  if (a.comparator == b.comparator && a.operands == b.operands && a.set == b.set) return true;
  if (a.operands.empty() || b.operands.empty() || !IsSingle(a)) return false;
  if (IsOneOf(a) && IsOneOf(b)) {
    return SameType(a, b) &&
           std::all_of(b.operands.begin(), b.operands.end(),
                       [&](const Operand& operand) { return Contains(a, operand); });
  }
  if (a.comparator != b.comparator) return false;
  const auto* left = std::get_if<int64_t>(&a.operands.front());
  const auto* right = std::get_if<int64_t>(&b.operands.front());
  if (left == nullptr || right == nullptr) return false;
  if (a.comparator == Comparator::kMin) return *left <= *right;
  if (a.comparator == Comparator::kMax) return *left >= *right;
  return false;
}

// Whether b is false wherever a is true: of one value both cannot be.
bool TermExcludes(const ExpressionNode& a, const ExpressionNode& b) {
  if (a.claim != b.claim || !IsSingle(a) || !IsOneOf(a) || b.operands.empty()) return false;
  if (b.comparator == Comparator::kExists || b.comparator == Comparator::kMatches) return false;
  return SameType(a, b) &&
         std::none_of(a.operands.begin(), a.operands.end(),
                      [&](const Operand& operand) { return OperandSatisfies(operand, b); });
}

// The other value of a boolean.
bool IsOther(const ExpressionNode& a, const ExpressionNode& b) {
  if (a.claim != b.claim || a.info.type != ClaimType::kBool) return false;
  if (a.comparator != Comparator::kIs || b.comparator != Comparator::kIs) return false;
  return a.operands.front() != b.operands.front();
}

class Prover {
 public:
  // Whether b is true wherever a is.
  bool Implies(const ExpressionNode& a, const ExpressionNode& b) {
    if (!Spend()) return false;
    if (Required(b) == b.children.size() && !b.children.empty() && b.kind != Kind::kNot)
      return Every(b.children, [&](const ExpressionNode& part) { return Implies(a, part); });
    if (Required(a) == 1 && a.children.size() > 1)
      return Every(a.children, [&](const ExpressionNode& part) { return Implies(part, b); });
    if (a.kind == Kind::kTerm && b.kind == Kind::kTerm) return TermImplies(a, b);
    if (a.kind == Kind::kNot && b.kind == Kind::kNot)
      return FalseImplies(a.children.front(), b.children.front());
    if (a.kind == Kind::kNot && b.kind == Kind::kTerm && a.children.front().kind == Kind::kTerm)
      return IsOther(a.children.front(), b);
    if (a.kind == Kind::kTerm && b.kind == Kind::kNot) return Excludes(a, b.children.front());
    if (IsList(a) && Required(a) == a.children.size() &&
        Some(a.children, [&](const ExpressionNode& part) { return Implies(part, b); }))
      return true;
    if (IsList(b) && Required(b) == 1 &&
        Some(b.children, [&](const ExpressionNode& part) { return Implies(a, part); }))
      return true;
    return IsList(a) && IsList(b) && EnoughMatch(a, b);
  }

 private:
  static bool IsList(const ExpressionNode& node) {
    return node.kind != Kind::kTerm && node.kind != Kind::kNot;
  }
  // How many of its children must hold; 0 for what has none.
  static size_t Required(const ExpressionNode& node) {
    switch (node.kind) {
      case Kind::kAll: return node.children.size();
      case Kind::kAny: return 1;
      case Kind::kAtLeast: return node.at_least;
      default: return 0;
    }
  }
  template <class Check>
  static bool Every(const Nodes& nodes, const Check& check) {
    return std::all_of(nodes.begin(), nodes.end(), check);
  }
  template <class Check>
  static bool Some(const Nodes& nodes, const Check& check) {
    return std::any_of(nodes.begin(), nodes.end(), check);
  }

  // Whether b is false wherever a is.
  bool FalseImplies(const ExpressionNode& a, const ExpressionNode& b) {
    if (!Spend()) return false;
    if (a.kind == Kind::kNot && b.kind == Kind::kNot)
      return Implies(a.children.front(), b.children.front());
    if (a.kind == Kind::kAll)
      return Every(a.children, [&](const ExpressionNode& part) { return FalseImplies(part, b); });
    if (b.kind == Kind::kAny)
      return Every(b.children, [&](const ExpressionNode& part) { return FalseImplies(a, part); });
    if (a.kind == Kind::kAny &&
        Some(a.children, [&](const ExpressionNode& part) { return FalseImplies(part, b); }))
      return true;
    if (b.kind == Kind::kAll &&
        Some(b.children, [&](const ExpressionNode& part) { return FalseImplies(a, part); }))
      return true;
    return a.kind == Kind::kTerm && b.kind == Kind::kTerm && FalseTermImplies(a, b);
  }

  // Whether b is false wherever the term a is true.
  bool Excludes(const ExpressionNode& a, const ExpressionNode& b) {
    if (!Spend()) return false;
    if (b.kind == Kind::kTerm) return TermExcludes(a, b);
    if (b.kind == Kind::kNot) return Implies(a, b.children.front());
    if (b.kind == Kind::kAny)
      return Every(b.children, [&](const ExpressionNode& part) { return Excludes(a, part); });
    return b.kind == Kind::kAll &&
           Some(b.children, [&](const ExpressionNode& part) { return Excludes(a, part); });
  }

  // Of a's children so many hold that enough of b's do: each of a's stands for another of b's.
  bool EnoughMatch(const ExpressionNode& a, const ExpressionNode& b) {
    std::vector<bool> used(b.children.size());
    size_t matched = 0;
    for (const ExpressionNode& part : a.children) {
      for (size_t i = 0; i < b.children.size(); ++i) {
        if (used[i] || !Implies(part, b.children[i])) continue;
        used[i] = true;
        ++matched;
        break;
      }
    }
    const size_t without = a.children.size() - matched;
    return Required(a) >= without + Required(b);
  }

  // Expressions are small; for those that are made to be slow to compare the answer is no.
  bool Spend() { return steps_ > 0 && --steps_ > 0; }

  size_t steps_ = 200'000;
};

}  // namespace

bool Expression::Implies(const Expression& other) const {
  return Prover().Implies(*root_, *other.root_);
}

std::vector<Expression> Expression::Conjuncts() const {
  std::vector<Expression> parts;
  if (root_->kind != Kind::kAll) {
    parts.push_back(*this);
    return parts;
  }
  for (const ExpressionNode& child : root_->children)
    parts.push_back(Expression(std::make_shared<const ExpressionNode>(child)));
  return parts;
}

std::string Expression::SubjectClaim() const {
  const ExpressionNode* node = root_.get();
  while (node->kind == Kind::kNot) node = &node->children.front();
  return node->kind == Kind::kTerm ? node->claim : std::string();
}

}  // namespace keyclave::attest
