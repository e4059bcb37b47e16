// CapsuleManager: a data policy, whose rules name parties, columns, operations of the application
// and constraints in Rhai over the request `r`. Each operation of each rule becomes a permit.
//
// Of the request only r.env.tee is attested. Party and operation are what the request says of
// itself: they are carried over where the user says what stands for them here.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "attest/strict_json.h"
#include "enclave/ctl/convert/draft.h"
#include "enclave/ctl/convert/source_expression.h"

namespace keyclave::ctl::convert {
namespace {

using Json = nlohmann::json;

const std::string kExpression = "expression";  // its lines are told by this
constexpr size_t kRegister = 96;               // hexadecimal digits of a TD's measurement

// What the attestation library of CapsuleManager joins into one text, in this order.
struct TdxField {
  std::string_view path;
  std::vector<std::string> claims;
};
const std::vector<TdxField>& TdxFields() {
  static const auto& fields =
      *new std::vector<TdxField>{{"r/env/tee/tdx/mr_plat",
                                  {"tdx.mrseam", "tdx.mrsignerseam", "tdx.mrtd", "tdx.mrconfigid",
                                   "tdx.mrowner", "tdx.mrownerconfig"}},
                                 {"r/env/tee/tdx/mr_boot", {"tdx.rtmr0", "tdx.rtmr1"}},
                                 {"r/env/tee/tdx/mr_ta", {"tdx.rtmr2", "tdx.rtmr3"}}};
  return fields;
}

Error Bad(const std::string& where, std::string_view why) {
  return Fail(Code::kMalformed, where + ": " + std::string(why));
}

Status CheckMembers(const Json& object, const std::string& where,
                    std::initializer_list<std::string_view> known) {
  if (!object.is_object()) return Bad(where, "wanted an object");
  for (const auto& [name, value] : object.items()) {
    if (std::find(known.begin(), known.end(), name) == known.end())
      return Bad(where, "a member that no policy has: " + name);
  }
  return Done{};
}

// A list of texts; absent is empty.
Result<std::vector<std::string>> Texts(const Json& object, const char* name,
                                       const std::string& where) {
  std::vector<std::string> texts;
  if (!object.contains(name)) return texts;
  const Json& list = object[name];
  if (!list.is_array()) return Bad(where + "." + name, "wanted a list");
  for (const Json& one : list) {
    const auto* text = one.get_ptr<const std::string*>();
    if (text == nullptr) return Bad(where + "." + name, "wanted texts");
    texts.push_back(*text);
  }
  return texts;
}

std::string At(const std::string& where, const char* name, size_t i) {
  return where + (where.empty() ? "" : ".") + name + "[" + std::to_string(i) + "]";
}

Condition Negated(const Term& term) {
  Term other = term;
  other.negated = true;
  return Condition::Of(std::move(other));
}

// All of them, or (negated) not all of them.
Condition AllOrNot(const std::vector<Term>& terms, bool negated) {
  std::vector<Condition> parts;
  for (const Term& term : terms) parts.push_back(negated ? Negated(term) : Condition::Of(term));
  return negated ? Condition::Any(std::move(parts)) : Condition::All(std::move(parts));
}

class Reader {
 public:
  explicit Reader(const Source& source) : source_(source) {}

  Result<std::vector<Draft>> Run() {
    KC_ASSIGN(Json document, attest::ParseStrictJson(AsBytes(source_.text)));
    if (document.contains("policy")) {
      KC_CHECK_OK(CheckMembers(document, "the request", {"owner_party_id", "scope", "policy"}));
      draft_.findings.Note("scope", "a scope is a token: apply the policy to that token");
      document = Json(document["policy"]);
    }
    KC_CHECK_OK(CheckMembers(document, "the policy", {"data_uuid", "rules"}));
    const auto uuid = attest::TextMember(document, "data_uuid");
    if (!uuid.has_value() || uuid->empty()) return Bad("the policy", "data_uuid is missing");
    draft_.name = *uuid;
    if (!document.contains("rules") || !document["rules"].is_array())
      return Bad("the policy", "wanted rules");
    const Json& rules = document["rules"];
    for (size_t i = 0; i < rules.size(); ++i) KC_CHECK_OK(ReadRule(rules[i], At("", "rules", i)));
    if (rules.empty()) draft_.findings.LeaveOut("rules", "no rule: nobody is allowed anything");
    std::vector<Draft> drafts;
    drafts.push_back(std::move(draft_));
    return drafts;
  }

