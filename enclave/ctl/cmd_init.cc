// keyclave init: the configuration files and the empty state of a new enclave.
#include <grp.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/client/config.h"
#include "enclave/ctl/command.h"
#include "enclave/ctl/output.h"
#include "enclave/ctl/setup.h"

namespace keyclave::ctl {
namespace {

struct Options {
  bool simulated = false;
  SetupPlan plan;
  std::string caller_group;
};

Result<std::optional<gid_t>> FindGroup(const std::string& name) {
  if (name.empty()) return std::optional<gid_t>();
  const group* found = getgrnam(name.c_str());  // NOLINT(concurrency-mt-unsafe): one thread
  if (found == nullptr) return Fail(Code::kInvalidArgument, "no such group: " + name);
  return std::optional(found->gr_gid);
}

void Report(const Options& options, const Installation& installation,
            const std::vector<std::string>& written, bool json) {
  const Places& places = options.plan.places;
  const std::string prefix = IsInPath(installation) ? "" : installation.programs + "/";
  const std::string serve =
      ShellQuote(prefix + "keyclaved") + " --config " + ShellQuote(places.DaemonConfig());
  const bool standard = places.ClientConfig() == client::DefaultConfigPath();
  const std::string keyclave =
      (standard ? "" : "KEYCLAVE_CONFIG=" + ShellQuote(places.ClientConfig()) + " ") +
      ShellQuote(prefix + "keyclave");
  if (json) {
    PrintJson({{"simulated", true},
               {"written", written},
               {"state", places.state_dir},
               {"start", serve},
               {"client_config", places.ClientConfig()}});
    return;
  }
  for (const std::string& path : written) Print("wrote " + path + "\n");
  Print("made  " + places.state_dir + " (root secret, empty store)\n\n");
  Print(Paint(Colour::kBad, "SIMULATED") +
        ": this enclave protects no key from root; it is for trying Keyclave out.\n");
  if (!options.plan.caller_group) {
    Print(
        "Every local user can read simulated-root.key and so claim to be any program; name the\n"
        "group of the programs that use keys (--caller-group www-data) to keep others out.\n");
  }
  Print("\nNext:\n");
  for (const std::string& line :
       {serve + " &", keyclave + " token create edge",
        keyclave + " key generate --token edge --type ec:p256 --label www"}) {
    Print("  " + Paint(Colour::kBold, line) + "\n");
  }
}

Result<int> Init(Options& options, bool json) {
  if (!options.simulated) {
    return Fail(
        Code::kUnsupported,
        "this version can seal keys in no hardware yet. Say --simulated for an enclave that "
        "is an ordinary process: it shows everything, and protects no key from root");
  }
  const Installation installation = FindInstallation();
  KC_ASSIGN(options.plan.caller_group, FindGroup(options.caller_group));
  KC_ASSIGN(const std::vector<std::string> written, WriteSetup(options.plan, installation));
  const Status state = MakeState(options.plan, installation);
  if (!state.ok()) {
    RemoveSetup(options.plan);
    return state.error();
  }
  Report(options, installation, written, json);
  return kExitOk;
}

}  // namespace

void AddInit(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("init", "make a new enclave: configuration and empty store");
  command->add_flag("--simulated", options->simulated,
                    "an enclave without hardware (the only kind in this version)");
  Places& places = options->plan.places;
  places = {"/etc/keyclave", "/var/lib/keyclave", "/run/keyclave/keyclaved.sock"};
  command->add_option("--config-dir", places.config_dir, "where the configuration files go")
      ->type_name("DIR")
      ->capture_default_str();
  command->add_option("--state", places.state_dir, "where sealed keys and the audit log go")
      ->type_name("DIR")
      ->capture_default_str();
  command->add_option("--socket", places.socket, "the unix socket of the daemon")
      ->type_name("PATH")
      ->capture_default_str();
  command->add_option("--listen", options->plan.listen, "an address besides the socket")
      ->type_name("tcp:HOST:PORT");
  command
      ->add_option("--caller-group", options->caller_group,
                   "only this group's members can prove themselves (make simulated evidence)")
      ->type_name("GROUP");
  command->footer(
      "Nothing that exists is overwritten. Example:\n"
      "  keyclave init --simulated --caller-group www-data");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Init(*options, invocation.globals.json); };
  });
}

}  // namespace keyclave::ctl
