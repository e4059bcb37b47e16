// YAML to ExpressionNode: every name and operand is checked here, so that evaluation meets only
// what makes sense.

#include <array>

#include "attest/expression_node.h"
#include "attest/glob.h"
#include "enclave/base/name.h"

namespace keyclave::attest {
namespace {

constexpr size_t kMaxOperand = 1024;  // characters

// How much of an expression may still come, and whether it may use sets.
struct Budget {
  size_t terms = kMaxExpressionTerms;
  Expression::Sets sets = Expression::Sets::kNone;
};

Error TooManyTerms(const YamlValue& yaml) {
  return yaml.Bad("more than " + std::to_string(kMaxExpressionTerms) + " terms");
}

struct ComparatorRow {
  std::string_view name;
  Comparator comparator;
};
constexpr std::array kComparators = {
    ComparatorRow{"is", Comparator::kIs},           ComparatorRow{"in", Comparator::kIn},
    ComparatorRow{"min", Comparator::kMin},         ComparatorRow{"max", Comparator::kMax},
    ComparatorRow{"before", Comparator::kBefore},   ComparatorRow{"after", Comparator::kAfter},
    ComparatorRow{"matches", Comparator::kMatches}, ComparatorRow{"exists", Comparator::kExists},
    ComparatorRow{"in-set", Comparator::kInSet}};

bool Fits(Comparator comparator, ClaimType type) {
  switch (comparator) {
    case Comparator::kIs:
    case Comparator::kExists: return true;
    case Comparator::kIn: return type != ClaimType::kBool;
    case Comparator::kMin:
    case Comparator::kMax: return type == ClaimType::kInteger || type == ClaimType::kOpen;
    case Comparator::kBefore:
    case Comparator::kAfter: return type == ClaimType::kTime || type == ClaimType::kOpen;
    case Comparator::kMatches: return type == ClaimType::kText || type == ClaimType::kOpen;
    case Comparator::kInSet:
      return type == ClaimType::kText || type == ClaimType::kHex || type == ClaimType::kInteger ||
             type == ClaimType::kOpen;
  }
  return false;
}

Result<Comparator> FindComparator(const std::string& name, const std::string& claim, ClaimType type,
                                  const YamlValue& operand, Expression::Sets sets) {
  if (name == "in-set" && sets == Expression::Sets::kNone)
    return operand.Bad("there are no reference-value sets here; list the values with `in`");
  std::string fitting;
  for (const ComparatorRow& row : kComparators) {
    if (!Fits(row.comparator, type)) continue;
    if (row.name == name) return row.comparator;
    fitting.append(fitting.empty() ? "" : ", ").append(row.name);
  }
  return operand.Bad("no comparator of " + claim + " (known: " + fitting + ")");
}

Result<std::string> ParseText(const YamlValue& yaml) {
  KC_ASSIGN(std::string text, yaml.AsText());
  if (text.empty()) return yaml.Bad("must not be empty");
  if (text.size() > kMaxOperand)
    return yaml.Bad("longer than " + std::to_string(kMaxOperand) + " characters");
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      return yaml.Bad("must not have control characters");
  }
  return text;
}

Result<Operand> ParseHex(const YamlValue& yaml) {
  KC_ASSIGN(std::string text, ParseText(yaml));
  const bool lower_hex = text.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!lower_hex || text.size() % 2 != 0)
    return yaml.Bad("wanted whole bytes in lower-case hexadecimal");
  return Operand(std::move(text));
}

Result<Operand> ParseTimeOperand(const YamlValue& yaml) {
  KC_ASSIGN(std::string text, yaml.AsText());
  const auto time = ParseTime(text);
  if (!time.ok()) return yaml.Bad(time.error().detail());
  return Operand(*time);
}

// A type's own claim has the type that its operand is written in: 3 is a number, "3" a text.
Result<Operand> ParseOpen(const YamlValue& yaml) {
  if (const auto flag = yaml.AsBool(); flag.ok()) return Operand(*flag);
  if (const auto number = yaml.AsInt(INT64_MIN, INT64_MAX); number.ok()) return Operand(*number);
  KC_ASSIGN(std::string text, ParseText(yaml));
  return Operand(std::move(text));
}

