#include "enclave/authz/input_rule.h"

#include <array>

namespace keyclave::authz {
namespace {

constexpr std::array<std::string_view, kInputFormCount> kFormNames = {
    "tls-server", "tls-client", "x509-csr", "x509-tbs", "x509-crl", "x509-ocsp", "digest", "any"};

template <class List>
std::string Join(const List& list) {
  std::string text;
  for (const std::string_view item : list) text.append(text.empty() ? "" : ", ").append(item);
  return text;
}

template <class Value, size_t kCount>
std::optional<Value> FindName(const std::array<std::string_view, kCount>& names,
                              std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Value>(found - names.begin());
}

Status ParseForm(const YamlValue& yaml, InputRule& rule) {
  std::optional<InputForm> form;
  std::optional<X509Constraints> x509;
  if (yaml.IsMap()) {
    KC_ASSIGN(YamlMap map, yaml.AsMap());
    KC_ASSIGN(const YamlValue constraints, map.Require("x509-tbs"));
    KC_CHECK_OK(map.Finish());
    KC_ASSIGN(x509, ParseX509Constraints(constraints));
    form = InputForm::kX509Tbs;
  } else {
    KC_ASSIGN(const std::string name, yaml.AsText());
    form = FindName<InputForm>(kFormNames, name);
    if (!form) return yaml.Bad("no such form (known: " + Join(kFormNames) + ")");
    if (*form == InputForm::kX509Tbs) x509.emplace();  // no names, no CA
  }
  if (rule.Has(*form)) return yaml.Bad("named twice");
  rule.forms.push_back(*form);
  if (x509) rule.x509 = std::move(x509);
  return Done{};
}

}  // namespace

std::string_view InputFormName(InputForm form) { return kFormNames.at(static_cast<size_t>(form)); }

bool InputRule::Has(InputForm form) const {
  return std::find(forms.begin(), forms.end(), form) != forms.end();
}

Result<InputRule> ParseInputRule(const YamlValue& yaml) {
  InputRule rule;
  if (!yaml.IsList()) {
    KC_CHECK_OK(ParseForm(yaml, rule));
    return rule;
  }
  KC_ASSIGN(const std::vector<YamlValue> items, yaml.AsList());
  if (items.empty()) return yaml.Bad("an empty list lets nothing be signed");
  for (const YamlValue& item : items) KC_CHECK_OK(ParseForm(item, rule));
  if (rule.Has(InputForm::kAny) && rule.forms.size() > 1)
    return yaml.Bad("any stands alone: beside it, other forms say nothing");
  return rule;
}

std::string PrintInputRule(const InputRule& rule) {
  std::string text;
  for (const InputForm form : rule.forms) {
    text.append(text.empty() ? "[" : ", ")
        .append(form == InputForm::kX509Tbs && rule.x509
                    ? "{x509-tbs: {" + PrintX509Constraints(*rule.x509) + "}}"
                    : std::string(InputFormName(form)));
  }
  return text + "]";
}

}  // namespace keyclave::authz
