#include "attest/expression.h"

#include <algorithm>

#include "attest/expression_node.h"
#include "attest/glob.h"

namespace keyclave::attest {
namespace {

using Kind = ExpressionNode::Kind;

Truth ToTruth(bool holds) { return holds ? Truth::kTrue : Truth::kFalse; }
Truth Negated(Truth truth) {
  if (truth == Truth::kUnknown) return truth;
  return ToTruth(truth == Truth::kFalse);
}

bool Equals(const bool* value, const Operand& operand) {
  const bool* wanted = std::get_if<bool>(&operand);
  return wanted != nullptr && *wanted == *value;
}

// kUnknown if the claim's type has no such comparison.
Truth CompareBool(bool value, const ExpressionNode& term) {
  bool comparable = false;
  for (const Operand& operand : term.operands) {
    comparable |= std::holds_alternative<bool>(operand);
    if (Equals(&value, operand)) return Truth::kTrue;
  }
  return comparable ? Truth::kFalse : Truth::kUnknown;
}

Truth CompareNumber(int64_t value, const ExpressionNode& term) {
  bool comparable = false;
  for (const Operand& operand : term.operands) {
    const int64_t* wanted = std::get_if<int64_t>(&operand);
    if (wanted == nullptr) continue;
    comparable = true;
    switch (term.comparator) {
      case Comparator::kMin: return ToTruth(value >= *wanted);
      case Comparator::kMax: return ToTruth(value <= *wanted);
      case Comparator::kBefore:
      case Comparator::kAfter: return Truth::kUnknown;  // a number is not a time
      default: break;
    }
    if (value == *wanted) return Truth::kTrue;
  }
  return comparable ? Truth::kFalse : Truth::kUnknown;
}

Truth CompareTime(const std::string& value, const ExpressionNode& term) {
  const auto time = ParseTime(value);
  if (!time.ok()) return Truth::kUnknown;
  switch (term.comparator) {
    case Comparator::kBefore: return ToTruth(*time < std::get<int64_t>(term.operands.front()));
    case Comparator::kAfter: return ToTruth(*time > std::get<int64_t>(term.operands.front()));
    default: break;
  }
  const auto same = [&](const Operand& operand) { return std::get<int64_t>(operand) == *time; };
  return ToTruth(std::any_of(term.operands.begin(), term.operands.end(), same));
}

Truth CompareText(const std::string& value, const ExpressionNode& term) {
  const bool time = term.info.type == ClaimType::kTime || term.comparator == Comparator::kBefore ||
                    term.comparator == Comparator::kAfter;
  if (time) return CompareTime(value, term);
  bool comparable = false;
  for (const Operand& operand : term.operands) {
    const std::string* wanted = std::get_if<std::string>(&operand);
    if (wanted == nullptr) continue;
    comparable = true;
    const bool holds =
        term.comparator == Comparator::kMatches ? GlobMatches(*wanted, value) : *wanted == value;
    if (holds) return Truth::kTrue;
  }
  return comparable ? Truth::kFalse : Truth::kUnknown;
}

Truth CompareList(const std::vector<std::string>& values, const ExpressionNode& term) {
  bool every = true;
  bool some = false;
  for (const std::string& value : values) {
    const Truth truth = CompareText(value, term);
    if (truth == Truth::kUnknown) return Truth::kUnknown;
    every &= truth == Truth::kTrue;
    some |= truth == Truth::kTrue;
  }
  return ToTruth(term.info.every ? every : some);
}

// Sets hold texts: what a person would write. A set that is not there is not known to hold
// anything.
Truth LookUp(const ClaimValue& value, const ExpressionNode& term, const Facts& facts) {
  const auto set = facts.sets.find(term.set);
  if (set == facts.sets.end()) return Truth::kUnknown;
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
    const auto in_set = [&](const std::string& item) {
      return set->second->Contains(item, facts.now);
    };
    return ToTruth(term.info.every ? std::all_of(list->begin(), list->end(), in_set)
                                   : std::any_of(list->begin(), list->end(), in_set));
  }
  return ToTruth(set->second->Contains(ToText(value), facts.now));
}

struct Comparison {
  const ExpressionNode& term;
  Truth operator()(bool value) const { return CompareBool(value, term); }
  Truth operator()(int64_t value) const { return CompareNumber(value, term); }
  Truth operator()(const std::string& value) const { return CompareText(value, term); }
  Truth operator()(const std::vector<std::string>& values) const {
    return CompareList(values, term);
  }
};

// The claim that a term is about; nullptr if it is absent, or if only the channel tells what a TEE
// should.
const Claim* FindFor(const ExpressionNode& term, const ClaimSet& claims) {
  const Claim* claim = claims.Find(term.claim);
  if (claim == nullptr) return nullptr;
  return claim->origin == Origin::kTransport && !term.info.transport ? nullptr : claim;
}

Truth EvaluateTerm(const ExpressionNode& term, const Facts& facts) {
  const Claim* claim = FindFor(term, facts.claims);
  if (claim == nullptr) return Truth::kUnknown;
  if (term.comparator == Comparator::kExists) return Truth::kTrue;
  if (term.comparator == Comparator::kInSet) return LookUp(claim->value, term, facts);
  return std::visit(Comparison{term}, claim->value);
}

// True if `needed` children are; false if they cannot be, whatever the unknown ones are.
Truth EvaluateCount(const ExpressionNode& node, size_t needed, const Facts& facts) {
  size_t satisfied = 0;
  size_t possible = 0;
  for (const ExpressionNode& child : node.children) {
    const Truth truth = Evaluate(child, facts);
    satisfied += truth == Truth::kTrue ? 1 : 0;
    possible += truth == Truth::kFalse ? 0 : 1;
  }
  if (satisfied >= needed) return Truth::kTrue;
  return possible < needed ? Truth::kFalse : Truth::kUnknown;
}

std::string Got(const ExpressionNode& term, const ClaimSet& claims) {
  constexpr size_t kMaxShown = 256;
  const Claim* claim = claims.Find(term.claim);
  if (claim == nullptr) return "absent";
  std::string text = ToText(claim->value);
  if (text.size() > kMaxShown) text.replace(kMaxShown, std::string::npos, "...");
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return claim->origin == Origin::kTransport ? text + " (not attested)" : text;
}

std::string Cut(std::string text) {
  constexpr size_t kMaxPrinted = 512;
  if (text.size() > kMaxPrinted) text.replace(kMaxPrinted, std::string::npos, "...");
  return text;
}

std::string Wanted(const ExpressionNode& term, const Facts& facts) {
  if (term.comparator != Comparator::kInSet) return Cut(PrintWanted(term));
  const auto set = facts.sets.find(term.set);
  const std::string what =
      set == facts.sets.end() ? "there is no such set" : set->second->Describe(facts.now);
  return Cut(PrintWanted(term) + " (" + what + ")");
}

// For a node that is not true.
FailedTerm Describe(const ExpressionNode& node, const Facts& facts) {
  const ClaimSet& claims = facts.claims;
  if (node.kind == Kind::kTerm)
    return {Cut(PrintNode(node)), Wanted(node, facts), Got(node, claims), node.line};
  if (node.kind == Kind::kNot) {
    const ExpressionNode& child = node.children.front();
    if (child.kind == Kind::kTerm) {
      return {Cut(PrintNode(node)), "not " + Wanted(child, facts), Got(child, claims), node.line};
    }
    const bool holds = Evaluate(child, facts) == Truth::kTrue;
    return {Cut(PrintNode(node)), "not satisfied",
            holds ? "satisfied" : "unknown: a claim is absent", node.line};
  }
  size_t satisfied = 0;
  const ExpressionNode* failing = nullptr;
  for (const ExpressionNode& child : node.children) {
    if (Evaluate(child, facts) == Truth::kTrue) {
      ++satisfied;
    } else if (failing == nullptr) {
      failing = &child;
    }
  }
  FailedTerm failed = Describe(*failing, facts);
  if (node.kind == Kind::kAtLeast) {
    failed.wanted += " (" + std::to_string(satisfied) + " of " + std::to_string(node.at_least) +
                     " needed terms hold)";
  } else if (node.kind == Kind::kAny && node.children.size() > 1) {
    failed.wanted += " (or another of " + std::to_string(node.children.size()) + " alternatives)";
  }
  return failed;
}

// Whether every way to satisfy the node includes an exact value (is, in) of a claim that fits.
template <class Fits>
bool RequiresOne(const ExpressionNode& node, const Fits& fits) {
  const auto& children = node.children;
  const auto requires_one = [&](const ExpressionNode& child) { return RequiresOne(child, fits); };
  switch (node.kind) {
    case Kind::kTerm:
      return fits(node) &&
             (node.comparator == Comparator::kIs || node.comparator == Comparator::kIn ||
              node.comparator == Comparator::kInSet);
    case Kind::kNot: return false;
    case Kind::kAll: return std::any_of(children.begin(), children.end(), requires_one);
    case Kind::kAny: return std::all_of(children.begin(), children.end(), requires_one);
    case Kind::kAtLeast: {
      const auto naming = std::count_if(children.begin(), children.end(), requires_one);
      return children.size() - static_cast<size_t>(naming) < node.at_least;
    }
  }
  return false;
}

// Whether a term that has to hold (or, under `not`, must not) has this operand.
bool Mentions(const ExpressionNode& node, std::string_view claim, const Operand& when_true,
              const Operand* when_false, bool negated) {
  if (node.kind == Kind::kTerm) {
    const Operand* wanted = negated ? when_false : &when_true;
    return wanted != nullptr && node.claim == claim &&
           std::find(node.operands.begin(), node.operands.end(), *wanted) != node.operands.end();
  }
  const bool inner = node.kind == Kind::kNot ? !negated : negated;
  return std::any_of(node.children.begin(), node.children.end(), [&](const ExpressionNode& child) {
    return Mentions(child, claim, when_true, when_false, inner);
  });
}

size_t CountTerms(const ExpressionNode& node) {
  if (node.kind == Kind::kTerm) return std::max<size_t>(1, node.operands.size());
  size_t count = 0;
  for (const ExpressionNode& child : node.children) count += CountTerms(child);
  return count;
}

void CollectSets(const ExpressionNode& node, std::set<std::string, std::less<>>& names) {
  if (!node.set.empty()) names.insert(node.set);
  for (const ExpressionNode& child : node.children) CollectSets(child, names);
}

}  // namespace

