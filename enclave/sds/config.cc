#include "enclave/sds/config.h"

#include <algorithm>

#include "enclave/base/file.h"
#include "enclave/base/name.h"
#include "enclave/base/yaml.h"
#include "enclave/client/key_reference.h"

namespace keyclave::sds {
namespace {

constexpr size_t kMaxConfig = size_t{1} << 20;  // bytes
constexpr size_t kMaxSocketPath = 107;
constexpr int64_t kMaxId = UINT32_MAX - 1;

constexpr struct {
  std::string_view name;
  LeafKeyType type;
} kKeyTypes[] = {{"ec:p256", LeafKeyType::kEcP256},
                 {"ec:p384", LeafKeyType::kEcP384},
                 {"rsa:2048", LeafKeyType::kRsa2048},
                 {"rsa:3072", LeafKeyType::kRsa3072}};

Result<std::string> AbsolutePath(const YamlValue& yaml) {
  auto path = yaml.AsText();
  if (path.ok() && !path->starts_with("/")) return yaml.Bad("must be an absolute path");
  return path;
}

Result<std::string> SecretName(const YamlValue& yaml, std::string name) {
  if (!IsName(name)) return yaml.Bad(kNameRule);
  return name;
}

Result<std::vector<std::string>> Texts(const YamlValue& yaml) {
  KC_ASSIGN(const std::vector<YamlValue> items, yaml.AsList());
  if (items.empty()) return yaml.Bad("an empty list");
  std::vector<std::string> texts;
  for (const YamlValue& item : items) {
    KC_ASSIGN(texts.emplace_back(), item.AsText());
  }
  return texts;
}

// No PIN: it would stand in a file that is no place for one.
Result<std::string> CaUri(const YamlValue& yaml) {
  KC_ASSIGN(std::string uri, yaml.AsText());
  const auto parsed = client::ParseKeyUri(uri);
  if (!parsed.ok()) return yaml.Bad(parsed.error().detail());
  if (parsed->HasPin()) return yaml.Bad("a PIN has no place here");
  return uri;
}

Result<LeafKeyType> KeyType(const YamlValue& yaml) {
  KC_ASSIGN(const std::string name, yaml.AsText());
  for (const auto& row : kKeyTypes) {
    if (row.name == name) return row.type;
  }
  return yaml.Bad("wanted ec:p256, ec:p384, rsa:2048 or rsa:3072");
}

Result<SecretConfig> ParseCertificate(const YamlValue& yaml) {
  KC_ASSIGN(YamlMap map, yaml.AsMap());
  CertificateSecret secret;
  KC_ASSIGN(const YamlValue ca, map.Require("ca"));
  KC_ASSIGN(secret.ca, CaUri(ca));
  KC_ASSIGN(const YamlValue names, map.Require("names"));
  KC_ASSIGN(secret.names, Texts(names));
  KC_ASSIGN(const YamlValue usages, map.Require("usages"));
  KC_ASSIGN(secret.usages, Texts(usages));
  KC_ASSIGN(const YamlValue ttl, map.Require("ttl"));
  KC_ASSIGN(secret.ttl, ttl.AsSeconds());
  if (secret.ttl < kMinTtl || secret.ttl > kMaxTtl) return ttl.Bad("must be from 10s to 90d");
  if (const auto subject = map.Take("subject")) {
    KC_ASSIGN(secret.subject, subject->AsText());
  }
  if (const auto key = map.Take("key")) {
    KC_ASSIGN(secret.key, KeyType(*key));
  }
  KC_CHECK_OK(map.Finish());
  return SecretConfig(std::move(secret));
}

Result<SecretConfig> ParseTrustedCa(const YamlValue& yaml) {
  KC_ASSIGN(YamlMap map, yaml.AsMap());
  TrustedCaSecret secret;
  if (const auto ca = map.Take("ca")) {
    KC_ASSIGN(secret.ca, CaUri(*ca));
  }
  if (const auto file = map.Take("file")) {
    KC_ASSIGN(secret.file, AbsolutePath(*file));
  }
  KC_CHECK_OK(map.Finish());
  if (secret.ca.empty() == secret.file.empty()) return yaml.Bad("wanted either ca or file");
  return SecretConfig(std::move(secret));
}

Result<SecretConfig> ParseSecret(const YamlValue& yaml) {
  KC_ASSIGN(YamlMap map, yaml.AsMap());
  const auto certificate = map.Take("certificate");
  const auto trusted = map.Take("trusted_ca");
  KC_CHECK_OK(map.Finish());
  if (certificate.has_value() == trusted.has_value())
    return yaml.Bad("wanted either certificate or trusted_ca");
  return certificate ? ParseCertificate(*certificate) : ParseTrustedCa(*trusted);
}

Status ParseSecrets(const YamlValue& yaml, SdsConfig& config) {
  KC_ASSIGN(YamlMap map, yaml.AsMap());
  for (const auto& [key, value] : map.TakeAll()) {
    KC_ASSIGN(const std::string name, SecretName(value, key));
    KC_ASSIGN(SecretConfig secret, ParseSecret(value));
    config.secrets.emplace(name, std::move(secret));
  }
  if (config.secrets.empty()) return yaml.Bad("there is nothing to give");
  return Done{};
}

Result<ByteArray<32>> Measurement(const YamlValue& yaml) {
  KC_ASSIGN(const std::string text, yaml.AsText());
  const auto bytes = FromHex(text);
  ByteArray<32> measurement{};
  if (!bytes.ok() || bytes->size() != measurement.size())
    return yaml.Bad("must be the 64 hexadecimal digits that keyclave evidence measure shows");
  std::copy(bytes->begin(), bytes->end(), measurement.begin());
  return measurement;
}

Result<CallerConfig> ParseCaller(const YamlValue& yaml, const SdsConfig& config) {
  KC_ASSIGN(YamlMap map, yaml.AsMap());
  CallerConfig caller;
  KC_ASSIGN(const YamlValue name, map.Require("name"));
  KC_ASSIGN(const std::string text, name.AsText());
  KC_ASSIGN(caller.name, SecretName(name, text));
  KC_ASSIGN(const YamlValue uid, map.Require("uid"));
  KC_ASSIGN(const int64_t number, uid.AsInt(0, kMaxId));
  caller.uid = static_cast<uint32_t>(number);
  KC_ASSIGN(const YamlValue executable, map.Require("executable"));
  std::vector<YamlValue> items = {executable};
  if (executable.IsList()) {
    KC_ASSIGN(items, executable.AsList());
  }
  if (items.empty()) return executable.Bad("an empty list names nobody");
  for (const YamlValue& item : items) {
    KC_ASSIGN(const ByteArray<32> executable_digest, Measurement(item));
    const auto& known = caller.executables;
    if (std::find(known.begin(), known.end(), executable_digest) != known.end())
      return item.Bad("named twice");
    if (config.FindCaller(caller.uid, executable_digest) != nullptr)
      return item.Bad("another caller has this uid and executable");
    caller.executables.push_back(executable_digest);
  }
  KC_ASSIGN(const YamlValue secrets, map.Require("secrets"));
  KC_ASSIGN(const std::vector<YamlValue> wanted, secrets.AsList());
  for (const YamlValue& item : wanted) {
    KC_ASSIGN(std::string secret, item.AsText());
    if (!config.secrets.contains(secret)) return item.Bad("there is no such secret below");
    if (!caller.secrets.insert(std::move(secret)).second) return item.Bad("named twice");
  }
  if (caller.secrets.empty()) return secrets.Bad("a caller of nothing");
  KC_CHECK_OK(map.Finish());
  return caller;
}

Status ParseCallers(const YamlValue& yaml, SdsConfig& config) {
  KC_ASSIGN(const std::vector<YamlValue> items, yaml.AsList());
  if (items.empty()) return yaml.Bad("without callers nothing is given to anybody");
  for (const YamlValue& item : items) {
    KC_ASSIGN(CallerConfig caller, ParseCaller(item, config));
    config.callers.push_back(std::move(caller));
  }
  return Done{};
}

Result<uint32_t> ParseMode(const YamlValue& yaml) {
  KC_ASSIGN(const std::string text, yaml.AsText());
  const bool octal = text.size() == 4 && text.front() == '0' &&
                     text.find_first_not_of("01234567") == std::string::npos;
  if (!octal) return yaml.Bad("wanted four octal digits, such as \"0660\"");
  return static_cast<uint32_t>(std::stoul(text, nullptr, 8));
}

Status ParseSocket(YamlMap& map, SdsConfig& config) {
  KC_ASSIGN(const YamlValue socket, map.Require("socket"));
  KC_ASSIGN(config.socket, AbsolutePath(socket));
  if (config.socket.size() > kMaxSocketPath)
    return socket.Bad("a socket's path has at most 107 bytes");
  if (const auto mode = map.Take("mode")) {
    KC_ASSIGN(config.mode, ParseMode(*mode));
  }
  for (const auto& [key, id] : {std::pair("owner", &config.owner), {"group", &config.group}}) {
    if (const auto yaml = map.Take(key)) {
      KC_ASSIGN(const int64_t number, yaml->AsInt(0, kMaxId));
      *id = static_cast<uint32_t>(number);
    }
  }
  return Done{};
}

}  // namespace

const CallerConfig* SdsConfig::FindCaller(uint32_t uid, const ByteArray<32>& executable) const {
  const auto found = std::find_if(callers.begin(), callers.end(), [&](const CallerConfig& one) {
    return one.uid == uid && std::find(one.executables.begin(), one.executables.end(),
                                       executable) != one.executables.end();
  });
  return found == callers.end() ? nullptr : &*found;
}

Result<SdsConfig> ParseSdsConfig(std::string_view text, const std::string& name) {
  KC_ASSIGN(const YamlValue document, ParseYaml(text, name));
  KC_ASSIGN(YamlMap map, document.AsMap());
  SdsConfig config;
  KC_CHECK_OK(ParseSocket(map, config));
  for (const auto& [key, path] :
       {std::pair("client", &config.client), {"status_file", &config.status_file}}) {
    if (const auto yaml = map.Take(key)) {
      KC_ASSIGN(*path, AbsolutePath(*yaml));
    }
  }
  KC_ASSIGN(const YamlValue secrets, map.Require("secrets"));
  KC_CHECK_OK(ParseSecrets(secrets, config));
  KC_ASSIGN(const YamlValue callers, map.Require("callers"));
  KC_CHECK_OK(ParseCallers(callers, config));
  KC_CHECK_OK(map.Finish());
  return config;
}

Result<SdsConfig> LoadSdsConfig(const std::string& path) {
  const auto text = ReadFile(path, kMaxConfig);
  if (!text.ok()) return Fail(Code::kConfigNotFound, text.error().Text());
  return ParseSdsConfig(AsText(*text), path);
}

}  // namespace keyclave::sds
