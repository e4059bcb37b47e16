// The program put together: the socket, HTTP on it, the enclave behind it, signals.
#pragma once

#include <string>

#include "enclave/base/result.h"

namespace keyclave::kbs {

struct Arguments {
  std::string listen = "127.0.0.1:8080";  // HOST:PORT, or unix:/path
  std::string token;                      // label of the token that has the objects
  std::string client;                     // client.yaml
  std::string tls_certificate;            // files (PEM); both or neither
  std::string tls_key;
};

// Serves until SIGTERM or SIGINT.
Status Serve(const Arguments& arguments);

}  // namespace keyclave::kbs
