#include "enclave/authz/wrap_forms.h"

#include <algorithm>
#include <array>

namespace keyclave::authz {
namespace {

constexpr std::array<std::string_view, kWrapFormCount> kNames = {"rsa-aes-key-wrap-sha256",
                                                                 "rsa-aes-key-wrap-sha384",
                                                                 "rsa-oaep-sha256",
                                                                 "rsa-oaep-sha384",
                                                                 "hpke-p256",
                                                                 "hpke-x25519",
                                                                 "token-key",
                                                                 "jwe-rsa-oaep-256",
                                                                 "jwe-ecdh-es-a256kw"};
constexpr std::string_view kBothHpke = "hpke";
constexpr std::string_view kBothJwe = "jwe";

std::string Known() {
  std::string text = std::string(kBothHpke) + ", " + std::string(kBothJwe);
  for (const std::string_view name : kNames) text.append(", ").append(name);
  return text;
}

// The forms that a name of the list stands for.
std::vector<WrapForm> FormsOf(std::string_view name) {
  if (name == kBothHpke) return {WrapForm::kHpkeP256, WrapForm::kHpkeX25519};
  if (name == kBothJwe) return {WrapForm::kJweRsaOaep256, WrapForm::kJweEcdhEsA256Kw};
  const auto form = ParseWrapForm(name);
  return form.has_value() ? std::vector{*form} : std::vector<WrapForm>{};
}

}  // namespace

std::string_view WrapFormName(WrapForm form) { return kNames.at(static_cast<size_t>(form)); }

std::optional<WrapForm> ParseWrapForm(std::string_view name) {
  const auto* const found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<WrapForm>(found - kNames.begin());
}

WrapForms WrapForms::RecipientBound() {
  WrapForms forms;
  for (size_t i = 0; i < kWrapFormCount; ++i) {
    const auto form = static_cast<WrapForm>(i);
    const bool named_only = form == WrapForm::kTokenKey || form == WrapForm::kJweRsaOaep256 ||
                            form == WrapForm::kJweEcdhEsA256Kw;
    if (!named_only) forms.Add(form);
  }
  return forms;
}

std::string WrapForms::Text() const {
  std::string text;
  for (size_t i = 0; i < kWrapFormCount; ++i) {
    const auto form = static_cast<WrapForm>(i);
    if (Has(form)) text.append(text.empty() ? "" : ", ").append(WrapFormName(form));
  }
  return text;
}

Result<WrapForms> ParseWrapForms(const YamlValue& yaml) {
  KC_ASSIGN(const std::vector<YamlValue> items, yaml.AsList());
  if (items.empty())
    return yaml.Bad(
        "a release in no form releases nothing; leave the key out for every form that "
        "is bound to the recipient and to its channel");
  WrapForms forms;
  for (const YamlValue& item : items) {
    KC_ASSIGN(const std::string name, item.AsText());
    const std::vector<WrapForm> named = FormsOf(name);
    if (named.empty()) return item.Bad("no such form (known: " + Known() + ")");
    for (const WrapForm form : named) {
      if (forms.Has(form)) return item.Bad("named twice");
      forms.Add(form);
    }
  }
  return forms;
}

}  // namespace keyclave::authz
