// The program put together: the socket, who connects to it, gRPC over the connections, signals.
#pragma once

#include "enclave/sds/config.h"

namespace keyclave::sds {

struct Arguments {
  std::string config = "/etc/keyclave/sds.yaml";
  std::string client;  // client.yaml where sds.yaml names none
};

// Serves until SIGTERM or SIGINT; SIGHUP reads the configuration again (one that is wrong changes
// nothing). The socket's path does not change while it runs.
Status Serve(const Arguments& arguments);

}  // namespace keyclave::sds
