// ExpressionNode to canonical YAML in one line.

#include "attest/expression_node.h"

namespace keyclave::attest {
namespace {

// Quoted unless every YAML reader takes it for the same plain text.
std::string PrintText(const std::string& text, bool always_quoted) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./";
  const bool plain = text.find_first_not_of(kPlain) == std::string::npos;
  const bool letter = (text.front() | 0x20) >= 'a' && (text.front() | 0x20) <= 'z';
  const bool word =
      text == "true" || text == "false" || text == "null" || text == "Null" || text == "NULL";
  if (plain && letter && !word && !always_quoted) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

std::string PrintOperand(const Operand& operand, const ExpressionNode& term) {
  if (const bool* flag = std::get_if<bool>(&operand)) return *flag ? "true" : "false";
  if (const std::string* text = std::get_if<std::string>(&operand))
    return PrintText(*text, term.comparator == Comparator::kMatches);
  const int64_t number = std::get<int64_t>(operand);
  const bool time = term.info.type == ClaimType::kTime || term.comparator == Comparator::kBefore ||
                    term.comparator == Comparator::kAfter;
  return time ? FormatTime(number) : std::to_string(number);
}

std::string PrintOperands(const ExpressionNode& term) {
  if (term.comparator == Comparator::kInSet) return PrintText(term.set, false);
  if (term.comparator != Comparator::kIn) return PrintOperand(term.operands.front(), term);
  std::string list = "[";
  for (const Operand& operand : term.operands)
    list.append(list.size() > 1 ? ", " : "").append(PrintOperand(operand, term));
  return list + "]";
}

std::string PrintChildren(const ExpressionNode& node) {
  std::string list = "[";
  for (const ExpressionNode& child : node.children)
    list.append(list.size() > 1 ? ", " : "").append("{" + PrintNode(child) + "}");
  return list + "]";
}

}  // namespace

std::string_view ComparatorName(Comparator comparator) {
  switch (comparator) {
    case Comparator::kIs: return "is";
    case Comparator::kIn: return "in";
    case Comparator::kMin: return "min";
    case Comparator::kMax: return "max";
    case Comparator::kBefore: return "before";
    case Comparator::kAfter: return "after";
    case Comparator::kMatches: return "matches";
    case Comparator::kExists: return "exists";
    case Comparator::kInSet: return "in-set";
  }
  return "";
}

std::string PrintNode(const ExpressionNode& node) {
  switch (node.kind) {
    case ExpressionNode::Kind::kTerm: {
      const std::string comparator(ComparatorName(node.comparator));
      return node.claim + ": {" + comparator + ": " + PrintOperands(node) + "}";
    }
    case ExpressionNode::Kind::kNot: return "not: {" + PrintNode(node.children.front()) + "}";
    case ExpressionNode::Kind::kAll: return "all: " + PrintChildren(node);
    case ExpressionNode::Kind::kAny: return "any: " + PrintChildren(node);
    case ExpressionNode::Kind::kAtLeast:
      return "at-least: {n: " + std::to_string(node.at_least) + ", of: " + PrintChildren(node) +
             "}";
  }
  return "";
}

std::string PrintWanted(const ExpressionNode& term) {
  return std::string(ComparatorName(term.comparator)) + " " + PrintOperands(term);
}

}  // namespace keyclave::attest