Result<Operand> ParseValue(const YamlValue& yaml, ClaimType type) {
  switch (type) {
    case ClaimType::kHex: return ParseHex(yaml);
    case ClaimType::kTime: return ParseTimeOperand(yaml);
    case ClaimType::kOpen: return ParseOpen(yaml);
    case ClaimType::kInteger: {
      KC_ASSIGN(const int64_t number, yaml.AsInt(0, INT64_MAX));
      return Operand(number);
    }
    case ClaimType::kBool: {
      KC_ASSIGN(const bool flag, yaml.AsBool());
      return Operand(flag);
    }
    case ClaimType::kText:
    case ClaimType::kTee:
    case ClaimType::kTcb: break;
  }
  KC_ASSIGN(std::string text, ParseText(yaml));
  if (type == ClaimType::kTee && !IsTeeName(text))
    return yaml.Bad("no such TEE (known: " + KnownTees() + ")");
  if (type == ClaimType::kTcb && !IsTcbStatus(text))
    return yaml.Bad("no such status (known: " + KnownTcbStatuses() + ")");
  return Operand(std::move(text));
}

Result<Operand> ParseGlob(const YamlValue& yaml) {
  KC_ASSIGN(std::string pattern, ParseText(yaml));
  if (pattern.size() > kMaxGlob)
    return yaml.Bad("longer than " + std::to_string(kMaxGlob) + " characters");
  return Operand(std::move(pattern));
}

Result<Operand> ParseExists(const YamlValue& yaml) {
  KC_ASSIGN(const bool flag, yaml.AsBool());
  if (!flag) {
    return yaml.Bad(
        "only `exists: true` can be asked: whoever is to be kept out would leave the claim away");
  }
  return Operand(true);
}

Result<Operand> ParseOperand(const YamlValue& yaml, Comparator comparator, ClaimType type) {
  switch (comparator) {
    case Comparator::kExists: return ParseExists(yaml);
    case Comparator::kMatches: return ParseGlob(yaml);
    case Comparator::kMin:
    case Comparator::kMax: {
      KC_ASSIGN(const int64_t number, yaml.AsInt(INT64_MIN, INT64_MAX));
      return Operand(number);
    }
    case Comparator::kBefore:
    case Comparator::kAfter: return ParseTimeOperand(yaml);
    case Comparator::kIs:
    case Comparator::kIn:
    case Comparator::kInSet: break;
  }
  return ParseValue(yaml, type);
}

Result<ExpressionNode> ParseComparison(const std::string& claim, const ClaimInfo& info,
                                       const std::string& name, const YamlValue& yaml,
                                       Budget& budget) {
  ExpressionNode term;
  term.line = yaml.Line();
  term.claim = claim;
  term.info = info;
  KC_ASSIGN(term.comparator, FindComparator(name, claim, info.type, yaml, budget.sets));
  if (term.comparator == Comparator::kInSet) {
    KC_ASSIGN(term.set, yaml.AsText());
    if (!IsName(term.set)) return yaml.Bad(kNameRule);
    if (budget.terms == 0) return TooManyTerms(yaml);
    --budget.terms;
    return term;
  }
  std::vector<YamlValue> values{yaml};
  if (term.comparator == Comparator::kIn) {
    KC_ASSIGN(values, yaml.AsList());
    if (values.empty()) return yaml.Bad("an empty list is satisfied by nothing");
  }
  if (values.size() > budget.terms) return TooManyTerms(yaml);
  budget.terms -= values.size();
  for (const YamlValue& value : values) {
    KC_ASSIGN(Operand operand, ParseOperand(value, term.comparator, info.type));
    term.operands.push_back(std::move(operand));
  }
  return term;
}

// One child stands for itself; more than one are joined by `all`.
ExpressionNode Join(std::vector<ExpressionNode> nodes, int line) {
  if (nodes.size() == 1) return std::move(nodes.front());
  ExpressionNode all;
  all.kind = ExpressionNode::Kind::kAll;
  all.line = line;
  all.children = std::move(nodes);
  return all;
}