Truth Evaluate(const ExpressionNode& node, const Facts& facts) {
  switch (node.kind) {
    case Kind::kTerm: return EvaluateTerm(node, facts);
    case Kind::kNot: return Negated(Evaluate(node.children.front(), facts));
    case Kind::kAll: return EvaluateCount(node, node.children.size(), facts);
    case Kind::kAny: return EvaluateCount(node, 1, facts);
    case Kind::kAtLeast: return EvaluateCount(node, node.at_least, facts);
  }
  return Truth::kUnknown;
}

bool Expression::Satisfied(const ClaimSet& claims, UnixTime now, const ReferenceSets& sets) const {
  return Evaluate(*root_, {claims, now, sets}) == Truth::kTrue;
}

std::optional<FailedTerm> Expression::FirstFailure(const ClaimSet& claims, UnixTime now,
                                                   const ReferenceSets& sets) const {
  if (Satisfied(claims, now, sets)) return std::nullopt;
  return Describe(*root_, {claims, now, sets});
}

size_t Expression::size() const { return CountTerms(*root_); }

std::set<std::string, std::less<>> Expression::SetNames() const {
  std::set<std::string, std::less<>> names;
  CollectSets(*root_, names);
  return names;
}

bool Expression::RequiresAttested() const {
  return RequiresOne(*root_, [](const ExpressionNode& term) { return term.info.identifies; });
}

bool Expression::Requires(std::string_view claim) const {
  return RequiresOne(*root_, [&](const ExpressionNode& term) { return term.claim == claim; });
}

bool Expression::MentionsSimulated() const {
  return Mentions(*root_, "tee", Operand(std::string("simulated")), nullptr, false);
}

bool Expression::MentionsCoResident() const {
  return Mentions(*root_, "tee", Operand(std::string("co-resident")), nullptr, false);
}

bool Expression::MentionsDebug() const {
  const Operand off(false);
  return Mentions(*root_, "debug", Operand(true), &off, false);
}

bool Expression::MentionsUnbound() const {
  const Operand on(true);
  return Mentions(*root_, "token.bound", Operand(false), &on, false);
}

std::string Expression::Print() const { return "{" + PrintNode(*root_) + "}"; }

}  // namespace keyclave::attest