 private:
  Status ReadRule(const Json& rule, const std::string& where) {
    KC_CHECK_OK(CheckMembers(
        rule, where,
        {"rule_id", "grantee_party_ids", "columns", "op_constraints", "global_constraints"}));
    KC_ASSIGN(const std::vector<std::string> parties, Texts(rule, "grantee_party_ids", where));
    KC_ASSIGN(const std::vector<std::string> columns, Texts(rule, "columns", where));
    KC_ASSIGN(const std::vector<std::string> global, Texts(rule, "global_constraints", where));
    // Callers of CapsuleManager are of these or of CSV, whose evidence is not taken here.
    std::vector<Condition> common{In("tee", {"sgx", "tdx"}), Parties(parties, where)};
    if (std::find(columns.begin(), columns.end(), "*") == columns.end()) {
      common.push_back(draft_.findings.LeaveOut(
          where + ".columns",
          "a key here opens all that it encrypts: give each set of columns a "
          "key of its own"));
    }
    common.push_back(Constraints(global, where + ".global_constraints"));
    const Json list = rule.value("op_constraints", Json::array());
    if (list.empty())
      draft_.findings.LeaveOut(where, "no operation is in op_constraints: nothing is allowed");
    if (!list.is_array()) return Bad(where + ".op_constraints", "wanted a list");
    for (size_t i = 0; i < list.size(); ++i)
      KC_CHECK_OK(ReadOperation(list[i], At(where, "op_constraints", i), common));
    return Done{};
  }

  Status ReadOperation(const Json& json, const std::string& where,
                       const std::vector<Condition>& common) {
    KC_CHECK_OK(CheckMembers(json, where, {"op_name", "constraints"}));
    const auto name = attest::TextMember(json, "op_name");
    if (!name.has_value() || name->empty()) return Bad(where, "op_name is missing");
    KC_ASSIGN(const std::vector<std::string> constraints, Texts(json, "constraints", where));
    std::vector<Condition> parts = common;
    std::vector<std::string> operations = OperationsOr(source_.options, {"release"});
    if (const auto found = source_.options.operation_names.find(*name);
        found != source_.options.operation_names.end()) {
      operations = found->second;
      draft_.findings.Attention(where, *name + " is taken for what --op says");
    } else if (*name != "*") {
      parts.push_back(draft_.findings.LeaveOut(
          where, "what the application does is its own word: the measurement tells it; --op " +
                     *name + "=OPERATIONS says what stands for it here"));
    }
    parts.push_back(Constraints(constraints, where + ".constraints"));
    draft_.permits.push_back({where, operations, Condition::All(std::move(parts))});
    return Done{};
  }

  Condition Parties(const std::vector<std::string>& parties, const std::string& where) {
    std::vector<Condition> known;
    for (const std::string& party : parties) {
      const auto found = source_.options.parties.find(party);
      if (found == source_.options.parties.end()) {
        (void)draft_.findings.LeaveOut(
            where + ".grantee_party_ids",
            "party " + party + " is only the request's word there; --party " + party +
                "=tls.san=NAME says by which certificate it is known here");
        continue;
      }
      const auto& [claim, text] = found->second;
      known.push_back(Is(claim, text));
    }
    if (parties.empty()) return draft_.findings.LeaveOut(where, "no party: nobody is allowed");
    return Condition::Any(std::move(known));
  }

  Condition Constraints(const std::vector<std::string>& list, const std::string& where) {
    std::vector<Condition> parts;
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string at = where + "[" + std::to_string(i) + "]";
      if (list[i].find_first_not_of(" \t\r\n") == std::string::npos) continue;
      parts.push_back(Constraint(list[i], at));
    }
    return Condition::All(std::move(parts));
  }

