#include "enclave/authz/verifier_trouble.h"

#include "attest/evidence.h"

namespace keyclave::authz {
namespace {

constexpr std::string_view kPrefix = "use_cached(";

}  // namespace

Result<uint64_t> ParseVerifierTrouble(const YamlValue& yaml) {
  constexpr std::string_view kWanted = "wanted deny, or for how long: use_cached(24h)";
  KC_ASSIGN(const std::string text, yaml.AsText());
  if (text == "deny") return uint64_t{0};
  std::string_view inner = text;
  if (!inner.starts_with(kPrefix) || !inner.ends_with(')')) return yaml.Bad(kWanted);
  inner.remove_prefix(kPrefix.size());
  inner.remove_suffix(1);
  const auto seconds = ParseSeconds(inner);
  if (!seconds.ok() && seconds.code() != Code::kTooLarge) return yaml.Bad(kWanted);
  if (!seconds.ok() || *seconds > attest::kMaxCollateralGrace)
    return yaml.Bad("no more than use_cached(30d): older collateral tells nothing of today");
  if (*seconds == 0) return yaml.Bad("for no time at all: say deny");
  return *seconds;
}

std::string PrintVerifierTrouble(uint64_t seconds) {
  return seconds == 0 ? "deny" : std::string(kPrefix) + std::to_string(seconds) + "s)";
}

}  // namespace keyclave::authz
