#include "enclave/ctl/recovery_key.h"

#include <CLI/CLI.hpp>

#include "enclave/ctl/key_file.h"
#include "enclave/ctl/secret_input.h"

namespace keyclave::ctl {

void AddRecoveryKeys(CLI::App& command, RecoveryKeyChoice& choice, bool required) {
  command
      .add_option("--key", choice.keys,
                  "a recovery holder and the file of his private key (PEM or DER); may be repeated")
      ->required(required)
      ->type_name("NAME=FILE");
  command
      .add_option("--key-pass-file", choice.passphrase_file,
                  "read the key files' passphrase from here (-: stdin; default: ask)")
      ->type_name("FILE");
}

Result<HolderShare> OpenShare(const wire::Recovery& recovery, const std::string& spec,
                              const RecoveryKeyChoice& choice) {
  const size_t equals = spec.find('=');
  if (equals == 0 || equals == spec.npos || equals + 1 == spec.size())
    return Fail(Code::kInvalidArgument, "--key " + spec + ": write it as NAME=FILE");
  const std::string file = spec.substr(equals + 1);
  KC_ASSIGN(PrivateKeyFile read, ReadPrivateKey(file, [&]() -> Result<SecretBytes> {
              if (!choice.passphrase_file.empty()) return ReadSecretFile(choice.passphrase_file);
              return AskSecret("passphrase of " + file);
            }));
  KC_ASSIGN(mech::NewKey parts, mech::MaterialFromPkcs8(read.pkcs8.Expose(SecretAccess())));
  parts.attributes.SetUlong(CKA_CLASS, CKO_PRIVATE_KEY);
  KC_ASSIGN(const auto key, mech::LoadKey(parts.attributes, parts.material));
  HolderShare share{.holder = spec.substr(0, equals), .parts = {}};
  KC_ASSIGN(share.parts, mech::OpenParts(recovery, share.holder, *key));
  return share;
}

}  // namespace keyclave::ctl
