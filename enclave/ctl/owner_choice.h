// Whom a command signs for: --owner NAME=KEY (or KEYCLAVE_OWNER, or `owner:` in client.yaml), and
// whether what it asks for is sent or written to a file for others to sign (--out).
#pragma once

#include "enclave/client/config.h"
#include "enclave/ctl/command.h"
#include "enclave/ctl/owner_key.h"

namespace keyclave::ctl {

struct OwnerChoice {
  std::vector<std::string> owners;  // NAME=KEY
  std::string passphrase_file;
  std::string expires;  // empty: kSoon when sent, kLater in a file
  std::string out;      // empty: send
};

// --owner, --key-pass-file
void AddOwnerOptions(CLI::App& command, OwnerChoice& choice);
// --expires, --out: of commands that change something
void AddChangeOptions(CLI::App& command, OwnerChoice& choice);

// The owners' keys that a command may sign with, opened when the first signature is wanted.
class Signers {
 public:
  // Those of the choice; where it names none, the configuration's. kInvalidArgument.
  static Result<Signers> Choose(const OwnerChoice& choice,
                                const std::optional<client::OwnerConfig>& fallback);
  bool empty() const { return specs_.empty(); }
  Result<const std::vector<OwnerKey>*> Keys();
  // By all of them, or by the first alone.
  Result<wire::AdministerRequest> Sign(const wire::Statement& statement);
  Result<wire::AdministerRequest> SignAlone(const wire::Statement& statement);

 private:
  std::vector<OwnerKeySpec> specs_;
  std::string passphrase_file_;
  std::optional<std::vector<OwnerKey>> keys_;
};

// When a statement of this choice ends: seconds from now. kInvalidArgument.
Result<int64_t> LifetimeOf(const OwnerChoice& choice);
// 90s, 15m, 12h, 7d, as configuration files have it; `what` is said in the error.
Result<uint64_t> ParseDuration(const std::string& text, const std::string& what);

}  // namespace keyclave::ctl
