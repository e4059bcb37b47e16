// PINs and passphrases from people and files. They never come from arguments or the environment,
// where every other process of the user could read them.
#pragma once

#include <string>

#include "enclave/base/secret_bytes.h"

namespace keyclave::ctl {

// One line from the controlling terminal, without echo. kInvalidArgument if there is no terminal or
// the person gave up (Ctrl-C, Ctrl-D).
Result<SecretBytes> AskSecret(const std::string& prompt);
// The same twice; kInvalidArgument if the two differ.
Result<SecretBytes> AskNewSecret(const std::string& what);
// The first line of a file, without its end; "-" is standard input. kInvalidArgument for an empty
// one.
Result<SecretBytes> ReadSecretFile(const std::string& path);
// "yes" typed on the terminal; kInvalidArgument if standard input is none.
Result<bool> Confirm(const std::string& question);

}  // namespace keyclave::ctl
