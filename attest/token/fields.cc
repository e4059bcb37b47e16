#include "attest/token/fields.h"

#include <algorithm>

#include "attest/strict_json.h"

namespace keyclave::attest::token {
namespace {

constexpr size_t kMaxNonces = 16;

std::optional<ClaimValue> HexValue(std::string_view text) {
  const auto bytes = FromHex(text);
  if (!bytes.ok() || bytes->empty()) return std::nullopt;
  return ToHex(*bytes);
}

std::optional<int64_t> Integer(const Json& value) {
  if (!value.is_number_unsigned()) return std::nullopt;
  const auto number = value.get<uint64_t>();
  if (number > uint64_t{INT64_MAX}) return std::nullopt;
  return static_cast<int64_t>(number);
}

std::optional<ClaimValue> Texts(const Json& value) {
  if (!value.is_array()) return std::nullopt;
  std::vector<std::string> texts;
  for (const Json& one : value) {
    if (!one.is_string()) return std::nullopt;
    texts.push_back(one.get<std::string>());
  }
  return texts;
}

std::optional<ClaimValue> ValueOf(const Json& value, FieldType type) {
  constexpr std::string_view kDigest = "sha256:";
  const auto* text = value.get_ptr<const std::string*>();
  switch (type) {
    case FieldType::kText: return text == nullptr ? std::nullopt : std::optional<ClaimValue>(*text);
    case FieldType::kHex: return text == nullptr ? std::nullopt : HexValue(*text);
    case FieldType::kDigest:
      if (text == nullptr || !text->starts_with(kDigest)) return std::nullopt;
      return HexValue(std::string_view(*text).substr(kDigest.size()));
    case FieldType::kInteger: return Integer(value);
    case FieldType::kIntegerText: {
      const auto number = Integer(value);
      if (!number.has_value()) return std::nullopt;
      return std::to_string(*number);
    }
    case FieldType::kBool:
      return value.is_boolean() ? std::optional<ClaimValue>(value.get<bool>()) : std::nullopt;
    case FieldType::kTexts: return Texts(value);
  }
  return std::nullopt;
}

}  // namespace

const Json* Member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

void CopyFields(const Json& object, std::span<const FieldRow> rows, ClaimSet& claims) {
  for (const FieldRow& row : rows) {
    const Json* value = Member(object, row.member);
    if (value == nullptr) continue;
    if (auto claim = ValueOf(*value, row.type); claim.has_value())
      claims.Set(row.claim, *std::move(claim));
  }
}

std::optional<std::string> IntelStatus(std::string_view status) {
  struct Row {
    std::string_view intel;
    std::string_view claim;
  };
  constexpr Row kRows[] = {
      {"UpToDate", "up-to-date"},
      {"SWHardeningNeeded", "sw-hardening-needed"},
      {"ConfigurationNeeded", "configuration-needed"},
      {"ConfigurationAndSWHardeningNeeded", "configuration-and-sw-hardening-needed"},
      {"OutOfDate", "out-of-date"},
      {"OutOfDateConfigurationNeeded", "out-of-date-configuration-needed"},
      {"Revoked", "revoked"}};
  for (const Row& row : kRows) {
    if (row.intel == status) return std::string(row.claim);
  }
  return std::nullopt;
}

Status SetIntelStatus(const Json& object, const char* member, ClaimSet& claims) {
  const Json* found = Member(object, member);
  if (found == nullptr) return Done{};
  const auto status = IntelStatus(found->is_string() ? found->get<std::string>() : "");
  if (!status.has_value() || *status == "revoked")
    return FailWanted(Code::kEvidenceTcb, member, "a status of Intel's but Revoked", found->dump());
  claims.Set("tcb_status", *status);
  return Done{};
}

void AddHex(const Json& object, const char* member, std::vector<Bytes>& list) {
  const auto text = TextMember(object, member);
  if (!text.has_value()) return;
  if (auto bytes = FromHex(*text); bytes.ok()) list.push_back(*std::move(bytes));
}

void AddBase64(const Json& object, const char* member, std::vector<Bytes>& list) {
  const auto text = TextMember(object, member);
  if (!text.has_value()) return;
  if (auto bytes = FromBase64(*text); bytes.ok()) list.push_back(*std::move(bytes));
}

void AddNonces(const Json& object, std::vector<Bytes>& list) {
  const Json* found = Member(object, "eat_nonce");
  if (found == nullptr) return;
  const Json nonces = found->is_array() ? *found : Json::array({*found});
  for (size_t i = 0; i < std::min(nonces.size(), kMaxNonces); ++i) {
    const auto* text = nonces[i].get_ptr<const std::string*>();
    if (text == nullptr) continue;
    if (auto bytes = FromHex(*text); bytes.ok()) list.push_back(*std::move(bytes));
    if (auto bytes = FromBase64(*text); bytes.ok()) list.push_back(*std::move(bytes));
    list.push_back(ToBytes(*text));
  }
}

}  // namespace keyclave::attest::token
