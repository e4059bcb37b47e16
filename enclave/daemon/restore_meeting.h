// An enclave without a root secret waits for the holders of recovery keys: each of them looks at
// its evidence and gives his share over the channel that the evidence is bound to
// (docs/recovery.md).
#pragma once

#include "enclave/base/clock.h"
#include "enclave/config/daemon_config.h"
#include "enclave/keys/root_keyring.h"
#include "enclave/wire/backup_file.h"

namespace keyclave::daemon {

struct Recovered {
  keys::RootKeyring keyring;
  std::vector<std::string> holders;  // who gave
};
// Listens until enough have given, or a signal comes (kWrongState). kRootSecretInvalid if what they
// gave is not the secret of the enclave that the backup names.
Result<Recovered> MeetHolders(const config::DaemonConfig& config, const wire::BackupHeader& header,
                              const Clock& clock);

}  // namespace keyclave::daemon
