// AECS's own file of secrets (`serviceadmin create --policy`): the policies come from `keyclave
// policy convert`'s reader, which is as strict about everything that it reads; here is what the
// secrets themselves are.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "enclave/authz/policy.h"
#include "enclave/ctl/convert/conversion.h"
#include "enclave/ctl/secrets_file.h"

namespace keyclave::ctl {
namespace {

constexpr const char* kUsualRsa = "3072";
constexpr const char* kUsualCertificateBits = "2048";  // AECS's
constexpr const char* kUsualCertificateDays = "3650";  // AECS's

using Params = std::map<std::string, YamlValue>;

// A list of {key, value}.
Result<Params> ReadParams(const std::optional<YamlValue>& yaml) {
  Params params;
  if (!yaml.has_value()) return params;
  KC_ASSIGN(const std::vector<YamlValue> list, yaml->AsList());
  for (const YamlValue& item : list) {
    KC_ASSIGN(YamlMap map, item.AsMap());
    KC_ASSIGN(const YamlValue key, map.Require("key"));
    KC_ASSIGN(const YamlValue value, map.Require("value"));
    KC_CHECK_OK(map.Finish());
    KC_ASSIGN(const std::string name, key.AsText());
    if (!params.emplace(name, value).second) return key.Bad(name + " is there twice");
  }
  return params;
}

Result<std::string> TakeParam(Params& params, const std::string& name, const std::string& usual) {
  const auto found = params.find(name);
  if (found == params.end()) return usual;
  KC_ASSIGN(std::string value, found->second.AsText());
  params.erase(found);
  return value;
}

Status NoMoreParams(const Params& params) {
  if (params.empty()) return Done{};
  return params.begin()->second.Bad(
      "no such parameter: " + params.begin()->first +
      " (known: pkcs_type and bit_length of RSA keys, bit_length and days of certificates)");
}

// base64 of {"public_key": PEM, "private_key": PEM}, as `serviceadmin preparedata` writes it; names
// may be in either of protobuf's spellings.
Result<SecretBytes> PrivateKeyOf(const YamlValue& data) {
  KC_ASSIGN(const std::string text, data.AsText());
  const auto bytes = FromBase64(text);
  const Error bad = data.Bad("wanted base64 of JSON with private_key and public_key, each PEM");
  if (!bytes.ok()) return bad;
  const auto json = nlohmann::json::parse(AsText(*bytes), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return bad;
  for (const char* name : {"private_key", "privateKey"}) {
    const auto found = json.find(name);
    if (found == json.end() || !found->is_string()) continue;
    return SecretBytes::CopyOf(AsBytes(found->get_ref<const std::string&>()));
  }
  return bad;
}

class Reader {
 public:
  explicit Reader(const std::string& name) : name_(name) {}

  Result<SecretsFile> Run(std::string_view text) {
    KC_ASSIGN(policies_, convert::Convert("aecs", text, name_, {}));
    KC_ASSIGN(const YamlValue root, ParseYaml(text, name_));
    KC_ASSIGN(YamlMap map, root.AsMap());
    KC_ASSIGN(const YamlValue secrets, map.Require("secrets"));
    KC_ASSIGN(const std::vector<YamlValue> list, secrets.AsList());
    for (size_t i = 0; i < list.size(); ++i) {
      KC_ASSIGN(WantedSecret secret, ReadSecret(list[i]));
      KC_CHECK_OK(TakePolicy(policies_.at(i), secret));
      file_.secrets.push_back(std::move(secret));
    }
    return std::move(file_);
  }

 private:
  Result<WantedSecret> ReadSecret(const YamlValue& yaml) {
    KC_ASSIGN(YamlMap map, yaml.AsMap());
    KC_ASSIGN(const YamlValue spec_yaml, map.Require("spec"));
    KC_ASSIGN(YamlMap spec, spec_yaml.AsMap());
    const auto data = map.Take("data");
    WantedSecret secret;
    secret.where = yaml.Where();
    KC_ASSIGN(const YamlValue name, spec.Require("name"));
    KC_ASSIGN(secret.name, ReadName(name));
    KC_ASSIGN(const YamlValue type, spec.Require("type"));
    KC_ASSIGN(secret.type, type.AsText());
    if (const auto service = spec.Take("service")) KC_CHECK_OK(TakeService(*service));
    if (const auto share = spec.Take("share")) {
      KC_ASSIGN(const std::string with, share->AsText());
      secret.is_shared = with == "public";
    }
    KC_ASSIGN(Params params, ReadParams(spec.Take("params")));
    KC_CHECK_OK(ReadType(yaml, std::move(params), data, secret));
    if (data.has_value())
      file_.notes.push_back(data->Where() +
                            ": the secret itself is in this file: destroy it and "
                            "its copies once it is applied");
    return secret;
  }

  Result<std::string> ReadName(const YamlValue& yaml) {
    KC_ASSIGN(std::string name, ParseSecretName(yaml, file_.secrets));
    const bool fits = std::all_of(name.begin(), name.end(), [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
    });
    if (!fits) return yaml.Bad("a name has letters, digits, '.', '_', '-'");
    return name;
  }

  // A service is a token, and what is done at once is done in one.
  Status TakeService(const YamlValue& yaml) {
    KC_ASSIGN(const std::string service, yaml.AsText());
    if (service.empty()) return Done{};
    if (!file_.token.empty() && file_.token != service)
      return yaml.Bad("a service is a token, and one file is for one token: " + file_.token +
                      " is in it, too");
    file_.token = service;
    file_.suggests_token = true;
    return Done{};
  }

  Status ReadType(const YamlValue& yaml, Params params, const std::optional<YamlValue>& data,
                  WantedSecret& secret) {
    const std::string type = std::exchange(secret.type, {});
    const bool takes_data =
        type != "SECRET_TYPE_CERTIFICATE" && type != "SECRET_TYPE_CONFIGURATIONS";
    if (data.has_value() && !takes_data)
      return data->Bad(type == "SECRET_TYPE_CERTIFICATE"
                           ? "certificates with their keys are imported by keyclave key import "
                             "and keyclave cert import"
                           : "a configuration is its params");
    if (type == "SECRET_TYPE_CONFIGURATIONS") return ReadConfiguration(yaml, params, secret);
    if (type == "SECRET_TYPE_IMPORT_DATA") return ReadData(yaml, params, data, secret);
    if (type == "SECRET_TYPE_AES256_KEY") return ReadAes(params, data, secret);
    if (type == "SECRET_TYPE_CERTIFICATE") return ReadCertificate(params, secret);
    if (data.has_value()) {
      KC_ASSIGN(secret.value, PrivateKeyOf(*data));
    }
    if (type == "SECRET_TYPE_SM2_KEY_PAIR") return SetKey("sm2", params, secret);
    return ReadRsa(params, secret);  // no other is known to policy convert
  }

  static Status SetKey(const std::string& type, const Params& params, WantedSecret& secret) {
    KC_CHECK_OK(NoMoreParams(params));
    secret.type = type;
    KC_ASSIGN(secret.key_type, ParseKeyType(type, "type"));
    return Done{};
  }

  static Status SetRsa(Params& params, const std::string& usual, WantedSecret& secret) {
    const auto place = params.find("bit_length");
    const std::optional<YamlValue> where =
        place == params.end() ? std::nullopt : std::optional(place->second);
    KC_ASSIGN(const std::string bits, TakeParam(params, "bit_length", usual));
    const auto known = ParseKeyType("rsa:" + bits, "type");
    if (!known.ok() && where.has_value()) return where->Bad("wanted 2048, 3072 or 4096");
    return SetKey("rsa:" + bits, params, secret);
  }

  static Status ReadRsa(Params& params, WantedSecret& secret) {
    const bool is_any_size = secret.value.has_value() && !params.contains("bit_length");
    const auto pkcs = params.find("pkcs_type");
    if (pkcs != params.end()) {
      KC_ASSIGN(const std::string form, pkcs->second.AsText());
      if (form != "pkcs1" && form != "pkcs8") return pkcs->second.Bad("wanted pkcs1 or pkcs8");
      params.erase(pkcs);  // of the file that it would be given away as; here it is a key
    }
    KC_CHECK_OK(SetRsa(params, kUsualRsa, secret));
    if (is_any_size) secret.key_type.size = 0;
    return Done{};
  }

  static Status ReadAes(const Params& params, const std::optional<YamlValue>& data,
                        WantedSecret& secret) {
    if (data.has_value()) {
      KC_ASSIGN(const std::string hex, data->AsText());
      auto bytes = FromHex(hex);
      if (!bytes.ok() || bytes->size() != 32)
        return data->Bad("wanted 32 bytes as 64 hexadecimal digits");
      secret.value = SecretBytes::Take(*bytes);
    }
    return SetKey("aes:256", params, secret);
  }

  static Status ReadCertificate(Params& params, WantedSecret& secret) {
    secret.kind = SecretKind::kCertificate;
    secret.subject = "CN=" + secret.name;
    const auto place = params.find("days");
    const std::optional<YamlValue> where =
        place == params.end() ? std::nullopt : std::optional(place->second);
    KC_ASSIGN(const std::string days, TakeParam(params, "days", kUsualCertificateDays));
    const bool is_number = !days.empty() && days.size() <= 4 &&
                           days.find_first_not_of("0123456789") == std::string::npos;
    secret.days = is_number ? std::stoul(days) : 0;
    if ((secret.days < 1 || secret.days > 3650) && where.has_value())
      return where->Bad("wanted 1 to 3650 days");
    return SetRsa(params, kUsualCertificateBits, secret);
  }

  static Status ReadConfiguration(const YamlValue& yaml, const Params& params,
                                  WantedSecret& secret) {
    secret.kind = SecretKind::kConfiguration;
    std::map<std::string, std::string> values;
    for (const auto& [key, value] : params) {
      KC_ASSIGN(values[key], value.AsText());
    }
    if (values.empty()) return yaml.Bad("a configuration without params");
    secret.value = ConfigurationOf(values);
    return Done{};
  }

  static Status ReadData(const YamlValue& yaml, const Params& params,
                         const std::optional<YamlValue>& data, WantedSecret& secret) {
    secret.kind = SecretKind::kData;
    KC_CHECK_OK(NoMoreParams(params));
    if (!data.has_value()) return yaml.Bad("SECRET_TYPE_IMPORT_DATA without data");
    KC_ASSIGN(const std::string text, data->AsText());
    if (text.empty()) return data->Bad("it is empty");
    secret.value = SecretBytes::CopyOf(AsBytes(text));
    return Done{};
  }

  Status TakePolicy(const convert::Converted& converted, WantedSecret& secret) {
    std::string left_out;
    for (const convert::Finding& finding : converted.findings) {
      const std::string text = finding.where + ": " + finding.what;
      if (finding.kind == convert::Finding::Kind::kLeftOut && left_out.empty()) left_out = text;
      if (finding.kind != convert::Finding::Kind::kNote) file_.notes.push_back(text);
    }
    if (!converted.text.has_value())
      return Fail(Code::kConfigBadValue, secret.where + ": nobody could have it: " + left_out);
    KC_ASSIGN(const authz::Policy policy, authz::Policy::Parse(*converted.text, secret.where));
    const auto& permits = policy.permits();
    const bool is_released = std::any_of(permits.begin(), permits.end(), [](const auto& permit) {
      return permit.operations.Has(authz::Operation::kRelease);
    });
    secret.policy = converted.name;
    secret.extractable =
        is_released && (secret.kind == SecretKind::kKey || secret.kind == SecretKind::kCertificate);
    file_.policies.push_back(
        {.where = secret.where, .file = {}, .text = *converted.text, .any_version = true});
    return Done{};
  }

  const std::string& name_;
  std::vector<convert::Converted> policies_;
  SecretsFile file_;
};

}  // namespace

Result<SecretsFile> ParseAecsFile(std::string_view text, const std::string& name) {
  return Reader(name).Run(text);
}

SecretBytes ConfigurationOf(const std::map<std::string, std::string>& values) {
  return SecretBytes::CopyOf(AsBytes(nlohmann::json(values).dump()));
}

}  // namespace keyclave::ctl
