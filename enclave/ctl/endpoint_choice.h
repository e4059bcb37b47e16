// Which members of a fleet a command speaks to: each of client.yaml's endpoints by itself, or the
// one that --endpoint names.
#pragma once

#include "enclave/client/config.h"
#include "enclave/ctl/command.h"

namespace keyclave::ctl {

// --endpoint ENDPOINT.
void AddEndpointOption(CLI::App& command, std::string& chosen);

// The configuration once for each endpoint that is meant, with that endpoint alone.
// kInvalidArgument: `chosen` is none of them.
Result<std::vector<client::ClientConfig>> EachEndpoint(const Globals& globals,
                                                       const std::string& chosen);
// For what is done to one daemon: kInvalidArgument if there are several and none was chosen.
Result<client::ClientConfig> OneEndpoint(const Globals& globals, const std::string& chosen);

}  // namespace keyclave::ctl