  Condition Constraint(const std::string& text, const std::string& where) {
    auto tokens = Tokenize(text, kExpression, {});
    if (!tokens.ok()) return draft_.findings.LeaveOut(where, tokens.error().detail());
    TokenReader reader(text, kExpression, *std::move(tokens));
    const auto expression = ParseRhai(reader);
    if (!expression.ok()) return draft_.findings.LeaveOut(where, expression.error().detail());
    return Translate(*expression, false, [&](const SourceExpression& leaf, bool negated) {
      return OfLeaf(leaf, negated, where);
    });
  }

  Condition OfLeaf(const SourceExpression& leaf, bool negated, const std::string& where) {
    if (const auto constant = Constant(leaf); constant.has_value())
      return *constant != negated ? Condition::Always() : Condition::Never();
    const auto comparison =
        leaf.kind == SourceExpression::Kind::kCompare ? PathFirst(leaf) : std::nullopt;
    if (!comparison.has_value() || comparison->right.kind != SourceOperand::Kind::kText ||
        (comparison->op != "==" && comparison->op != "!="))
      return draft_.findings.LeaveOut(where, leaf.text + ": wanted == or != and a text");
    const bool differs = (comparison->op == "!=") != negated;
    const std::string path = comparison->left.PathText();
    const std::string& value = comparison->right.text;
    if (path == "r/env/tee/platform") return Platform(value, differs, leaf, where);
    if (path == "r/env/tee/sgx/mr_enclave") return Sgx("measurement", value, differs, leaf, where);
    if (path == "r/env/tee/sgx/mr_signer") return Sgx("signer", value, differs, leaf, where);
    for (const TdxField& field : TdxFields()) {
      if (field.path == path) return Tdx(field, value, differs, leaf, where);
    }
    return draft_.findings.LeaveOut(
        where, leaf.text + (path.starts_with("r/env/")
                                ? ": nothing here holds what this names"
                                : ": only the request's own word, which nothing attests"));
  }

  Condition Platform(const std::string& value, bool differs, const SourceExpression& leaf,
                     const std::string& where) {
    std::vector<std::string> fitting;
    for (const char* tee : {"sgx", "tdx"}) {
      if ((value == tee) != differs) fitting.emplace_back(tee);
    }
    if (fitting.empty())
      return draft_.findings.LeaveOut(where, leaf.text + ": its evidence is not taken here");
    return In("tee", fitting);
  }

  Condition Sgx(const char* claim, const std::string& value, bool differs,
                const SourceExpression& leaf, const std::string& where) {
    const auto hex = HexOf(value);
    if (!hex.has_value() || hex->size() != 64)
      return draft_.findings.LeaveOut(where, leaf.text + ": wanted 32 bytes in hexadecimal");
    const Term term{claim, "is", {YamlText(*hex)}, false};
    return Condition::All({Is("tee", "sgx"), AllOrNot({term}, differs)});
  }

  Condition Tdx(const TdxField& field, const std::string& value, bool differs,
                const SourceExpression& leaf, const std::string& where) {
    const auto hex = HexOf(value);
    if (!hex.has_value() || hex->size() != kRegister * field.claims.size())
      return draft_.findings.LeaveOut(where, leaf.text + ": wanted " +
                                                 std::to_string(field.claims.size()) +
                                                 " registers of 48 bytes in hexadecimal");
    std::vector<Term> terms;
    for (size_t i = 0; i < field.claims.size(); ++i) {
      terms.push_back(
          {field.claims[i], "is", {YamlText(hex->substr(i * kRegister, kRegister))}, false});
    }
    return Condition::All({Is("tee", "tdx"), AllOrNot(terms, differs)});
  }

  const Source& source_;
  Draft draft_;
};

}  // namespace

Result<std::vector<Draft>> FromCapsuleManager(const Source& source) { return Reader(source).Run(); }

}  // namespace keyclave::ctl::convert
