#include "enclave/config/daemon_config.h"

#include <unistd.h>

#include <algorithm>

#include "attest/producer_config.h"
#include "attest/trust_config.h"
#include "enclave/base/file.h"

#ifdef KEYCLAVE_SIMULATED
#include "attest/simulated_root.h"
#endif

namespace keyclave::config {
namespace {

constexpr uint64_t kMaxDrain = 3600;  // seconds

Result<std::string> AbsolutePath(const YamlValue& value) {
  auto path = value.AsText();
  if (path.ok() && !path->starts_with('/')) return value.Bad("must be an absolute path");
  return path;
}

// The names of evidence types that this build knows, for messages.
std::string KnownTypes() {
  std::string names;
  for (const attest::TeeType* type : attest::AllTeeTypes()) {
    names.append(names.empty() ? "" : ", ").append(type->name);
  }
  return names;
}

Result<std::string> TeeName(const YamlValue& value) {
  KC_ASSIGN(std::string name, value.AsText());
  if (attest::FindTeeType(name) == nullptr) {
    return value.Bad("no such evidence type in this build (it has: " + KnownTypes() + ")");
  }
  return name;
}

Status ReadListen(YamlMap& map, DaemonConfig& config) {
  KC_ASSIGN(const YamlValue listen, map.Require("listen"));
  KC_ASSIGN(const std::vector<YamlValue> addresses, listen.AsList());
  for (const YamlValue& address : addresses) {
    KC_ASSIGN(config.listen.emplace_back(), ReadEndpoint(address));
  }
  if (config.listen.empty()) return listen.Bad("must name at least one address");
  if (const auto mode = map.Take("socket_mode")) {
    KC_ASSIGN(const std::string text, mode->AsText());
    const bool octal = !text.empty() && text.size() <= 4 &&
                       text.find_first_not_of("01234567") == std::string::npos;
    if (!octal) return mode->Bad("must be an octal mode such as \"0660\"");
    config.socket_mode = static_cast<uint32_t>(std::stoul(text, nullptr, 8));
  }
  return Done{};
}

// TEEs whose evidence covers the kernel that says who a co-resident process is.
bool IsWholeMachine(std::string_view tee) {
  return tee == "sev-snp" || tee == "tdx" || tee == "simulated";
}

// How the enclave proves itself. Under its system-call filter the daemon starts no program.
Status ReadProducer(YamlMap& map, DaemonConfig& config) {
  KC_CHECK_OK(attest::ReadProducer(map, config.producer));
  if (config.producer.token_command.empty()) return Done{};
  return Fail(Code::kConfigBadValue,
              map.Where() +
                  ": token: keyclaved starts no programs; name a file that one keeps "
                  "fresh");
}

// What the enclave is and whose evidence it believes. Simulated evidence is accepted only by a
// simulated enclave.
Status ReadTrust(YamlMap& map, DaemonConfig& config) {
  KC_ASSIGN(const YamlValue tee, map.Require("tee"));
  KC_ASSIGN(config.tee, TeeName(tee));
  if (const auto accept = map.Take("accept")) {
    KC_ASSIGN(const std::vector<YamlValue> types, accept->AsList());
    for (const YamlValue& type : types) {
      KC_ASSIGN(config.trust.accepted_types.emplace_back(), TeeName(type));
      if (config.trust.accepted_types.back() == "simulated" && !config.IsSimulated()) {
        return type.Bad("simulated evidence is accepted only where tee is simulated");
      }
      if (config.trust.accepted_types.back() == "co-resident" && !IsWholeMachine(config.tee)) {
        return type.Bad("co-resident callers count only where tee is a virtual machine: " +
                        std::string("sev-snp, tdx (or simulated)"));
      }
    }
  } else {
    config.trust.accepted_types = {config.tee};
  }
  KC_CHECK_OK(ReadProducer(map, config));
  KC_CHECK_OK(attest::ReadTrust(map, config.trust));
  const auto simulated = map.Take("simulated");
  if (!config.IsSimulated()) {
    if (simulated) return simulated->Bad("is only for tee: simulated");
    return Done{};
  }
  if (!simulated)
    return Fail(Code::kConfigMissingKey,
                map.Where() + ": tee: simulated needs simulated: {key, root}");
#ifdef KEYCLAVE_SIMULATED
  KC_ASSIGN(YamlMap files, simulated->AsMap());
  KC_ASSIGN(const YamlValue key, files.Require("key"));
  KC_ASSIGN(config.producer.simulated_key_file, AbsolutePath(key));
  KC_ASSIGN(const YamlValue root, files.Require("root"));
  KC_ASSIGN(const std::string root_file, AbsolutePath(root));
  KC_CHECK_OK(files.Finish());
  auto spki = attest::ReadSimulatedRoot(root_file);
  if (!spki.ok()) return std::move(spki).error().In(root.Where());
  config.trust.simulated_roots.push_back(*spki);
#endif
  return Done{};
}

Status ReadOperators(YamlMap& map, DaemonConfig& config) {
  const auto operators = map.Take("operators");
  if (!operators) {
    config.operators = {0, static_cast<uint32_t>(getuid())};
    return Done{};
  }
  KC_ASSIGN(const std::vector<YamlValue> uids, operators->AsList());
  for (const YamlValue& uid : uids) {
    KC_ASSIGN(const int64_t number, uid.AsInt(0, UINT32_MAX - 1));
    config.operators.push_back(static_cast<uint32_t>(number));
  }
  return Done{};
}

template <class T>
Status ReadNumber(YamlMap& map, std::string_view key, int64_t min, int64_t max, T& number) {
  if (const auto value = map.Take(key)) {
    KC_ASSIGN(const int64_t read, value->AsInt(min, max));
    number = static_cast<T>(read);
  }
  return Done{};
}

Status ReadLimits(YamlMap& map, DaemonConfig& config) {
  KC_CHECK_OK(ReadNumber(map, "workers", 0, 256, config.workers));
  KC_CHECK_OK(ReadNumber(map, "spin", 0, 1000, config.spin));
  if (const auto use = map.Take("crypto_mb")) {
    KC_ASSIGN(config.use_crypto_mb, use->AsBool());
  }
  if (const auto age = map.Take("evidence_max_age")) {
    KC_ASSIGN(config.evidence_max_age, age->AsSeconds());
    if (config.evidence_max_age < 1 || config.evidence_max_age > 30 * 86400)
      return age->Bad("must be 1s to 30d");
  }
  if (const auto drain = map.Take("drain")) {
    KC_ASSIGN(config.drain, drain->AsSeconds());
    if (config.drain > kMaxDrain) return drain->Bad("must be 0s to 1h");
  }
  if (const auto allow = map.Take("allow_unlocked_memory")) {
    KC_ASSIGN(config.allow_unlocked_memory, allow->AsBool());
  }
  if (const auto limits = map.Take("limits")) {
    KC_ASSIGN(YamlMap entries, limits->AsMap());
    KC_CHECK_OK(ReadNumber(entries, "connections", 1, 1'000'000, config.limits.connections));
    KC_CHECK_OK(ReadNumber(entries, "sessions", 1, 1'000'000, config.limits.sessions));
    KC_CHECK_OK(
        ReadNumber(entries, "requests_in_flight", 1, 4096, config.limits.requests_in_flight));
    KC_CHECK_OK(ReadNumber(entries, "requests_per_session", 0, INT64_MAX,
                           config.limits.requests_per_session));
    KC_CHECK_OK(entries.Finish());
  }
  return Done{};
}

Result<DaemonConfig> FromYaml(const YamlValue& yaml) {
  KC_ASSIGN(YamlMap map, yaml.AsMap());
  DaemonConfig config;
  KC_ASSIGN(const YamlValue state, map.Require("state"));
  KC_ASSIGN(config.state, AbsolutePath(state));
  KC_CHECK_OK(ReadListen(map, config));
  KC_CHECK_OK(ReadTrust(map, config));
  KC_ASSIGN(config.sealing, ReadSealing(map, config.tee, config.producer));
  KC_ASSIGN(config.witness, ReadWitness(map, config.sealing));
  KC_ASSIGN(config.keep_marks, ReadKeepMarks(map));
  KC_CHECK_OK(ReadOperators(map, config));
  KC_ASSIGN(config.fleet, ReadFleet(map));
  KC_ASSIGN(config.recovery, ReadRecovery(map));
  KC_CHECK_OK(ReadLimits(map, config));
  if (const auto policy = map.Take("default_policy")) {
    KC_ASSIGN(config.default_policy_file, AbsolutePath(*policy));
    auto text = ReadFile(config.default_policy_file, size_t{1} << 20);
    if (!text.ok()) return std::move(text).error().In(policy->Where());
    config.default_policy = AsText(*text);
  }
  KC_CHECK_OK(map.Finish());
  return config;
}

}  // namespace

Result<DaemonConfig> ParseDaemonConfig(std::string_view text, const std::string& name) {
  KC_ASSIGN(const YamlValue yaml, ParseYaml(text, name));
  return FromYaml(yaml);
}

Result<DaemonConfig> LoadDaemonConfig(const std::string& path) {
  KC_ASSIGN(const YamlValue yaml, ParseYamlFile(path));
  return FromYaml(yaml);
}

}  // namespace keyclave::config
