// Azure Secure Key Release: `anyOf` authorities, each with nested `allOf` and `anyOf` over
// {claim, equals}. A claim is one of Microsoft Azure Attestation's; its caller presents the
// service's token here too, and what the token says is found under the names of maa_fields.h.

#include <algorithm>
#include <charconv>

#include "attest/strict_json.h"
#include "attest/token/maa_fields.h"
#include "enclave/ctl/convert/draft.h"

namespace keyclave::ctl::convert {
namespace {

using attest::token::FieldRow;
using attest::token::FieldType;
using attest::token::kMaaCommon;
using attest::token::kMaaTypes;
using attest::token::MaaType;
using Json = nlohmann::json;

constexpr std::string_view kIsolation = "x-ms-isolation-tee.";
constexpr std::string_view kType = "x-ms-attestation-type";

Error Bad(const std::string& where, std::string_view why) {
  return Fail(Code::kMalformed, where + ": " + std::string(why));
}

// Every member's name is one of these.
Status CheckMembers(const Json& object, const std::string& where,
                    std::initializer_list<std::string_view> known) {
  if (!object.is_object()) return Bad(where, "wanted an object");
  for (const auto& [name, value] : object.items()) {
    if (std::find(known.begin(), known.end(), name) == known.end())
      return Bad(where, "a member that the grammar does not have: " + name);
  }
  return Done{};
}

// A whole number that is not negative, written as one or as a text.
std::optional<int64_t> Number(const Json& value) {
  int64_t number = -1;
  if (value.is_number_unsigned() && value.get<uint64_t>() <= uint64_t{INT64_MAX})
    number = value.get<int64_t>();
  if (const auto* text = value.get_ptr<const std::string*>()) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
    if (std::to_string(number) != *text) return std::nullopt;
  }
  return number < 0 ? std::nullopt : std::optional(number);
}

// The operand in YAML; nullopt where the token's claim can never equal it.
std::optional<std::string> Operand(const Json& value, FieldType type) {
  const auto* text = value.get_ptr<const std::string*>();
  switch (type) {
    case FieldType::kText:
      return text == nullptr || !IsClaimText(*text) ? std::nullopt : std::optional(YamlText(*text));
    case FieldType::kHex: {
      const auto hex = text == nullptr ? std::nullopt : HexOf(*text);
      return hex.has_value() ? std::optional(YamlText(*hex)) : std::nullopt;
    }
    case FieldType::kInteger: {
      const auto number = Number(value);
      return number.has_value() ? std::optional(std::to_string(*number)) : std::nullopt;
    }
    case FieldType::kIntegerText: {
      const auto number = Number(value);
      return number.has_value() ? std::optional(YamlText(std::to_string(*number))) : std::nullopt;
    }
    case FieldType::kBool:
      // The service's own examples write its booleans as texts.
      if (value == Json(true) || value == Json("true")) return "true";
      if (value == Json(false) || value == Json("false")) return "false";
      return std::nullopt;
    case FieldType::kDigest:
    case FieldType::kTexts: break;
  }
  return std::nullopt;
}

const FieldRow* FindRow(std::span<const FieldRow> rows, std::string_view member) {
  const auto found = std::find_if(rows.begin(), rows.end(),
                                  [&](const FieldRow& row) { return row.member == member; });
  return found == rows.end() ? nullptr : &*found;
}

class Reader {
 public:
  explicit Reader(const Source& source) : source_(source) { draft_.name = StemOf(source.file); }

  Result<std::vector<Draft>> Run() {
    KC_ASSIGN(Json document, attest::ParseStrictJson(AsBytes(source_.text)));
    // What `az keyvault key show` prints holds the envelope among the key's other members.
    for (const char* name : {"release_policy", "releasePolicy"}) {
      if (document.contains(name)) document = Json(document[name]);
    }
    if (!document.is_object()) return Fail(Code::kMalformed, "a release policy that is no object");
    if (document.contains("data") || document.contains("encodedPolicy")) {
      KC_ASSIGN(document, OpenEnvelope(document));
    }
    KC_CHECK_OK(ReadPolicy(document));
    Explain();
    std::vector<Draft> drafts;
    drafts.push_back(std::move(draft_));
    return drafts;
  }

