// Where the module's log lines go: nowhere, unless KEYCLAVE_LOG says stderr or syslog (each also
// with ",debug", for a line per call).
#pragma once

#include <string_view>

namespace keyclave::pkcs11 {

void SetLogFromEnvironment();
// A message that the user must see whatever KEYCLAVE_LOG says (a configuration that cannot be
// used).
void Complain(std::string_view line);

}  // namespace keyclave::pkcs11
