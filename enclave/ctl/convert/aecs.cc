// KubeTEE AECS: the YAML of `serviceadmin create`. Each secret becomes a policy, each row of its
// enclaveMatchAnyRules a permit; the fields of a row must all hold.

#include <charconv>

#include "enclave/base/yaml.h"
#include "enclave/ctl/convert/draft.h"

namespace keyclave::ctl::convert {
namespace {

// What a secret is, and what a key that never leaves the enclave is there for.
struct TypeRow {
  std::string_view name;
  const char* released;  // the operation that gives it away
  std::vector<std::string> used;
};
const std::vector<TypeRow>& Types() {
  static const auto& types =
      *new std::vector<TypeRow>{{"SECRET_TYPE_AES256_KEY", "release", {"encrypt", "decrypt"}},
                                {"SECRET_TYPE_RSA_KEY_PAIR", "release", {"sign", "decrypt"}},
                                {"SECRET_TYPE_SM2_KEY_PAIR", "release", {"sign", "decrypt"}},
                                {"SECRET_TYPE_CERTIFICATE", "release", {"sign"}},
                                {"SECRET_TYPE_IMPORT_DATA", "read", {}},
                                {"SECRET_TYPE_CONFIGURATIONS", "read", {}}};
  return types;
}

Result<std::string> TextOr(YamlMap& map, std::string_view key) {
  const auto value = map.Take(key);
  if (!value.has_value()) return std::string();
  return value->AsText();
}

class Reader {
 public:
  explicit Reader(const Source& source) : source_(source) {}

  Result<std::vector<Draft>> Run() {
    KC_ASSIGN(const YamlValue document, ParseYaml(source_.text, source_.file));
    KC_ASSIGN(YamlMap map, document.AsMap());
    (void)map.Take("apiVersion");
    KC_ASSIGN(const YamlValue kind, map.Require("kind"));
    KC_ASSIGN(const std::string name, kind.AsText());
    if (name != "SecretPolicy") return kind.Bad("wanted SecretPolicy");
    KC_ASSIGN(const YamlValue secrets, map.Require("secrets"));
    KC_CHECK_OK(map.Finish());
    KC_ASSIGN(const std::vector<YamlValue> list, secrets.AsList());
    if (list.empty()) return secrets.Bad("no secret is in it");
    std::vector<Draft> drafts;
    for (const YamlValue& secret : list) {
      KC_ASSIGN(Draft draft, ReadSecret(secret));
      drafts.push_back(std::move(draft));
    }
    return drafts;
  }

 private:
  Result<Draft> ReadSecret(const YamlValue& yaml) {
    KC_ASSIGN(YamlMap map, yaml.AsMap());
    KC_ASSIGN(const YamlValue spec, map.Require("spec"));
    const auto data = map.Take("data");
    KC_CHECK_OK(map.Finish());
    draft_ = Draft();
    if (data.has_value()) {
      draft_.findings.Note(data->Where(),
                           "the secret itself is not read here: keyclave apply takes it");
    }
    KC_CHECK_OK(ReadSpec(spec));
    return std::move(draft_);
  }

  Status ReadSpec(const YamlValue& yaml) {
    KC_ASSIGN(YamlMap map, yaml.AsMap());
    KC_ASSIGN(const YamlValue name, map.Require("name"));
    KC_ASSIGN(draft_.name, name.AsText());
    KC_ASSIGN(const YamlValue type, map.Require("type"));
    KC_ASSIGN(const YamlValue policy, map.Require("policy"));
    KC_ASSIGN(const std::string service, TextOr(map, "service"));
    if (const auto readonly = map.Take("readonly")) {
      KC_ASSIGN(draft_.locked, Flag(*readonly));
      if (draft_.locked)
        draft_.findings.Attention(readonly->Where(), "readonly: the policy is locked for ever");
    }
    if (const auto share = map.Take("share")) KC_CHECK_OK(ReadShare(*share));
    (void)map.Take("params");  // how the key was to be made; the key is made, or imported
    KC_CHECK_OK(map.Finish());
    if (!service.empty())
      draft_.findings.Note(yaml.Where(), "a service is a token: apply it to that of " + service);
    KC_ASSIGN(const TypeRow* const row, FindType(type));
    return ReadPolicy(policy, *row);
  }

  static Result<const TypeRow*> FindType(const YamlValue& yaml) {
    KC_ASSIGN(const std::string name, yaml.AsText());
    std::string known;
    for (const TypeRow& row : Types()) {
      if (row.name == name) return &row;
      known.append(known.empty() ? "" : ", ").append(row.name);
    }
    // AECS takes what it does not know for RSA.
    return yaml.Bad("no such type (known: " + known + ")");
  }

  // AECS writes its booleans as texts; an empty one is one that nobody set.
  static Result<bool> Flag(const YamlValue& yaml) {
    KC_ASSIGN(const std::string text, yaml.AsText());
    if (text == "true") return true;
    if (text == "false" || text.empty()) return false;
    return yaml.Bad("wanted true or false");
  }

  Status ReadShare(const YamlValue& yaml) {
    KC_ASSIGN(const std::string text, yaml.AsText());
    if (text == "public") {
      draft_.findings.Note(yaml.Where(),
                           "the public key and the certificate are objects of their own: keyclave "
                           "apply puts them under a policy for whoever reaches the enclave");
      return Done{};
    }
    if (text.empty() || text == "private") return Done{};
    return yaml.Bad("wanted public or private");
  }

