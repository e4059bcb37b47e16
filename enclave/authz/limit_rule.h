// A permit's `limits`: how fast and how often what it permits may be done (docs/policy.md,
// "Limits"). enclave/ops/limits.h counts.
#pragma once

#include <optional>

#include "enclave/base/yaml.h"

namespace keyclave::authz {

struct LimitRule {
  struct Rate {
    uint64_t count = 0;    // operations
    uint64_t seconds = 1;  // 1, 60, 3600 or 86400
    friend bool operator==(const Rate&, const Rate&) = default;
  };
  enum class Per : uint8_t { kKey, kCaller };

  std::optional<Rate> rate;
  uint64_t burst = 0;            // operations at once after a pause; 0 without a rate
  std::optional<uint64_t> uses;  // operations ever
  Per per = Per::kKey;
  friend bool operator==(const LimitRule&, const LimitRule&) = default;
};

inline constexpr uint64_t kMaxRateCount = 1'000'000'000;
inline constexpr uint64_t kMaxBurst = 1'000'000'000;
inline constexpr uint64_t kMaxUses = uint64_t{1} << 53;  // JSON readers keep it exact

// `{rate: 5000/s, burst: 10000, uses: 100000000, per: key}`; rates are per s, m, h or d. At least
// one of rate and uses; burst only beside rate, whose count it is by default. kConfig… with the
// line.
Result<LimitRule> ParseLimitRule(const YamlValue& yaml);
// As ParseLimitRule reads it, every member written out.
std::string Print(const LimitRule& rule);

}  // namespace keyclave::authz
