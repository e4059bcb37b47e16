// What a foreign policy asks of a caller, in Keyclave's claims; negations stand at the terms only.
//
// A part that cannot be carried over becomes Never(). As nothing here negates a whole, a condition
// with Never() in it is satisfied by no more callers than its source is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace keyclave::ctl::convert {

// `claim: {comparator: [operands]}`, or its negation. Operands are YAML already.
struct Term {
  std::string claim;
  std::string comparator;  // is, in, min, max
  std::vector<std::string> operands;
  bool negated = false;

  bool operator==(const Term&) const = default;
};

class Condition {
 public:
  static Condition Always() { return Condition(Kind::kAll); }
  static Condition Never() { return Condition(Kind::kAny); }
  static Condition Of(Term term);
  // Nested alls become one, Always() vanishes, Never() swallows the rest, what stands twice or
  // holds anyway is said once.
  static Condition All(std::vector<Condition> parts);
  // The same with Always() and Never() exchanged.
  static Condition Any(std::vector<Condition> parts);

  bool IsAlways() const { return kind_ == Kind::kAll && parts_.empty(); }
  bool IsNever() const { return kind_ == Kind::kAny && parts_.empty(); }
  // The value of `when:`, as a block whose lines begin with `indent`; for what is neither Always()
  // nor Never().
  std::string Block(std::string_view indent) const;

  bool operator==(const Condition&) const = default;

 private:
  enum class Kind { kAll, kAny, kTerm };
  explicit Condition(Kind kind) : kind_(kind) {}
  static Condition Join(Kind kind, std::vector<Condition> parts);
  void AddOnce(Condition part);
  // What is left to ask where `known` holds already.
  Condition Without(const std::vector<Condition>& known) const;
  std::string Entry() const;  // what stands between the braces: claim: {is: X}

  Kind kind_;
  Term term_;
  std::vector<Condition> parts_;
};

// A YAML scalar that is read as this text by every reader.
std::string YamlText(std::string_view text);
Condition Is(std::string_view claim, std::string_view text);
Condition IsYaml(std::string_view claim, std::string_view yaml);
Condition In(std::string_view claim, const std::vector<std::string>& texts);

}  // namespace keyclave::ctl::convert