  Status ReadPolicy(const YamlValue& yaml, const TypeRow& type) {
    KC_ASSIGN(YamlMap map, yaml.AsMap());
    const auto kind = map.Take("type");
    KC_ASSIGN(const YamlValue rules, map.Require("enclaveMatchAnyRules"));
    KC_CHECK_OK(map.Finish());
    KC_ASSIGN(const std::vector<std::string> operations, Operations(kind, type));
    KC_ASSIGN(const std::vector<YamlValue> rows, rules.AsList());
    if (rows.empty()) draft_.findings.LeaveOut(rules.Where(), "no row: AECS gives it to nobody");
    for (const YamlValue& row : rows) {
      KC_ASSIGN(Condition when, ReadRow(row));
      if (operations.empty()) when = Condition::Never();
      draft_.permits.push_back({row.Where(), operations, std::move(when)});
    }
    return Done{};
  }

  Result<std::vector<std::string>> Operations(const std::optional<YamlValue>& kind,
                                              const TypeRow& type) {
    std::string name = "POLICY_TYPE_BOUND";
    if (kind.has_value()) {
      KC_ASSIGN(name, kind->AsText());
    }
    if (name == "POLICY_TYPE_BOUND") return OperationsOr(source_.options, {type.released});
    const std::string where = kind->Where();
    if (name == "POLICY_TYPE_UNBOUND") {
      draft_.findings.LeaveOut(where, "UNBOUND: who may have it is decided outside AECS");
      return std::vector<std::string>();
    }
    if (name != "POLICY_TYPE_NEVER_EXPORT")
      return kind->Bad("wanted POLICY_TYPE_BOUND, _UNBOUND or _NEVER_EXPORT");
    const std::vector<std::string> operations = OperationsOr(source_.options, type.used);
    for (const std::string& one : operations) {
      if (one != "release" && one != "read" && one != "wrap") continue;
      draft_.findings.LeaveOut(where, "NEVER_EXPORT: " + one + " would give something away");
      return std::vector<std::string>();
    }
    if (operations.empty())
      draft_.findings.LeaveOut(where, "NEVER_EXPORT: data cannot be used without being read");
    return operations;
  }

  Result<Condition> ReadRow(const YamlValue& yaml) {
    KC_ASSIGN(YamlMap map, yaml.AsMap());
    std::vector<Condition> parts{Is("tee", "sgx")};
    KC_CHECK_OK(ReadHex(map, "mrenclave", "measurement", yaml, parts));
    KC_CHECK_OK(ReadHex(map, "mrsigner", "signer", yaml, parts));
    KC_CHECK_OK(ReadNumber(map, "prodID", yaml, parts));
    KC_CHECK_OK(ReadNumber(map, "minIsvSvn", yaml, parts));
    for (const char* field : {"user_data", "spid"}) {
      const auto value = map.Take(field);
      if (!value.has_value()) continue;
      KC_ASSIGN(const std::string text, value->AsText());
      if (text.empty()) continue;
      parts.push_back(draft_.findings.LeaveOut(
          value->Where(), *field == 'u' ? "a quote's report data bind it to its session here, and "
                                          "nothing else can be asked of them"
                                        : "EPID's service provider: its quotes are not taken"));
    }
    if (const auto debug = map.Take("debug_disabled")) {
      KC_ASSIGN(const bool disabled, Flag(*debug));
      if (disabled) parts.push_back(IsYaml("debug", "false"));
      if (!disabled)
        draft_.findings.Attention(debug->Where(), "not checked there; here debug mode is refused");
    }
    KC_CHECK_OK(map.Finish());
    draft_.findings.Note(yaml.Where(),
                         "a row's fields are SGX's, and so `tee: {is: sgx}` is put "
                         "before them");
    return Condition::All(std::move(parts));
  }

  // An empty field is one that AECS does not check; that must be meant.
  Result<std::string> Field(YamlMap& map, const char* field, const YamlValue& row) {
    const auto value = map.Take(field);
    std::string text;
    if (value.has_value()) {
      KC_ASSIGN(text, value->AsText());
    }
    if (text.empty())
      draft_.findings.Attention(row.Where(), std::string(field) + " is empty: it is not checked");
    return text;
  }

  Status ReadHex(YamlMap& map, const char* field, const char* claim, const YamlValue& row,
                 std::vector<Condition>& parts) {
    KC_ASSIGN(const std::string text, Field(map, field, row));
    if (text.empty()) return Done{};
    const auto hex = HexOf(text);
    if (!hex.has_value() || hex->size() != 64)
      return row.Bad(std::string(field) + ": wanted 32 bytes in hexadecimal");
    parts.push_back(Is(claim, *hex));
    return Done{};
  }

  Status ReadNumber(YamlMap& map, const char* field, const YamlValue& row,
                    std::vector<Condition>& parts) {
    KC_ASSIGN(const std::string text, Field(map, field, row));
    if (text.empty()) return Done{};
    uint16_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || std::to_string(number) != text)
      return row.Bad(std::string(field) + ": wanted a number up to 65535");
    const bool svn = std::string_view(field) == "minIsvSvn";
    parts.push_back(svn ? Condition::Of({"svn", "min", {text}, false}) : Is("product_id", text));
    return Done{};
  }

  const Source& source_;
  Draft draft_;
};

}  // namespace

Result<std::vector<Draft>> FromAecs(const Source& source) { return Reader(source).Run(); }

}  // namespace keyclave::ctl::convert
