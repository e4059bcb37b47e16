#include "enclave/config/fleet_config.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>

namespace keyclave::config {
namespace {

constexpr size_t kMaxEndpoints = 16;
constexpr size_t kMaxPeers = 64;
constexpr size_t kMaxMember = 64;  // characters
constexpr size_t kMaxPrefix = 128;
constexpr int64_t kMaxDeadline = 60;                  // seconds
constexpr int64_t kMaxOffline = int64_t{30} * 86400;  // seconds

bool IsNameCharacter(char one) {
  return (one >= 'a' && one <= 'z') || (one >= 'A' && one <= 'Z') || (one >= '0' && one <= '9') ||
         one == '.' || one == '_' || one == '-';
}

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= kMaxMember &&
         std::all_of(text.begin(), text.end(), IsNameCharacter);
}

Result<std::string> HostName() {
  std::array<char, kMaxMember + 1> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || !IsName(name.data()))
    return Fail(Code::kConfigMissingKey, "the host's name is none for a member: say fleet.member");
  return std::string(name.data());
}

// Clear text stays on the machine.
bool IsLoopback(std::string_view rest) {
  return rest.starts_with("127.0.0.1:") || rest.starts_with("[::1]:") ||
         rest.starts_with("localhost:");
}

Result<std::string> EndpointUrl(const YamlValue& value) {
  auto text = value.AsText();
  if (!text.ok()) return text;
  const std::string& url = *text;
  constexpr std::string_view kSecure = "https://";
  constexpr std::string_view kClear = "http://";
  const bool secure = url.starts_with(kSecure);
  if (!secure && !url.starts_with(kClear))
    return value.Bad("must be https://host:port, or http://127.0.0.1:port");
  const std::string_view rest =
      std::string_view(url).substr(secure ? kSecure.size() : kClear.size());
  const size_t colon = rest.rfind(':');
  const std::string_view port = colon == rest.npos ? "" : rest.substr(colon + 1);
  if (colon == 0 || port.empty() || port.size() > 5 ||
      port.find_first_not_of("0123456789") != port.npos || rest.find_first_of("/?#@ ") != rest.npos)
    return value.Bad("must be https://host:port, with nothing after the port");
  if (!secure && !IsLoopback(rest))
    return value.Bad("without TLS only this machine itself: http://127.0.0.1:port");
  return text;
}

Result<std::string> FilePath(const YamlValue& value) {
  auto path = value.AsText();
  if (path.ok() && !path->starts_with('/')) return value.Bad("must be an absolute path");
  return path;
}

Status ReadEndpoints(YamlMap& map, FleetConfig& fleet) {
  KC_ASSIGN(const YamlValue list, map.Require("endpoints"));
  KC_ASSIGN(const std::vector<YamlValue> endpoints, list.AsList());
  std::set<std::string> seen;
  for (const YamlValue& endpoint : endpoints) {
    KC_ASSIGN(std::string url, EndpointUrl(endpoint));
    if (!seen.insert(url).second) return endpoint.Bad("is there twice");
    fleet.endpoints.push_back(std::move(url));
  }
  if (fleet.endpoints.empty() || fleet.endpoints.size() > kMaxEndpoints)
    return list.Bad("must name 1 to " + std::to_string(kMaxEndpoints) + " endpoints");
  return Done{};
}

Status ReadTls(YamlMap& map, FleetConfig& fleet) {
  const std::pair<const char*, std::string*> files[] = {
      {"ca", &fleet.ca_file}, {"certificate", &fleet.certificate_file}, {"key", &fleet.key_file}};
  for (const auto& [name, path] : files) {
    if (const auto value = map.Take(name)) {
      KC_ASSIGN(*path, FilePath(*value));
    }
  }
  if (fleet.certificate_file.empty() != fleet.key_file.empty())
    return Fail(Code::kConfigMissingKey, map.Where() + ": certificate and key: one is not enough");
  const bool secure = std::any_of(fleet.endpoints.begin(), fleet.endpoints.end(),
                                  [](const std::string& url) { return url.starts_with("https"); });
  if (secure && fleet.ca_file.empty())
    return Fail(Code::kConfigMissingKey,
                map.Where() + ": ca: which certificates of etcd to believe");
  return Done{};
}

