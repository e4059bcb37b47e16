#include "enclave/client/config.h"

#include <cstdlib>

#include "attest/producer_config.h"
#include "attest/simulated_root.h"
#include "attest/trust_config.h"
#include "enclave/base/file.h"
#include "enclave/base/name.h"
#include "enclave/client/release_key.h"
#include "enclave/wire/messages.h"

namespace keyclave::client {
namespace {

constexpr std::string_view kDefaultPath = "/etc/keyclave/client.yaml";
constexpr size_t kMaxConfig = size_t{1} << 20;  // bytes
constexpr uint64_t kMaxSeconds = 24 * 3600;
constexpr std::string_view kSimulated = "simulated";

Result<std::string> AbsolutePath(const YamlValue& value) {
  auto path = value.AsText();
  if (path.ok() && !path->starts_with("/")) return value.Bad("must be an absolute path");
  return path;
}

Result<std::chrono::seconds> Seconds(const YamlValue& value, uint64_t min) {
  KC_ASSIGN(const uint64_t seconds, value.AsSeconds());
  if (seconds < min || seconds > kMaxSeconds) {
    return value.Bad("must be from " + std::to_string(min) + "s to 24h");
  }
  return std::chrono::seconds(seconds);
}

Result<Endpoint> ReadEndpoint(const YamlValue& value) {
  KC_ASSIGN(const std::string text, value.AsText());
  auto endpoint = ParseEndpoint(text);
  if (!endpoint.ok()) return value.Bad(endpoint.error().detail());
  if (endpoint->kind == Endpoint::Kind::kTcp && endpoint->port == 0) {
    return value.Bad("the port must not be 0");
  }
  return endpoint;
}

Result<std::vector<Endpoint>> ReadEndpoints(YamlMap& map) {
  std::vector<Endpoint> endpoints;
  const auto list = map.Take("endpoints");
  if (!list.has_value()) {
    KC_ASSIGN(const YamlValue one, map.Require("endpoint"));
    KC_ASSIGN(endpoints.emplace_back(), ReadEndpoint(one));
    return endpoints;
  }
  if (map.Take("endpoint").has_value()) return list->Bad("stands in place of `endpoint`: say one");
  KC_ASSIGN(const std::vector<YamlValue> items, list->AsList());
  if (items.empty() || items.size() > kMaxEndpoints)
    return list->Bad("must be 1 to " + std::to_string(kMaxEndpoints) + " endpoints");
  for (const YamlValue& item : items) {
    KC_ASSIGN(Endpoint endpoint, ReadEndpoint(item));
    if (std::find(endpoints.begin(), endpoints.end(), endpoint) != endpoints.end())
      return item.Bad("is there twice");
    endpoints.push_back(std::move(endpoint));
  }
  return endpoints;
}

Status ReadSocketOwner(YamlMap& map, ClientConfig& config) {
  const auto owner = map.Take("socket_owner");
  if (!owner.has_value()) return Done{};
  const bool any_unix =
      std::any_of(config.endpoints.begin(), config.endpoints.end(),
                  [](const Endpoint& endpoint) { return endpoint.kind == Endpoint::Kind::kUnix; });
  if (!any_unix) {
    return owner->Bad("is only for unix endpoints");
  }
  KC_ASSIGN(const int64_t uid, owner->AsInt(0, UINT32_MAX - 1));
  config.socket_owner = static_cast<uint32_t>(uid);
  return Done{};
}

// The files of the development root. Whoever names the public key believes simulated enclaves;
// whether one is wanted is still up to `expect`.
Status ReadSimulated(YamlMap& map, ClientConfig& config) {
  const auto simulated = map.Take(kSimulated);
  if (!simulated.has_value()) return Done{};
  KC_ASSIGN(YamlMap files, simulated->AsMap());
  if (const auto root = files.Take("root")) {
    KC_ASSIGN(const std::string path, AbsolutePath(*root));
    auto spki = attest::ReadSimulatedRoot(path);
    if (!spki.ok()) return spki.error().In(root->Where());
    config.trust.accepted_types.emplace_back(kSimulated);
    config.trust.simulated_roots.push_back(std::move(spki).value());
  }
  if (const auto key = files.Take("key")) {
    KC_ASSIGN(config.producer.simulated_key_file, AbsolutePath(*key));
  }
  return files.Finish();
}

Status ReadEvidence(YamlMap& map, ClientConfig& config) {
  const auto evidence = map.Take("evidence");
  if (!evidence.has_value()) return Done{};
  KC_ASSIGN(const std::string word, evidence->AsText());
  if (word == "none") return Done{};
  KC_ASSIGN(const std::string type, attest::ReadEvidenceType(*evidence, config.producer));
  if (type == kSimulated && config.producer.simulated_key_file.empty()) {
    return evidence->Bad("needs simulated: {key: FILE}");
  }
  config.evidence_type = type;
  return Done{};
}

// Genuine code tells its id truthfully, and made it from its root secret: who puts another secret
// into the state directory gets another id.
Status ReadEnclaveId(YamlMap& map, ClientConfig& config) {
  const auto id = map.Take("enclave");
  if (!id.has_value()) return Done{};
  KC_ASSIGN(config.enclave_id, id->AsText());
  const bool is_one = config.enclave_id.size() == 32 &&
                      config.enclave_id.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (is_one) return Done{};
  return id->Bad("must be the 32 hexadecimal digits that keyclave status shows");
}

Status ReadReleaseKeys(YamlMap& map, ClientConfig& config) {
  const auto keys = map.Take("release_keys");
  if (!keys.has_value()) return Done{};
  KC_ASSIGN(YamlMap files, keys->AsMap());
  for (const auto& [name, file] : files.TakeAll()) {
    KC_ASSIGN(const std::string path, AbsolutePath(file));
    auto key = ReadReleaseKey(name, path);
    if (!key.ok()) return file.Bad(key.error().Text());
    config.release_keys.push_back(*std::move(key));
  }
  // What the enclave would refuse later is refused here, where the file can be named.
  const auto parsed = wire::ParseRuntimeClaims(wire::EncodeRuntimeClaims({config.release_keys}));
  if (!parsed.ok()) return keys->Bad(parsed.error().detail());
  if (!config.release_keys.empty() && config.evidence_type.empty())
    return keys->Bad("is part of the evidence, and `evidence` is none");
  return Done{};
}

Status ReadPolicyDigests(YamlMap& map, ClientConfig& config) {
  const auto digests = map.Take("policy_digests");
  if (!digests.has_value()) return Done{};
  KC_ASSIGN(const std::vector<YamlValue> items, digests->AsList());
  if (items.empty() || items.size() > wire::kMaxPinnedPolicies)
    return digests->Bad("1 to 16 digests; leave it out for any policy");
  for (const YamlValue& item : items) {
    KC_ASSIGN(const std::string text, item.AsText());
    const auto bytes = FromHex(text);
    ByteArray<32> digest{};
    if (!bytes.ok() || bytes->size() != digest.size())
      return item.Bad("must be the 64 hexadecimal digits that keyclave policy list shows");
    std::copy(bytes->begin(), bytes->end(), digest.begin());
    config.policy_digests.push_back(digest);
  }
  return Done{};
}

Status ReadLimits(YamlMap& map, ClientConfig& config) {
  if (const auto deadline = map.Take("deadline")) {
    KC_ASSIGN(config.deadline, Seconds(*deadline, 1));
  }
  if (const auto before = map.Take("renew_before")) {
    KC_ASSIGN(config.renew_before, Seconds(*before, 0));
  }
  if (const auto connections = map.Take("max_connections")) {
    KC_ASSIGN(const int64_t count, connections->AsInt(1, int64_t{kMaxConnections}));
    config.max_connections = static_cast<size_t>(count);
  }
  if (const auto spin = map.Take("spin")) {
    KC_ASSIGN(const int64_t microseconds, spin->AsInt(0, 1000));
    config.spin = std::chrono::microseconds(microseconds);
  }
  return Done{};
}

Status ReadOwner(YamlMap& map, ClientConfig& config) {
  const auto owner = map.Take("owner");
  if (!owner.has_value()) return Done{};
  KC_ASSIGN(YamlMap fields, owner->AsMap());
  KC_ASSIGN(const YamlValue name, fields.Require("name"));
  KC_ASSIGN(const YamlValue key, fields.Require("key"));
  OwnerConfig read;
  KC_ASSIGN(read.name, name.AsText());
  if (!IsName(read.name)) return name.Bad(kNameRule);
  KC_ASSIGN(read.key, key.AsText());
  if (!read.key.starts_with("/") && !read.key.starts_with("pkcs11:"))
    return key.Bad("must be an absolute path or a pkcs11: URI");
  config.owner = std::move(read);
  return fields.Finish();
}

}  // namespace

std::string ClientConfig::EndpointsText() const {
  std::string text;
  for (const Endpoint& endpoint : endpoints) {
    text.append(text.empty() ? "" : ", ").append(endpoint.Text());
  }
  return text;
}

ClientConfig ClientConfig::At(const Endpoint& endpoint) const {
  ClientConfig one = *this;
  one.endpoints = {endpoint};
  return one;
}

std::string DefaultConfigPath() {
  const char* given = ::secure_getenv("KEYCLAVE_CONFIG");
  return given != nullptr && *given != '\0' ? std::string(given) : std::string(kDefaultPath);
}

Result<ClientConfig> LoadClientConfig(const std::string& path) {
  const auto text = ReadFile(path, kMaxConfig);
  if (!text.ok()) return Fail(Code::kConfigNotFound, text.error().Text());
  return ParseClientConfig(AsText(*text), path);
}

Result<ClientConfig> ParseClientConfig(std::string_view text, const std::string& name) {
  KC_ASSIGN(const YamlValue document, ParseYaml(text, name));
  KC_ASSIGN(YamlMap map, document.AsMap());
  KC_ASSIGN(std::vector<Endpoint> endpoints, ReadEndpoints(map));
  KC_ASSIGN(const YamlValue expect, map.Require("expect"));
  KC_ASSIGN(attest::Expression expression, attest::Expression::Parse(expect));
  ClientConfig config{.source = name,
                      .endpoints = std::move(endpoints),
                      .socket_owner = {},
                      .expect = std::move(expression),
                      .enclave_id = {},
                      .evidence_type = {},
                      .producer = {},
                      .trust = {}};
  KC_CHECK_OK(ReadSocketOwner(map, config));
  KC_CHECK_OK(ReadEnclaveId(map, config));
  // `expect` says which enclave is wanted; what has roots of its own may try. Simulated enclaves
  // must be asked for, and no enclave is its caller's process.
  for (const attest::TeeType* tee : attest::AllTeeTypes()) {
    if (tee->name != kSimulated && tee->name != "co-resident")
      config.trust.accepted_types.emplace_back(tee->name);
  }
  KC_CHECK_OK(attest::ReadTrust(map, config.trust));
  KC_CHECK_OK(ReadSimulated(map, config));
  KC_CHECK_OK(attest::ReadProducer(map, config.producer));
  KC_CHECK_OK(ReadEvidence(map, config));
  KC_CHECK_OK(ReadReleaseKeys(map, config));
  KC_CHECK_OK(ReadPolicyDigests(map, config));
  KC_CHECK_OK(ReadLimits(map, config));
  KC_CHECK_OK(ReadOwner(map, config));
  KC_CHECK_OK(map.Finish());
  return config;
}

}  // namespace keyclave::client