 private:
  Result<Json> OpenEnvelope(const Json& envelope) {
    KC_CHECK_OK(
        CheckMembers(envelope, "the envelope",
                     {"contentType", "content_type", "data", "encodedPolicy", "immutable"}));
    const char* member = envelope.contains("data") ? "data" : "encodedPolicy";
    const auto encoded = attest::TextMember(envelope, member);
    if (!encoded.has_value()) return Bad(member, "wanted a text");
    const Json immutable = envelope.value("immutable", Json(false));
    if (!immutable.is_boolean()) return Bad("immutable", "wanted true or false");
    draft_.locked = immutable.get<bool>();
    const auto text = FromBase64(*encoded);
    if (!text.ok()) return Bad(member, "no base64url");
    return attest::ParseStrictJson(*text);
  }

  Status ReadPolicy(const Json& policy) {
    KC_CHECK_OK(CheckMembers(policy, "the policy", {"version", "anyOf", "allOf"}));
    const auto version = attest::TextMember(policy, "version");
    if (version != "1.0.0" && version != "0.2") return Bad("version", "wanted 1.0.0 or 0.2");
    if (policy.contains("anyOf") == policy.contains("allOf"))
      return Bad("the policy", "wanted anyOf with the authorities");
    const bool any = policy.contains("anyOf");
    const std::string name = any ? "anyOf" : "allOf";
    const Json& list = policy[name];
    if (!list.is_array() || list.empty()) return Bad(name, "wanted a list of authorities");
    if (!any && list.size() > 1)
      return Bad(name, "one token cannot be of two authorities: wanted anyOf");
    for (size_t i = 0; i < list.size(); ++i)
      KC_CHECK_OK(ReadAuthority(list[i], name + "[" + std::to_string(i) + "]"));
    return Done{};
  }

  Status ReadAuthority(const Json& authority, const std::string& where) {
    KC_CHECK_OK(CheckMembers(authority, where, {"authority", "anyOf", "allOf"}));
    auto issuer = attest::TextMember(authority, "authority");
    if (!issuer.has_value() || !IsClaimText(*issuer)) return Bad(where, "authority is missing");
    KC_ASSIGN(Condition asked, ReadCombination(authority, where));
    // Tokens name their issuer with its scheme and without a slash at the end.
    if (issuer->find("://") == std::string::npos) issuer->insert(0, "https://");
    if (issuer->ends_with('/')) issuer->pop_back();
    Condition from = Condition::Never();
    if (issuer->starts_with("https://")) {
      from = Is("token.issuer", *issuer);
    } else {
      from = draft_.findings.LeaveOut(where + ".authority", "no https address: " + *issuer);
    }
    draft_.permits.push_back({where, OperationsOr(source_.options, {"release"}),
                              Condition::All({Is("tee", "token"), Is("token.family", "maa"),
                                              std::move(from), std::move(asked)})});
    return Done{};
  }

  // The `allOf` or `anyOf` of an object, whichever it has. JSON's depth bounds the recursion.
  Result<Condition> ReadCombination(const Json& object, const std::string& where) {
    if (object.contains("anyOf") == object.contains("allOf"))
      return Bad(where, "wanted one of anyOf and allOf");
    const bool any = object.contains("anyOf");
    const std::string name = any ? "anyOf" : "allOf";
    const Json& list = object[name];
    if (!list.is_array() || list.empty()) return Bad(where + "." + name, "wanted conditions");
    std::vector<Condition> parts;
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string at = where + "." + name + "[" + std::to_string(i) + "]";
      KC_ASSIGN(Condition part, ReadCondition(list[i], at));
      parts.push_back(std::move(part));
    }
    return any ? Condition::Any(std::move(parts)) : Condition::All(std::move(parts));
  }

  Result<Condition> ReadCondition(const Json& condition, const std::string& where) {
    if (!condition.is_object() || !condition.contains("claim")) {
      KC_CHECK_OK(CheckMembers(condition, where, {"anyOf", "allOf"}));
      return ReadCombination(condition, where);
    }
    KC_CHECK_OK(CheckMembers(condition, where, {"claim", "equals", "greater"}));
    const auto claim = attest::TextMember(condition, "claim");
    if (!claim.has_value()) return Bad(where, "claim is no text");
    if (condition.contains("equals") == condition.contains("greater"))
      return Bad(where, "wanted equals");
    const bool equals = condition.contains("equals");
    const Json& value = condition[equals ? "equals" : "greater"];
    if (!value.is_string() && !value.is_boolean() && !value.is_number())
      return Bad(where, "wanted a text, a number, true or false to compare with");
    return equals ? Equals(*claim, value, where) : Greater(*claim, value, where);
  }

