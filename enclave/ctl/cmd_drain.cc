// keyclave drain: sends a daemon's callers to the other members of its fleet, before an upgrade.
#include <poll.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/endpoint_choice.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

constexpr int kLook = 100;  // milliseconds between two looks

struct Options {
  std::string endpoint;
  bool off = false;
  bool wait = false;
};

// Until callers that can move have gone; nullopt: somebody else has ended the drain.
Result<std::optional<wire::StatusReply>> WaitUntilGone(Enclave& enclave) {
  for (;;) {
    KC_ASSIGN(wire::StatusReply status, enclave.Call<wire::Op::kStatus>({}));
    if (!status.draining.has_value()) return std::optional<wire::StatusReply>();
    if (*status.draining == 0) return std::optional<wire::StatusReply>(std::move(status));
    ::poll(nullptr, 0, kLook);
  }
}

Result<int> Drain(const Options& options, const Globals& globals) {
  KC_ASSIGN(client::ClientConfig config, OneEndpoint(globals, options.endpoint));
  KC_ASSIGN(const auto enclave, Enclave::Open(std::move(config), {}));
  KC_ASSIGN(wire::DrainReply reply,
            enclave->Call<wire::Op::kDrain>(wire::DrainRequest{.on = !options.off}));
  if (options.wait) {
    KC_ASSIGN(const auto gone, WaitUntilGone(*enclave));
    if (!gone.has_value()) return Fail(Code::kWrongState, "the drain was ended meanwhile");
    reply = {.movable = *gone->draining, .connections = gone->connections};
  }
  const uint64_t others = reply.connections - std::min(reply.connections, reply.movable + 1);
  const std::string where = enclave->client().config().EndpointsText();
  if (globals.json) {
    PrintJson({{"endpoint", where},
               {"draining", !options.off},
               {"movable", reply.movable},
               {"others", others}});
    return kExitOk;
  }
  if (options.off) {
    Print(where + " takes callers again.\n");
    return kExitOk;
  }
  Print(where + " sends its callers elsewhere: " + std::to_string(reply.movable) +
        " connections still are to go.\n");
  if (others != 0) {
    Print(std::to_string(others) +
          " connections are of callers that have no other endpoint: they stay.\n");
  }
  return kExitOk;
}

}  // namespace

void AddDrain(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("drain", "send a daemon's callers to the others of its fleet");
  AddEndpointOption(*command, options->endpoint);
  CLI::Option* off = command->add_flag("--off", options->off, "take callers again");
  command->add_flag("--wait", options->wait, "return when all who can have gone")->excludes(off);
  command->footer(
      "Callers whose client.yaml has several endpoints go to another one, without a failed\n"
      "request; others are served as before. It lasts until --off or the daemon's end. A\n"
      "daemon that is asked to end drains by itself (drain: in keyclaved.yaml).\n"
      "Example: keyclave drain --wait && systemctl restart keyclaved");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Drain(*options, invocation.globals); };
  });
}

}  // namespace keyclave::ctl