Status ReadEtcd(const YamlValue& value, FleetConfig& fleet) {
  KC_ASSIGN(YamlMap map, value.AsMap());
  KC_CHECK_OK(ReadEndpoints(map, fleet));
  KC_CHECK_OK(ReadTls(map, fleet));
  if (const auto prefix = map.Take("prefix")) {
    KC_ASSIGN(fleet.prefix, prefix->AsText());
    if (!fleet.prefix.starts_with('/') || fleet.prefix.ends_with('/') ||
        fleet.prefix.size() > kMaxPrefix)
      return prefix->Bad("must begin with a slash and end with none, as /keyclave does");
  }
  if (const auto deadline = map.Take("deadline")) {
    KC_ASSIGN(const uint64_t seconds, deadline->AsSeconds());
    if (seconds < 1 || seconds > kMaxDeadline) return deadline->Bad("must be 1s to 60s");
    fleet.deadline = std::chrono::seconds(seconds);
  }
  return map.Finish();
}

Result<FleetConfig::Peers> ReadPeers(const YamlValue& value) {
  KC_ASSIGN(YamlMap map, value.AsMap());
  KC_ASSIGN(const YamlValue list, map.Require("endpoints"));
  KC_ASSIGN(const std::vector<YamlValue> addresses, list.AsList());
  if (addresses.empty() || addresses.size() > kMaxPeers)
    return list.Bad("must name 1 to " + std::to_string(kMaxPeers) + " other members");
  std::vector<Endpoint> endpoints;
  std::set<std::string> seen;
  for (const YamlValue& address : addresses) {
    KC_ASSIGN(endpoints.emplace_back(), ReadEndpoint(address));
    if (!seen.insert(endpoints.back().Text()).second) return address.Bad("is there twice");
  }
  KC_ASSIGN(const YamlValue expect, map.Require("expect"));
  KC_ASSIGN(attest::Expression expression, attest::Expression::Parse(expect));
  KC_CHECK_OK(map.Finish());
  return FleetConfig::Peers{std::move(endpoints), std::move(expression)};
}

}  // namespace

Result<std::optional<FleetConfig>> ReadFleet(YamlMap& map) {
  const auto value = map.Take("fleet");
  if (!value) return std::optional<FleetConfig>();
  KC_ASSIGN(YamlMap entries, value->AsMap());
  FleetConfig fleet;
  if (const auto member = entries.Take("member")) {
    KC_ASSIGN(fleet.member, member->AsText());
    if (!IsName(fleet.member))
      return member->Bad("must be of letters, digits, dots, hyphens and underscores, at most 64");
  } else {
    KC_ASSIGN(fleet.member, HostName());
  }
  KC_ASSIGN(const YamlValue etcd, entries.Require("etcd"));
  KC_CHECK_OK(ReadEtcd(etcd, fleet));
  if (const auto offline = entries.Take("offline")) {
    KC_ASSIGN(const uint64_t seconds, offline->AsSeconds());
    if (seconds < 5 || seconds > kMaxOffline) return offline->Bad("must be 5s to 30d");
    fleet.offline = std::chrono::seconds(seconds);
  }
  if (const auto join = entries.Take("join")) {
    KC_ASSIGN(fleet.join, ReadOtherEnclave(*join));
  }
  if (const auto peers = entries.Take("peers")) {
    KC_ASSIGN(fleet.peers, ReadPeers(*peers));
  }
  KC_CHECK_OK(entries.Finish());
  return std::optional(std::move(fleet));
}

}  // namespace keyclave::config