  Condition Unknown(const std::string& claim, const std::string& where) {
    return draft_.findings.LeaveOut(
        where, claim + ": no claim of Keyclave's holds what the service says under this name");
  }

  Condition Compared(const FieldRow& row, const std::string& claim, const Json& value,
                     const std::string& where) {
    const auto operand = Operand(value, row.type);
    if (!operand.has_value()) {
      return draft_.findings.LeaveOut(
          where, claim + ": no value that it can have: " + value.dump(-1, ' ', true));
    }
    if (row.type == FieldType::kBool && value.is_string())
      draft_.findings.Note(where, claim + " is a boolean, and so is taken its text");
    return IsYaml(row.claim, *operand);
  }

  // Claims of the hardware, and the kinds of token that have them at this level.
  Condition OfHardware(const std::string& member, bool nested, const auto& compare) {
    std::vector<Condition> alternatives;
    for (const MaaType& type : kMaaTypes) {
      const FieldRow* row = FindRow(type.fields, member);
      if (row == nullptr) continue;
      const std::string_view outer = nested ? "azurevm" : type.type;
      alternatives.push_back(Condition::All(
          {Is("token.attestation_type", outer), Is("token.tee", type.tee), compare(*row)}));
    }
    return Condition::Any(std::move(alternatives));
  }

  static bool IsHardware(const std::string& member) {
    return std::any_of(std::begin(kMaaTypes), std::end(kMaaTypes), [&](const MaaType& type) {
      return FindRow(type.fields, member) != nullptr;
    });
  }

  Condition Equals(const std::string& claim, const Json& value, const std::string& where) {
    const bool nested = claim.starts_with(kIsolation);
    const std::string member = nested ? claim.substr(kIsolation.size()) : claim;
    if (nested && member == kType) {
      for (const MaaType& type : kMaaTypes) {
        if (value == Json(type.type)) {
          return Condition::All(
              {Is("token.attestation_type", "azurevm"), Is("token.tee", type.tee)});
        }
      }
      return draft_.findings.LeaveOut(
          where, "a TEE that Keyclave takes no such token of: " + value.dump(-1, ' ', true));
    }
    if (IsHardware(member)) {
      return OfHardware(member, nested,
                        [&](const FieldRow& row) { return Compared(row, claim, value, where); });
    }
    const FieldRow* row = nested ? nullptr : FindRow(kMaaCommon, member);
    return row == nullptr ? Unknown(claim, where) : Compared(*row, claim, value, where);
  }

  // Not in the published grammar, but in its examples.
  Condition Greater(const std::string& claim, const Json& value, const std::string& where) {
    const bool nested = claim.starts_with(kIsolation);
    const std::string member = nested ? claim.substr(kIsolation.size()) : claim;
    const auto number = Number(value);
    if (!IsHardware(member)) return Unknown(claim, where);
    return OfHardware(member, nested, [&](const FieldRow& row) {
      if (row.type != FieldType::kInteger || !number.has_value() || *number == INT64_MAX)
        return draft_.findings.LeaveOut(where, claim + ": `greater` is for numbers");
      draft_.findings.Attention(where, "`greater` is no part of the published grammar; taken as >");
      return Condition::Of({row.claim, "min", {std::to_string(*number + 1)}, false});
    });
  }

  void Explain() {
    draft_.findings.Note(
        "",
        "callers present the service's token (evidence: token in client.yaml, the issuer under "
        "trust.tokens in keyclaved.yaml); for callers with the hardware's own evidence write `tee: "
        "{is: sev-snp}` (or sgx, tdx) and keep measurement, signer, svn, product_id, debug");
    if (source_.options.operations.empty()) {
      draft_.findings.Note("",
                           "released as there; with --operations sign (or decrypt, unwrap …) the "
                           "key stays in the enclave");
    }
  }

  const Source& source_;
  Draft draft_;
};

}  // namespace

Result<std::vector<Draft>> FromAzureSkr(const Source& source) { return Reader(source).Run(); }

}  // namespace keyclave::ctl::convert
