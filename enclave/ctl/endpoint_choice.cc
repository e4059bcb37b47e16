#include "enclave/ctl/endpoint_choice.h"

#include <CLI/CLI.hpp>

namespace keyclave::ctl {

void AddEndpointOption(CLI::App& command, std::string& chosen) {
  command.add_option("--endpoint", chosen, "one of the endpoints in client.yaml")
      ->type_name("ENDPOINT");
}

Result<std::vector<client::ClientConfig>> EachEndpoint(const Globals& globals,
                                                       const std::string& chosen) {
  KC_ASSIGN(const client::ClientConfig config, client::LoadClientConfig(globals.config));
  std::vector<client::ClientConfig> each;
  for (const client::Endpoint& endpoint : config.endpoints) {
    if (chosen.empty() || endpoint.Text() == chosen) each.push_back(config.At(endpoint));
  }
  if (each.empty()) {
    return Fail(Code::kInvalidArgument, "--endpoint " + chosen + " is none of those in " +
                                            config.source + ": " + config.EndpointsText());
  }
  return each;
}

Result<client::ClientConfig> OneEndpoint(const Globals& globals, const std::string& chosen) {
  KC_ASSIGN(std::vector<client::ClientConfig> each, EachEndpoint(globals, chosen));
  if (each.size() == 1) return std::move(each.front());
  std::string all;
  for (const client::ClientConfig& one : each)
    all.append(all.empty() ? "" : ", ").append(one.EndpointsText());
  return Fail(Code::kInvalidArgument, "say which, --endpoint ENDPOINT; there are: " + all);
}

}  // namespace keyclave::ctl
