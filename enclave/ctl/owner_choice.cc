#include "enclave/ctl/owner_choice.h"

#include <CLI/CLI.hpp>

#include "enclave/base/yaml.h"

namespace keyclave::ctl {
namespace {

constexpr int64_t kSoon = 10 * 60;  // seconds
constexpr int64_t kLater = int64_t{7} * 24 * 3600;
constexpr uint64_t kMaxLifetime = uint64_t{90} * 24 * 3600;

Result<wire::AdministerRequest> SignWith(std::span<const OwnerKey> keys,
                                         const wire::Statement& statement) {
  wire::AdministerRequest request;
  request.statement = wire::Encode(statement);
  for (const OwnerKey& key : keys) {
    KC_ASSIGN(Bytes signature, key.Sign(request.statement));
    request.signatures.push_back({key.name(), std::move(signature)});
  }
  return request;
}

}  // namespace

void AddOwnerOptions(CLI::App& command, OwnerChoice& choice) {
  command
      .add_option("--owner", choice.owners,
                  "sign as this owner of the token: NAME=FILE or NAME=pkcs11:URI; may be repeated "
                  "(default: `owner:` in client.yaml)")
      ->type_name("NAME=KEY")
      ->allow_extra_args(false)
      ->envname("KEYCLAVE_OWNER");
  command
      .add_option("--key-pass-file", choice.passphrase_file,
                  "read the passphrase of owners' key files from here (-: stdin; default: ask)")
      ->type_name("FILE");
}

void AddChangeOptions(CLI::App& command, OwnerChoice& choice) {
  command
      .add_option(
          "--out", choice.out,
          "write the request here for owners to sign, and do not send it (keyclave request)")
      ->type_name("FILE");
  command
      .add_option("--expires", choice.expires,
                  "until when the signed request can be carried out, at most 90d (default: 10m, "
                  "with --out 7d)")
      ->type_name("DURATION");
}

Result<Signers> Signers::Choose(const OwnerChoice& choice,
                                const std::optional<client::OwnerConfig>& fallback) {
  Signers signers;
  signers.passphrase_file_ = choice.passphrase_file;
  for (const std::string& text : choice.owners) {
    KC_ASSIGN(OwnerKeySpec spec, ParseOwnerKeySpec(text));
    signers.specs_.push_back(std::move(spec));
  }
  if (signers.specs_.empty() && fallback.has_value())
    signers.specs_.push_back({fallback->name, fallback->key});
  return signers;
}

Result<const std::vector<OwnerKey>*> Signers::Keys() {
  if (!keys_.has_value()) {
    KC_ASSIGN(keys_, OpenOwnerKeys(specs_, passphrase_file_));
  }
  return &*keys_;
}

Result<wire::AdministerRequest> Signers::Sign(const wire::Statement& statement) {
  KC_ASSIGN(const std::vector<OwnerKey>* keys, Keys());
  return SignWith(*keys, statement);
}

Result<wire::AdministerRequest> Signers::SignAlone(const wire::Statement& statement) {
  KC_ASSIGN(const std::vector<OwnerKey>* keys, Keys());
  return SignWith(std::span(*keys).first(std::min<size_t>(keys->size(), 1)), statement);
}

Result<uint64_t> ParseDuration(const std::string& text, const std::string& what) {
  const auto yaml = ParseYaml(text, what);
  if (yaml.ok()) {
    const auto seconds = yaml->AsSeconds();
    if (seconds.ok() && *seconds > 0) return *seconds;
  }
  return Fail(Code::kInvalidArgument, what + " " + text + ": wanted 90s, 15m, 12h or 7d");
}

Result<int64_t> LifetimeOf(const OwnerChoice& choice) {
  if (choice.expires.empty()) return choice.out.empty() ? kSoon : kLater;
  KC_ASSIGN(const uint64_t seconds, ParseDuration(choice.expires, "--expires"));
  if (seconds > kMaxLifetime) return Fail(Code::kInvalidArgument, "--expires is at most 90d");
  return static_cast<int64_t>(seconds);
}

}  // namespace keyclave::ctl
