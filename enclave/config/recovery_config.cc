#include "enclave/config/recovery_config.h"

namespace keyclave::config {
namespace {

constexpr int64_t kMostHolders = 10;  // mech::kMaxHolders

}  // namespace

Result<std::optional<RecoveryConfig>> ReadRecovery(YamlMap& map) {
  const auto value = map.Take("recovery");
  if (!value) return std::optional<RecoveryConfig>();
  RecoveryConfig recovery;
  if (value->IsScalar()) {
    KC_ASSIGN(const std::string text, value->AsText());
    if (text != "none") return value->Bad("must be none, or {threshold: N, keys: {NAME: FILE}}");
    return std::optional(recovery);
  }
  KC_ASSIGN(YamlMap entries, value->AsMap());
  KC_ASSIGN(const YamlValue threshold, entries.Require("threshold"));
  KC_ASSIGN(const int64_t needed, threshold.AsInt(1, kMostHolders));
  KC_ASSIGN(const YamlValue keys, entries.Require("keys"));
  KC_ASSIGN(YamlMap files, keys.AsMap());
  for (auto& [name, file] : files.TakeAll()) {
    KC_ASSIGN(std::string path, file.AsText());
    if (!path.starts_with('/')) return file.Bad("must be an absolute path");
    recovery.keys.push_back({name, std::move(path)});
  }
  KC_CHECK_OK(entries.Finish());
  const auto holders = static_cast<int64_t>(recovery.keys.size());
  if (holders < needed || holders > kMostHolders)
    return keys.Bad("must be " + std::to_string(needed) + " to " + std::to_string(kMostHolders) +
                    " keys, as the threshold is " + std::to_string(needed));
  recovery.threshold = static_cast<size_t>(needed);
  return std::optional(std::move(recovery));
}

}  // namespace keyclave::config
