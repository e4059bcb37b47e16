#include "enclave/ctl/convert/source_expression.h"

#include <algorithm>
#include <array>

namespace keyclave::ctl::convert {
namespace {

using Kind = SourceExpression::Kind;
using OperandKind = SourceOperand::Kind;

constexpr std::array<std::string_view, 6> kComparisons = {"==", "!=", "<=", ">=", "<", ">"};

// Texts between brackets or braces.
Result<SourceOperand> ParseList(TokenReader& tokens, std::string_view close) {
  SourceOperand operand{.kind = OperandKind::kList, .path = {}, .text = {}, .list = {}};
  (void)tokens.Take();
  for (tokens.SkipNewlines(); !tokens.TakeSign(close); tokens.SkipNewlines()) {
    if (tokens.Peek().kind != TokenKind::kText) return tokens.Bad("a list may hold texts only");
    operand.list.push_back(tokens.Take().text);
    tokens.SkipNewlines();
    if (!tokens.TakeSign(",") && !tokens.IsSign(close)) return tokens.Bad("wanted , or the end");
  }
  return operand;
}

Status ParseSteps(TokenReader& tokens, SourceOperand& operand) {
  while (true) {
    if (tokens.TakeSign(".")) {
      if (tokens.Peek().kind != TokenKind::kName) return tokens.Bad("wanted a name");
      operand.path.push_back(tokens.Take().text);
    } else if (tokens.TakeSign("[")) {
      const TokenKind kind = tokens.Peek().kind;
      if (kind != TokenKind::kText && kind != TokenKind::kNumber)
        return tokens.Bad("wanted a text or a number in brackets");
      operand.path.push_back(tokens.Take().text);
      if (!tokens.TakeSign("]")) return tokens.Bad("wanted ]");
    } else {
      return Done{};
    }
  }
}

Result<SourceExpression> ParseComparison(TokenReader& tokens, bool with_in) {
  const Token first = tokens.Peek();
  SourceExpression leaf;
  leaf.line = first.line;
  KC_ASSIGN(leaf.left, ParseOperand(tokens));
  for (const std::string_view op : kComparisons) {
    if (leaf.op.empty() && tokens.TakeSign(op)) leaf.op = op;
  }
  if (leaf.op.empty() && with_in && tokens.TakeName("in")) leaf.op = "in";
  if (!leaf.op.empty()) {
    leaf.kind = Kind::kCompare;
    KC_ASSIGN(leaf.right, ParseOperand(tokens));
  }
  leaf.text = tokens.TextFrom(first);
  return leaf;
}

Result<SourceExpression> ParseAny(TokenReader& tokens, int depth);

// Rhai's ! binds closer than ==: what is behind it is in parentheses, or is compared with nothing.
Result<SourceExpression> ParseUnit(TokenReader& tokens, int depth) {
  if (depth > kMaxSourceDepth) return tokens.Bad("nested too deep");
  const Token first = tokens.Peek();
  if (tokens.TakeSign("!")) {
    KC_ASSIGN(SourceExpression inner, ParseUnit(tokens, depth + 1));
    if (inner.kind == Kind::kCompare && !inner.text.starts_with("("))
      return tokens.Bad("! before a comparison without parentheses");
    SourceExpression negation;
    negation.kind = Kind::kNot;
    negation.line = first.line;
    negation.children.push_back(std::move(inner));
    negation.text = tokens.TextFrom(first);
    return negation;
  }
  if (!tokens.TakeSign("(")) return ParseComparison(tokens, /*with_in=*/false);
  KC_ASSIGN(SourceExpression inner, ParseAny(tokens, depth + 1));
  if (!tokens.TakeSign(")")) return tokens.Bad("wanted )");
  inner.text = tokens.TextFrom(first);
  return inner;
}

Result<SourceExpression> ParseJoined(TokenReader& tokens, int depth, std::string_view sign,
                                     Kind kind,
                                     Result<SourceExpression> (*part)(TokenReader&, int)) {
  const Token first = tokens.Peek();
  KC_ASSIGN(SourceExpression one, part(tokens, depth));
  if (!tokens.IsSign(sign)) return one;
  SourceExpression joined;
  joined.kind = kind;
  joined.line = first.line;
  joined.children.push_back(std::move(one));
  while (tokens.TakeSign(sign)) {
    KC_ASSIGN(SourceExpression next, part(tokens, depth));
    joined.children.push_back(std::move(next));
  }
  joined.text = tokens.TextFrom(first);
  return joined;
}

Result<SourceExpression> ParseAll(TokenReader& tokens, int depth) {
  return ParseJoined(tokens, depth, "&&", Kind::kAll, ParseUnit);
}

Result<SourceExpression> ParseAny(TokenReader& tokens, int depth) {
  return ParseJoined(tokens, depth, "||", Kind::kAny, ParseAll);
}

std::string Mirrored(const std::string& op) {
  if (op == "<") return ">";
  if (op == ">") return "<";
  if (op == "<=") return ">=";
  if (op == ">=") return "<=";
  return op;
}

bool Ordered(const std::string& op, int64_t left, int64_t right) {
  if (op == "<") return left < right;
  if (op == ">") return left > right;
  if (op == "<=") return left <= right;
  return left >= right;
}

}  // namespace

std::string SourceOperand::PathText() const {
  std::string joined;
  for (const std::string& step : path) joined.append(joined.empty() ? "" : "/").append(step);
  return joined;
}

Result<SourceOperand> ParseOperand(TokenReader& tokens) {
  SourceOperand operand;
  switch (tokens.Peek().kind) {
    case TokenKind::kText:
      operand.kind = OperandKind::kText;
      operand.text = tokens.Take().text;
      return operand;
    case TokenKind::kNumber:
      operand.kind = OperandKind::kNumber;
      operand.number = tokens.Take().number;
      return operand;
    case TokenKind::kName: {
      const std::string name = tokens.Take().text;
      if (name == "true" || name == "false") {
        operand.kind = OperandKind::kFlag;
        operand.flag = name == "true";
        return operand;
      }
      operand.path.push_back(name);
      KC_CHECK_OK(ParseSteps(tokens, operand));
      if (tokens.IsSign("(")) return tokens.Bad("functions are not read");
      return operand;
    }
    default: break;
  }
  if (tokens.IsSign("[")) return ParseList(tokens, "]");
  if (tokens.IsSign("{")) return ParseList(tokens, "}");
  return tokens.Bad("wanted a path, a text, a number, true or false");
}

Result<SourceExpression> ParseRhai(TokenReader& tokens) {
  KC_ASSIGN(SourceExpression expression, ParseAny(tokens, 0));
  if (tokens.Peek().kind != TokenKind::kEnd) return tokens.Bad("wanted && or || or the end");
  return expression;
}

Result<SourceExpression> ParseRegoStatement(TokenReader& tokens) {
  const Token first = tokens.Peek();
  const bool negated = tokens.TakeName("not");
  KC_ASSIGN(SourceExpression leaf, ParseComparison(tokens, /*with_in=*/true));
  if (!negated) return leaf;
  SourceExpression negation;
  negation.kind = Kind::kNot;
  negation.line = first.line;
  negation.children.push_back(std::move(leaf));
  negation.text = tokens.TextFrom(first);
  return negation;
}

Condition Translate(const SourceExpression& expression, bool negated, const Leaf& leaf) {
  switch (expression.kind) {
    case Kind::kCompare:
    case Kind::kBare: return leaf(expression, negated);
    case Kind::kNot: return Translate(expression.children.front(), !negated, leaf);
    case Kind::kAll:
    case Kind::kAny: break;
  }
  std::vector<Condition> parts;
  for (const SourceExpression& child : expression.children)
    parts.push_back(Translate(child, negated, leaf));
  const bool all = (expression.kind == Kind::kAll) != negated;
  return all ? Condition::All(std::move(parts)) : Condition::Any(std::move(parts));
}

std::optional<SourceExpression> PathFirst(const SourceExpression& comparison) {
  if (comparison.left.IsPath() == comparison.right.IsPath()) return std::nullopt;
  if (comparison.left.IsPath()) return comparison;
  if (comparison.op == "in") return std::nullopt;
  SourceExpression turned = comparison;
  std::swap(turned.left, turned.right);
  turned.op = Mirrored(comparison.op);
  return turned;
}

std::optional<bool> Constant(const SourceExpression& leaf) {
  const SourceOperand& left = leaf.left;
  if (leaf.kind == Kind::kBare)
    return left.kind == OperandKind::kFlag ? std::optional(left.flag) : std::nullopt;
  const SourceOperand& right = leaf.right;
  if (left.kind == OperandKind::kText) return HoldsFor(left.text, leaf);
  if (left.kind != right.kind) return std::nullopt;
  const bool equality = leaf.op == "==" || leaf.op == "!=";
  if (left.kind == OperandKind::kFlag && equality)
    return (left.flag == right.flag) == (leaf.op == "==");
  if (left.kind != OperandKind::kNumber || leaf.op == "in") return std::nullopt;
  if (equality) return (left.number == right.number) == (leaf.op == "==");
  return Ordered(leaf.op, left.number, right.number);
}

std::optional<bool> HoldsFor(const std::string& value, const SourceExpression& comparison) {
  const SourceOperand& right = comparison.right;
  if (comparison.op == "in" && right.kind == OperandKind::kList)
    return std::find(right.list.begin(), right.list.end(), value) != right.list.end();
  if (right.kind != OperandKind::kText) return std::nullopt;
  if (comparison.op == "==") return value == right.text;
  if (comparison.op == "!=") return value != right.text;
  return std::nullopt;
}

}  // namespace keyclave::ctl::convert
