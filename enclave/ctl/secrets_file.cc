#include "enclave/ctl/secrets_file.h"

#include <algorithm>

#include "enclave/base/name.h"
#include "enclave/mech/x509_name.h"

namespace keyclave::ctl {
namespace {

constexpr size_t kMaxName = 255;  // bytes
constexpr size_t kMaxLabel = 32;  // bytes of a token's
constexpr size_t kMaxSecrets =
    64;  // a pair with its certificate is three objects, and 256 are kept
constexpr int64_t kMaxDays = 3650;
constexpr int64_t kUsualDays = 365;
constexpr const char* kUsualCertificateKey = "ec:p256";

Result<std::string> PolicyName(const YamlValue& yaml) {
  KC_ASSIGN(std::string name, yaml.AsText());
  if (!IsName(name)) return yaml.Bad(kNameRule);
  return name;
}

// `token: archive`, or a mapping with what to do if it is not there.
Status ReadToken(const YamlValue& yaml, SecretsFile& file) {
  YamlValue label = yaml;
  if (yaml.IsMap()) {
    KC_ASSIGN(YamlMap map, yaml.AsMap());
    KC_ASSIGN(label, map.Require("label"));
    if (const auto create = map.Take("create")) {
      KC_ASSIGN(file.creates_token, create->AsBool());
    }
    if (const auto policy = map.Take("default_policy")) {
      if (!file.creates_token)
        return policy->Bad("only a token that is made here (create: true) gets one");
      KC_ASSIGN(file.default_policy, PolicyName(*policy));
    }
    KC_CHECK_OK(map.Finish());
  }
  KC_ASSIGN(file.token, label.AsText());
  if (file.token.empty() || file.token.size() > kMaxLabel)
    return label.Bad("wanted a token's label, 1 to 32 bytes");
  return Done{};
}

Result<WantedPolicy> ReadPolicy(const YamlValue& yaml) {
  KC_ASSIGN(YamlMap map, yaml.AsMap());
  const auto file = map.Take("file");
  const auto text = map.Take("text");
  KC_CHECK_OK(map.Finish());
  if (file.has_value() == text.has_value())
    return yaml.Bad("wanted either `file: archive.yaml` or `text: |` with the policy itself");
  WantedPolicy policy{.where = yaml.Where(), .file = {}, .text = {}};
  if (file.has_value()) {
    KC_ASSIGN(policy.file, file->AsText());
    if (policy.file.empty()) return file->Bad("wanted a file's name");
  } else {
    KC_ASSIGN(policy.text, text->AsText());
  }
  return policy;
}

Result<std::vector<std::string>> Texts(const YamlValue& yaml) {
  std::vector<std::string> texts;
  KC_ASSIGN(const std::vector<YamlValue> items, yaml.AsList());
  for (const YamlValue& item : items) {
    KC_ASSIGN(texts.emplace_back(), item.AsText());
  }
  return texts;
}

// What is said of keys, and of certificates' keys.
Status ReadKey(YamlMap& map, const YamlValue& type, WantedSecret& secret) {
  auto known = ParseKeyType(secret.type, "type");
  if (!known.ok()) {
    return type.Bad("no such type: certificate, data, configuration, or a key's, " +
                    known.error().detail());
  }
  secret.key_type = *known;
  const bool is_certificate = secret.kind == SecretKind::kCertificate;
  if (is_certificate && secret.key_type.kind == KeyType::Kind::kAes)
    return type.Bad("a certificate is for a pair of keys");
  if (const auto usage = map.Take("usage")) {
    KC_ASSIGN(secret.usage, Texts(*usage));
    for (const std::string& word : secret.usage) {
      const auto& words = UsageWords();
      const bool is_known = std::any_of(words.begin(), words.end(),
                                        [&](const UsageWord& row) { return row.word == word; });
      if (!is_known)
        return usage->Bad(word + " is not known: sign, verify, encrypt, decrypt, wrap, unwrap, " +
                          "derive, encapsulate, decapsulate");
    }
  }
  if (const auto extractable = map.Take("extractable")) {
    KC_ASSIGN(secret.extractable, extractable->AsBool());
  }
  const bool is_pair = secret.key_type.kind != KeyType::Kind::kAes;
  if (const auto share = map.Take("share")) {
    KC_ASSIGN(const std::string with, share->AsText());
    if (with != "public" && with != "none") return share->Bad("wanted public or none");
    secret.is_shared = with == "public";
    if (secret.is_shared && !is_pair) return share->Bad("a secret key has no public part");
  }
  if (const auto import = map.Take("import")) {
    KC_ASSIGN(secret.file, import->AsText());
    if (secret.file.empty()) return import->Bad("wanted a file's name");
  }
  return Done{};
}

Status ReadCertificate(YamlMap& map, WantedSecret& secret) {
  KC_ASSIGN(const YamlValue subject, map.Require("subject"));
  KC_ASSIGN(secret.subject, subject.AsText());
  const auto name = mech::ParseDistinguishedName(secret.subject);
  if (!name.ok()) return subject.Bad(name.error().detail());
  if (secret.subject.empty()) return subject.Bad("wanted a name: CN=www.example.org");
  if (const auto names = map.Take("names")) {
    KC_ASSIGN(secret.names, Texts(*names));
    const auto parsed = mech::ParseAlternativeNames(secret.names);
    if (!parsed.ok()) return names->Bad(parsed.error().detail());
  }
  secret.days = kUsualDays;
  if (const auto days = map.Take("days")) {
    KC_ASSIGN(const int64_t number, days->AsInt(1, kMaxDays));
    secret.days = static_cast<uint64_t>(number);
  }
  if (const auto ca = map.Take("ca")) {
    KC_ASSIGN(secret.is_ca, ca->AsBool());
  }
  const auto key = map.Take("key");
  secret.type = kUsualCertificateKey;
  if (key.has_value()) {
    KC_ASSIGN(secret.type, key->AsText());
  }
  return ReadKey(map, key.value_or(subject), secret);
}

// A secret in the file itself would be wherever the file goes: that must be meant.
Status ReadData(YamlMap& map, const YamlValue& yaml, WantedSecret& secret) {
  const auto file = map.Take("file");
  const auto value = map.Take("value");
  if (file.has_value() == value.has_value())
    return yaml.Bad("wanted either `file:`, where the data is, or `value:` with `secret: false`");
  if (file.has_value()) {
    KC_ASSIGN(secret.file, file->AsText());
    if (secret.file.empty()) return file->Bad("wanted a file's name");
    return Done{};
  }
  KC_ASSIGN(const YamlValue is_secret, map.Require("secret"));
  KC_ASSIGN(const bool kept_secret, is_secret.AsBool());
  if (kept_secret)
    return is_secret.Bad("what is secret is not written into this file: use `file:`");
  KC_ASSIGN(const std::string text, value->AsText());
  secret.value = SecretBytes::CopyOf(AsBytes(text));
  return Done{};
}

Status ReadConfiguration(YamlMap& map, WantedSecret& secret) {
  KC_ASSIGN(const YamlValue yaml, map.Require("values"));
  KC_ASSIGN(YamlMap values, yaml.AsMap());
  std::map<std::string, std::string> texts;
  for (const auto& [key, value] : values.TakeAll()) {
    KC_ASSIGN(texts[key], value.AsText());
  }
  if (texts.empty()) return yaml.Bad("wanted at least one value");
  secret.value = ConfigurationOf(texts);
  return Done{};
}

Result<WantedSecret> ReadSecret(const YamlValue& yaml, const std::vector<WantedSecret>& before) {
  KC_ASSIGN(YamlMap map, yaml.AsMap());
  WantedSecret secret;
  secret.where = yaml.Where();
  KC_ASSIGN(const YamlValue name, map.Require("name"));
  KC_ASSIGN(secret.name, ParseSecretName(name, before));
  KC_ASSIGN(const YamlValue type, map.Require("type"));
  KC_ASSIGN(secret.type, type.AsText());
  if (const auto policy = map.Take("policy")) {
    KC_ASSIGN(secret.policy, PolicyName(*policy));
  }
  if (secret.type == "certificate") {
    secret.kind = SecretKind::kCertificate;
    KC_CHECK_OK(ReadCertificate(map, secret));
  } else if (secret.type == "data") {
    secret.kind = SecretKind::kData;
    KC_CHECK_OK(ReadData(map, yaml, secret));
  } else if (secret.type == "configuration") {
    secret.kind = SecretKind::kConfiguration;
    KC_CHECK_OK(ReadConfiguration(map, secret));
  } else {
    KC_CHECK_OK(ReadKey(map, type, secret));
  }
  KC_CHECK_OK(map.Finish());
  return secret;
}

Result<SecretsFile> ParseOwnFile(YamlMap& map) {
  SecretsFile file;
  if (const auto token = map.Take("token")) KC_CHECK_OK(ReadToken(*token, file));
  if (const auto policies = map.Take("policies")) {
    KC_ASSIGN(const std::vector<YamlValue> list, policies->AsList());
    for (const YamlValue& yaml : list) {
      KC_ASSIGN(file.policies.emplace_back(), ReadPolicy(yaml));
    }
  }
  if (const auto secrets = map.Take("secrets")) {
    KC_ASSIGN(const std::vector<YamlValue> list, secrets->AsList());
    if (list.size() > kMaxSecrets) return secrets->Bad("at most 64 secrets in one file");
    for (const YamlValue& yaml : list) {
      KC_ASSIGN(WantedSecret secret, ReadSecret(yaml, file.secrets));
      file.secrets.push_back(std::move(secret));
    }
  }
  KC_CHECK_OK(map.Finish());
  return file;
}

}  // namespace

Result<std::string> ParseSecretName(const YamlValue& yaml,
                                    const std::vector<WantedSecret>& before) {
  KC_ASSIGN(std::string name, yaml.AsText());
  if (name.empty() || name.size() > kMaxName) return yaml.Bad("wanted a name of 1 to 255 bytes");
  const auto same = std::find_if(before.begin(), before.end(),
                                 [&](const WantedSecret& other) { return other.name == name; });
  if (same != before.end())
    return yaml.Bad("there is a secret " + name + " already, at " + same->where);
  return name;
}

bool SecretsFile::Shares() const {
  return std::any_of(secrets.begin(), secrets.end(),
                     [](const WantedSecret& secret) { return secret.is_shared; });
}

std::string_view KindText(const WantedSecret& secret) {
  switch (secret.kind) {
    case SecretKind::kKey: return secret.type;
    case SecretKind::kCertificate: return "certificate";
    case SecretKind::kData: return "data";
    case SecretKind::kConfiguration: return "configuration";
  }
  return "";
}

Result<SecretsFile> ParseSecretsFile(std::string_view text, const std::string& name) {
  KC_ASSIGN(const YamlValue root, ParseYaml(text, name));
  KC_ASSIGN(YamlMap map, root.AsMap());
  if (map.Take("kind").has_value()) return ParseAecsFile(text, name);
  auto file = ParseOwnFile(map);
  if (file.ok() && file->policies.empty() && file->secrets.empty())
    return root.Bad("neither policies nor secrets are in it");
  return file;
}

std::string PublicPolicyText() {
  return "policy: public\n"
         "version: 1\n"
         "permit:\n"
         "  - operations: [verify, encrypt, wrap, encapsulate]\n"
         "    when: {tls.key: {exists: true}}\n"
         "    allow_unattested: true\n";
}

}  // namespace keyclave::ctl
