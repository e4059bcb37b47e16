#include "attest/trust_config.h"

#include "attest/claim_names.h"
#include "enclave/base/file.h"

namespace keyclave::attest {
namespace {

constexpr size_t kMaxFile = size_t{1} << 20;  // bytes
constexpr uint64_t kMaxSkew = 3600;           // seconds

Result<std::string> AbsolutePath(const YamlValue& value) {
  auto path = value.AsText();
  if (path.ok() && !path->starts_with("/")) return value.Bad("must be an absolute path");
  return path;
}

// The file's content; errors carry the place that names it.
Result<Bytes> ReadNamed(const YamlValue& value) {
  KC_ASSIGN(const std::string path, AbsolutePath(value));
  auto bytes = ReadFile(path, kMaxFile);
  if (!bytes.ok()) return std::move(bytes).error().In(value.Where());
  return bytes;
}

Result<std::vector<Certificate>> ReadCertificates(const YamlValue& files) {
  std::vector<Certificate> all;
  KC_ASSIGN(const std::vector<YamlValue> list, files.AsList());
  for (const YamlValue& file : list) {
    KC_ASSIGN(const Bytes bytes, ReadNamed(file));
    const auto certificates = Certificate::ListFrom(bytes);
    if (!certificates.ok() || certificates->empty()) return file.Bad("holds no certificate");
    all.insert(all.end(), certificates->begin(), certificates->end());
  }
  return all;
}

Status ReadRoots(const YamlValue& value, Trust& trust) {
  KC_ASSIGN(YamlMap types, value.AsMap());
  for (const auto& [type, files] : types.TakeAll()) {
    if (!IsTeeName(type)) return files.Bad("must be one of: " + KnownTees());
    KC_ASSIGN(trust.roots[type], ReadCertificates(files));
  }
  return Done{};
}

Status ReadKeys(const YamlValue& value, Trust& trust) {
  KC_ASSIGN(YamlMap types, value.AsMap());
  for (const auto& [type, files] : types.TakeAll()) {
    if (!IsTeeName(type)) return files.Bad("must be one of: " + KnownTees());
    KC_ASSIGN(const std::vector<YamlValue> list, files.AsList());
    for (const YamlValue& file : list) {
      KC_ASSIGN(const Bytes bytes, ReadNamed(file));
      const auto key = PublicKey::FromPem(bytes);
      if (!key.ok()) return file.Bad("holds no public key (PEM)");
      trust.keys[type].push_back(key->spki());
    }
  }
  return Done{};
}

Result<TokenIssuer> ReadIssuer(const YamlValue& value) {
  TokenIssuer issuer;
  KC_ASSIGN(YamlMap map, value.AsMap());
  KC_ASSIGN(const YamlValue name, map.Require("issuer"));
  KC_ASSIGN(issuer.issuer, name.AsText());
  if (issuer.issuer.empty()) return name.Bad("must name the issuer: its tokens' iss");
  KC_ASSIGN(const YamlValue audience, map.Require("audience"));
  KC_ASSIGN(issuer.audience, audience.AsText());
  if (audience.IsScalar() && issuer.audience.empty())
    return audience.Bad("must name whom the tokens are for: their aud");
  const auto keys = map.Take("keys");
  const auto roots = map.Take("roots");
  if (!keys && !roots) return value.Bad("needs keys (a JWK set) or roots (certificates)");
  if (keys) {
    KC_ASSIGN(issuer.keys, ReadNamed(*keys));
  }
  if (roots) {
    KC_ASSIGN(issuer.roots, ReadCertificates(*roots));
  }
  if (const auto skew = map.Take("skew")) {
    KC_ASSIGN(const uint64_t seconds, skew->AsSeconds());
    if (seconds > kMaxSkew) return skew->Bad("must be at most 1h");
    issuer.skew = static_cast<int64_t>(seconds);
  }
  if (const auto unbound = map.Take("unbound")) {
    KC_ASSIGN(issuer.unbound, unbound->AsBool());
  }
  KC_CHECK_OK(map.Finish());
  return issuer;
}

}  // namespace

Status ReadTrust(YamlMap& map, Trust& trust) {
  const auto block = map.Take("trust");
  if (!block) return Done{};
  KC_ASSIGN(YamlMap entries, block->AsMap());
  if (const auto folder = entries.Take("collateral")) {
    KC_ASSIGN(const std::string path, AbsolutePath(*folder));
    auto collateral = Collateral::Load(path);
    if (!collateral.ok()) return std::move(collateral).error().In(folder->Where());
    trust.collateral = std::make_shared<const Collateral>(*std::move(collateral));
  }
  if (const auto roots = entries.Take("roots")) KC_CHECK_OK(ReadRoots(*roots, trust));
  if (const auto keys = entries.Take("keys")) KC_CHECK_OK(ReadKeys(*keys, trust));
  if (const auto tokens = entries.Take("tokens")) {
    KC_ASSIGN(const std::vector<YamlValue> list, tokens->AsList());
    for (const YamlValue& one : list) {
      KC_ASSIGN(trust.token_issuers.emplace_back(), ReadIssuer(one));
    }
  }
  return entries.Finish();
}

Result<std::string> CollateralFolder(YamlMap& map) {
  const auto block = map.Take("trust");
  if (!block) return std::string();
  KC_ASSIGN(YamlMap entries, block->AsMap());
  const auto folder = entries.Take("collateral");
  return folder ? AbsolutePath(*folder) : std::string();
}

}  // namespace keyclave::attest
