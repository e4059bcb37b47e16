#include "enclave/authz/limit_rule.h"

#include <array>
#include <charconv>

namespace keyclave::authz {
namespace {

struct Unit {
  char letter;
  uint64_t seconds;
};
constexpr std::array<Unit, 4> kUnits = {{{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}}};

constexpr uint64_t kLongestFill = uint64_t{100} * 366 * 86400;  // seconds

Result<uint64_t> ParseCount(const YamlValue& yaml, uint64_t max) {
  KC_ASSIGN(const int64_t count, yaml.AsInt(1, static_cast<int64_t>(max)));
  return static_cast<uint64_t>(count);
}

Result<LimitRule::Rate> ParseRate(const YamlValue& yaml) {
  constexpr std::string_view kWanted =
      "wanted a rate such as 5000/s, 300/m, 100/h or 10/d (at most 1000000000)";
  KC_ASSIGN(const std::string text, yaml.AsText());
  LimitRule::Rate rate;
  const char* const end = text.data() + text.size();
  const auto [slash, error] = std::from_chars(text.data(), end, rate.count);
  const bool digits = error == std::errc() && text.front() != '0' && rate.count <= kMaxRateCount;
  if (!digits || end - slash != 2 || *slash != '/') return yaml.Bad(kWanted);
  for (const Unit& unit : kUnits) {
    if (unit.letter != text.back()) continue;
    rate.seconds = unit.seconds;
    return rate;
  }
  return yaml.Bad(kWanted);
}

Status ParseRateAndBurst(YamlMap& map, LimitRule& rule) {
  const auto rate = map.Take("rate");
  const auto burst = map.Take("burst");
  if (rate.has_value()) {
    KC_ASSIGN(rule.rate, ParseRate(*rate));
    rule.burst = rule.rate->count;
  }
  if (!burst.has_value()) return Done{};
  if (!rate.has_value()) return burst->Bad("a burst is of a rate: say which (rate: 100/s)");
  KC_ASSIGN(rule.burst, ParseCount(*burst, kMaxBurst));
  if (rule.burst > kLongestFill * rule.rate->count / rule.rate->seconds)
    return burst->Bad("at this rate it takes more than a hundred years to come back: say uses");
  return Done{};
}

Result<LimitRule::Per> ParsePer(const YamlValue& yaml) {
  KC_ASSIGN(const std::string text, yaml.AsText());
  if (text == "key") return LimitRule::Per::kKey;
  if (text == "caller") return LimitRule::Per::kCaller;
  return yaml.Bad("wanted key (all callers together) or caller (each by itself)");
}

}  // namespace

Result<LimitRule> ParseLimitRule(const YamlValue& yaml) {
  KC_ASSIGN(YamlMap map, yaml.AsMap());
  LimitRule rule;
  KC_CHECK_OK(ParseRateAndBurst(map, rule));
  if (const auto uses = map.Take("uses")) {
    KC_ASSIGN(rule.uses, ParseCount(*uses, kMaxUses));
  }
  if (const auto per = map.Take("per")) {
    KC_ASSIGN(rule.per, ParsePer(*per));
  }
  KC_CHECK_OK(map.Finish());
  if (!rule.rate.has_value() && !rule.uses.has_value())
    return yaml.Bad("it limits nothing: wanted rate, uses or both");
  return rule;
}

std::string Print(const LimitRule& rule) {
  std::string text = "{";
  if (rule.rate.has_value()) {
    text += "rate: " + std::to_string(rule.rate->count) + "/";
    for (const Unit& unit : kUnits) {
      if (unit.seconds == rule.rate->seconds) text += unit.letter;
    }
    text += ", burst: " + std::to_string(rule.burst) + ", ";
  }
  if (rule.uses.has_value()) text += "uses: " + std::to_string(*rule.uses) + ", ";
  return text + "per: " + (rule.per == LimitRule::Per::kKey ? "key}" : "caller}");
}

}  // namespace keyclave::authz
