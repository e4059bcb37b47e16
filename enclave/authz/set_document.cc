#include "enclave/authz/set_document.h"

#include <algorithm>

#include "enclave/base/hash.h"

namespace keyclave::authz {
namespace {

constexpr size_t kMaxValue = 1024;   // characters
constexpr size_t kMaxReason = 1024;  // characters

Result<std::string> ParseLine(const YamlValue& yaml, size_t max) {
  KC_ASSIGN(std::string text, yaml.AsText());
  if (text.empty()) return yaml.Bad("must not be empty");
  if (text.size() > max) return yaml.Bad("longer than " + std::to_string(max) + " characters");
  if (std::any_of(text.begin(), text.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
    return yaml.Bad("must not have control characters");
  return text;
}

Result<std::optional<UnixTime>> TakeTime(YamlMap& map, std::string_view key) {
  const auto yaml = map.Take(key);
  if (!yaml.has_value()) return std::optional<UnixTime>();
  KC_ASSIGN(const std::string text, yaml->AsText());
  const auto time = ParseTime(text);
  if (!time.ok()) return yaml->Bad(time.error().detail());
  return std::optional(*time);
}

Result<SetDocument::Entry> ParseEntry(const YamlValue& yaml) {
  KC_ASSIGN(YamlMap map, yaml.AsMap());
  SetDocument::Entry entry{.value = {},
                           .not_before = std::nullopt,
                           .not_after = std::nullopt,
                           .reason = {},
                           .line = yaml.Line()};
  KC_ASSIGN(const YamlValue value, map.Require("value"));
  KC_ASSIGN(entry.value, ParseLine(value, kMaxValue));
  KC_ASSIGN(const YamlValue reason, map.Require("reason"));
  KC_ASSIGN(entry.reason, ParseLine(reason, kMaxReason));
  KC_ASSIGN(entry.not_before, TakeTime(map, "not_before"));
  KC_ASSIGN(entry.not_after, TakeTime(map, "not_after"));
  KC_CHECK_OK(map.Finish());
  if (entry.not_before && entry.not_after && *entry.not_before >= *entry.not_after)
    return yaml.Bad("it ends before it begins");
  return entry;
}

attest::ReferenceSet::Span SpanOf(const SetDocument::Entry& entry) {
  attest::ReferenceSet::Span span;
  if (entry.not_before) span.from = *entry.not_before;
  if (entry.not_after) span.until = *entry.not_after;
  return span;
}

}  // namespace

Result<SetDocument> SetDocument::Parse(std::string_view text, std::string_view file_name) {
  KC_ASSIGN(const YamlValue root, ParseYaml(text, file_name));
  KC_ASSIGN(YamlMap map, root.AsMap());
  SetDocument set;
  set.digest_ = Sha256(AsBytes(text));
  KC_ASSIGN(const YamlValue name, map.Require("set"));
  KC_ASSIGN(set.name_, ParseName(name));
  KC_ASSIGN(const YamlValue version, map.Require("version"));
  KC_ASSIGN(set.version_, ParseVersion(version));
  if (const auto change = map.Take("change")) {
    KC_ASSIGN(set.change_, ParseQuorum(*change));
  }
  KC_ASSIGN(const YamlValue entries, map.Require("entries"));
  KC_CHECK_OK(map.Finish());
  KC_ASSIGN(const std::vector<YamlValue> items, entries.AsList());
  if (items.size() > kMaxSetEntries)
    return entries.Bad("more than " + std::to_string(kMaxSetEntries) + " entries");
  for (const YamlValue& item : items) {
    KC_ASSIGN(Entry entry, ParseEntry(item));
    set.entries_.push_back(std::move(entry));
  }
  return set;
}

attest::ReferenceSet SetDocument::Values() const {
  attest::ReferenceSet values;
  for (const Entry& entry : entries_) values.Add(entry.value, SpanOf(entry));
  return values;
}

size_t SetDocument::CountCurrent(UnixTime now) const {
  return static_cast<size_t>(std::count_if(entries_.begin(), entries_.end(), [&](const Entry& one) {
    const auto span = SpanOf(one);
    return now >= span.from && now < span.until;
  }));
}

}  // namespace keyclave::authz
