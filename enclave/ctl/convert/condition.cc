#include "enclave/ctl/convert/condition.h"

#include <algorithm>
#include <set>

#include "attest/expression.h"

namespace keyclave::ctl::convert {
namespace {

constexpr size_t kMaxCompared = 64;  // parts of an `all` that its alternatives are shortened by

}  // namespace

std::string YamlText(std::string_view text) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyz0123456789-";
  constexpr std::string_view kWords[] = {"true", "false", "null", "yes", "no", "on", "off"};
  const bool letter = !text.empty() && text.front() >= 'a' && text.front() <= 'z';
  const bool plain = letter && text.find_first_not_of(kPlain) == std::string_view::npos;
  const bool word = std::find(std::begin(kWords), std::end(kWords), text) != std::end(kWords);
  if (plain && !word && text.size() > 1) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

Condition Is(std::string_view claim, std::string_view text) {
  return IsYaml(claim, YamlText(text));
}

Condition IsYaml(std::string_view claim, std::string_view yaml) {
  return Condition::Of({std::string(claim), "is", {std::string(yaml)}, false});
}

Condition In(std::string_view claim, const std::vector<std::string>& texts) {
  if (texts.size() == 1) return Is(claim, texts.front());
  Term term{std::string(claim), "in", {}, false};
  for (const std::string& text : texts) term.operands.push_back(YamlText(text));
  return Condition::Of(std::move(term));
}

Condition Condition::Of(Term term) {
  Condition condition(Kind::kTerm);
  condition.term_ = std::move(term);
  return condition;
}

void Condition::AddOnce(Condition part) {
  // Beyond what an expression may hold nothing is compared any more: it is refused in the end.
  const bool few = parts_.size() < attest::kMaxExpressionTerms;
  if (few && std::find(parts_.begin(), parts_.end(), part) != parts_.end()) return;
  parts_.push_back(std::move(part));
}

Condition Condition::Join(Kind kind, std::vector<Condition> parts) {
  Condition joined(kind);
  for (Condition& part : parts) {
    if (part.kind_ == kind) {
      for (Condition& inner : part.parts_) joined.AddOnce(std::move(inner));
    } else if (part.kind_ != Kind::kTerm && part.parts_.empty()) {
      return part;  // Never() in an all, Always() in an any
    } else {
      joined.AddOnce(std::move(part));
    }
  }
  if (joined.parts_.size() == 1) return Condition(joined.parts_.front());
  return joined;
}

Condition Condition::Without(const std::vector<Condition>& known) const {
  if (std::find(known.begin(), known.end(), *this) != known.end()) return Always();
  if (kind_ != Kind::kAll) return *this;
  std::vector<Condition> rest;
  for (const Condition& part : parts_) rest.push_back(part.Without(known));
  return Join(Kind::kAll, std::move(rest));
}

Condition Condition::All(std::vector<Condition> parts) {
  Condition joined = Join(Kind::kAll, std::move(parts));
  if (joined.kind_ != Kind::kAll || joined.parts_.size() > kMaxCompared) return joined;
  std::vector<Condition> terms;
  for (const Condition& part : joined.parts_) {
    if (part.kind_ == Kind::kTerm) terms.push_back(part);
  }
  // What holds anyway need not be said again in each alternative.
  std::vector<Condition> shorter;
  for (Condition& part : joined.parts_) {
    if (part.kind_ != Kind::kAny) {
      shorter.push_back(std::move(part));
      continue;
    }
    std::vector<Condition> alternatives;
    for (const Condition& alternative : part.parts_)
      alternatives.push_back(alternative.Without(terms));
    shorter.push_back(Join(Kind::kAny, std::move(alternatives)));
  }
  return Join(Kind::kAll, std::move(shorter));
}

Condition Condition::Any(std::vector<Condition> parts) {
  return Join(Kind::kAny, std::move(parts));
}

std::string Condition::Entry() const {
  if (kind_ == Kind::kTerm) {
    std::string operands;
    for (const std::string& one : term_.operands)
      operands.append(operands.empty() ? "" : ", ").append(one);
    if (term_.comparator == "in") operands = "[" + operands + "]";
    const std::string entry = term_.claim + ": {" + term_.comparator + ": " + operands + "}";
    return term_.negated ? "not: {" + entry + "}" : entry;
  }
  std::string list;
  for (const Condition& part : parts_)
    list.append(list.empty() ? "" : ", ").append("{" + part.Entry() + "}");
  return (kind_ == Kind::kAll ? "all: [" : "any: [") + list + "]";
}

std::string Condition::Block(std::string_view indent) const {
  const std::string margin(indent);
  if (kind_ != Kind::kAll) return margin + Entry() + "\n";
  std::vector<std::string> entries;
  std::set<std::string> keys;
  for (const Condition& part : parts_) {
    entries.push_back(part.Entry());
    keys.insert(entries.back().substr(0, entries.back().find(':')));
  }
  // A mapping where no key comes twice; otherwise a list under `all`.
  const bool distinct = keys.size() == entries.size();
  std::string block = distinct ? "" : margin + "all:\n";
  for (const std::string& entry : entries)
    block += distinct ? margin + entry + "\n" : margin + "  - {" + entry + "}\n";
  return block;
}

}  // namespace keyclave::ctl::convert