Result<ExpressionNode> ParseTerm(const std::string& claim, const YamlValue& yaml, Budget& budget) {
  const auto info = FindClaim(claim);
  if (!info.has_value()) {
    return Fail(Code::kConfigUnknownKey,
                yaml.Where() +
                    ": no such claim or combinator (combinators: all, any, not, at-least; "
                    "claims: " +
                    KnownClaims() + ")");
  }
  if (!yaml.IsMap())
    return yaml.Bad("wanted a comparison, such as {is: VALUE} or {in: [VALUE, VALUE]}");
  KC_ASSIGN(YamlMap map, yaml.AsMap());
  std::vector<ExpressionNode> terms;
  for (const auto& [name, operand] : map.TakeAll()) {
    KC_ASSIGN(ExpressionNode term, ParseComparison(claim, *info, name, operand, budget));
    terms.push_back(std::move(term));
  }
  if (terms.empty()) return yaml.Bad("wanted a comparison, such as {is: VALUE}");
  return Join(std::move(terms), yaml.Line());
}

Result<ExpressionNode> ParseNode(const YamlValue& yaml, Budget& budget);

Result<std::vector<ExpressionNode>> ParseChildren(const YamlValue& yaml, Budget& budget) {
  KC_ASSIGN(const std::vector<YamlValue> list, yaml.AsList());
  if (list.empty()) return yaml.Bad("an empty list of terms would say nothing");
  std::vector<ExpressionNode> children;
  for (const YamlValue& item : list) {
    KC_ASSIGN(ExpressionNode child, ParseNode(item, budget));
    children.push_back(std::move(child));
  }
  return children;
}

Status ParseAtLeast(const YamlValue& yaml, Budget& budget, ExpressionNode& node) {
  KC_ASSIGN(YamlMap map, yaml.AsMap());
  KC_ASSIGN(const YamlValue n, map.Require("n"));
  KC_ASSIGN(const YamlValue of, map.Require("of"));
  KC_CHECK_OK(map.Finish());
  KC_ASSIGN(node.children, ParseChildren(of, budget));
  KC_ASSIGN(const int64_t count, n.AsInt(1, static_cast<int64_t>(node.children.size())));
  node.at_least = static_cast<size_t>(count);
  return Done{};
}

Result<ExpressionNode> ParseKey(const std::string& key, const YamlValue& yaml, Budget& budget) {
  ExpressionNode node;
  node.line = yaml.Line();
  if (key == "all" || key == "any") {
    node.kind = key == "all" ? ExpressionNode::Kind::kAll : ExpressionNode::Kind::kAny;
    KC_ASSIGN(node.children, ParseChildren(yaml, budget));
    return node;
  }
  if (key == "not") {
    node.kind = ExpressionNode::Kind::kNot;
    KC_ASSIGN(ExpressionNode child, ParseNode(yaml, budget));
    node.children.push_back(std::move(child));
    return node;
  }
  if (key == "at-least") {
    node.kind = ExpressionNode::Kind::kAtLeast;
    KC_CHECK_OK(ParseAtLeast(yaml, budget, node));
    return node;
  }
  return ParseTerm(key, yaml, budget);
}

Result<ExpressionNode> ParseNode(const YamlValue& yaml, Budget& budget) {
  // YAML's own limit bounds this recursion, too; CheckDepth has the last word.
  KC_ASSIGN(YamlMap map, yaml.AsMap());
  std::vector<ExpressionNode> nodes;
  for (const auto& [key, value] : map.TakeAll()) {
    KC_ASSIGN(ExpressionNode node, ParseKey(key, value, budget));
    nodes.push_back(std::move(node));
  }
  if (nodes.empty()) return yaml.Bad("says nothing; nothing is permitted by saying nothing");
  return Join(std::move(nodes), yaml.Line());
}

size_t Depth(const ExpressionNode& node) {
  size_t deepest = 0;
  for (const ExpressionNode& child : node.children) deepest = std::max(deepest, Depth(child));
  return deepest + 1;
}

}  // namespace

Result<Expression> Expression::Parse(const YamlValue& yaml, Sets sets) {
  Budget budget{.sets = sets};
  KC_ASSIGN(ExpressionNode root, ParseNode(yaml, budget));
  if (Depth(root) > kMaxExpressionDepth)
    return yaml.Bad("nested deeper than " + std::to_string(kMaxExpressionDepth));
  return Expression(std::make_shared<const ExpressionNode>(std::move(root)));
}

}  // namespace keyclave::attest
