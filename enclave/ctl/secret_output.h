// A secret on its way to a program or a file: never through arguments; through the environment only
// where that was asked for.
#pragma once

#include <string>
#include <vector>

#include "enclave/base/secret_bytes.h"

namespace keyclave::ctl {

// A new file of mode 0600, whole or not there. kInvalidArgument if there is one.
Status WriteSecretFile(const std::string& path, const SecretBytes& secret);

struct SecretProgram {
  std::vector<std::string> words;
  std::string variable;  // its environment's, too; empty: none
};
// Becomes the program. Each `{}` of its words becomes the name of a file in memory that holds the
// secret, which nobody else has and which ends with the program; where there is none (and no
// variable), the secret is its standard input. Returns only if that fails.
Error BecomeWithSecret(const SecretProgram& program, const SecretBytes& secret);

}  // namespace keyclave::ctl
