// A file of secrets, as `keyclave apply` takes it (docs/apply.md): what a token is to have.
//
// After ParseSecretsFile succeeded: every name, type and usage is known, names are distinct, and
// nothing was passed over. Nothing was looked up: neither the files that it names nor the enclave.
#pragma once

#include <map>

#include "enclave/base/secret_bytes.h"
#include "enclave/base/yaml.h"
#include "enclave/ctl/new_key.h"

namespace keyclave::ctl {

inline constexpr size_t kMaxSecret = size_t{1} << 20;  // bytes of data, as a field of the wire has

enum class SecretKind { kKey, kCertificate, kData, kConfiguration };

struct WantedPolicy {
  std::string where;  // its place in the file
  std::string file;   // empty: the text is in the file itself
  std::string text;
  bool any_version = false;  // it has none of its own, and takes the next one where it changes
};

struct WantedSecret {
  std::string where;  // "secrets.yaml:12: secrets[1]"
  std::string name;
  SecretKind kind = SecretKind::kKey;
  std::string policy;  // empty: the token's default
  bool is_shared = false;

  // Of keys, and of certificates' keys.
  std::string type;  // "rsa:3072"
  KeyType key_type = {};
  std::vector<std::string> usage;
  bool extractable = false;

  // Of certificates.
  std::string subject;
  std::vector<std::string> names;
  uint64_t days = 0;
  bool is_ca = false;  // which signs certificates of others

  // Of data, configurations, and keys that are brought: where from, or what itself.
  std::string file;
  std::optional<SecretBytes> value;
  Bytes public_key = {};  // of a pair that is brought: SubjectPublicKeyInfo
};

struct SecretsFile {
  std::string token;            // empty: not said
  bool suggests_token = false;  // whoever applies it may say another
  bool creates_token = false;
  std::string default_policy;  // of a token that is made; empty: the daemon's
  std::vector<WantedPolicy> policies;
  std::vector<WantedSecret> secrets;
  std::vector<std::string> notes;  // what a person should know, each with its place

  // Whether something is shared with whoever reaches the enclave.
  bool Shares() const;
};
// "rsa:3072", "certificate", "data" …
std::string_view KindText(const WantedSecret& secret);

// Ours, or AECS's (`kind: SecretPolicy`). `name` is put before line numbers. kConfig… with file,
// line and key.
Result<SecretsFile> ParseSecretsFile(std::string_view text, const std::string& name);

// For secrets_file*.cc.
Result<SecretsFile> ParseAecsFile(std::string_view text, const std::string& name);
// A secret's name, not there yet.
Result<std::string> ParseSecretName(const YamlValue& yaml, const std::vector<WantedSecret>& before);
// What a configuration is in the enclave: a JSON object of texts, keys sorted.
SecretBytes ConfigurationOf(const std::map<std::string, std::string>& values);
// The type of data objects, for programs (CKA_APPLICATION).
inline constexpr std::string_view kConfigurationApplication = "keyclave configuration";

// The policy of public keys and certificates that are shared with whoever reaches the enclave,
// unless the file or the token has one of this name.
inline constexpr std::string_view kPublicPolicy = "public";
std::string PublicPolicyText();

}  // namespace keyclave::ctl
