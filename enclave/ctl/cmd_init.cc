// keyclave init: the configuration files and the empty state of a new enclave.
#include <grp.h>

#include <CLI/CLI.hpp>
#include <filesystem>
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
  std::string recovery;           // "3of5"
  std::vector<std::string> keys;  // NAME=FILE
  bool no_recovery = false;
};

// "3of5", and as many keys as it says.
Status ReadRecovery(Options& options) {
  SetupPlan& plan = options.plan;
  if (options.recovery.empty()) {
    if (options.keys.empty()) return Done{};
    return Fail(Code::kInvalidArgument,
                "--key belongs to --recovery, which says how many of them "
                "it takes: --recovery 3of5");
  }
  const std::string& text = options.recovery;
  const size_t of = text.find("of");
  const auto number = [](std::string_view digits) -> size_t {
    const bool plain = !digits.empty() && digits.size() <= 2 &&
                       digits.find_first_not_of("0123456789") == digits.npos;
    return plain ? std::stoul(std::string(digits)) : 0;
  };
  const size_t needed = of == text.npos ? 0 : number(std::string_view(text).substr(0, of));
  const size_t all = of == text.npos ? 0 : number(std::string_view(text).substr(of + 2));
  if (needed == 0 || needed > all)
    return Fail(Code::kInvalidArgument,
                "--recovery " + text + ": write it as 3of5: how many of how many");
  if (all != options.keys.size())
    return Fail(Code::kInvalidArgument, "--recovery " + text + " needs " + std::to_string(all) +
                                            " --key NAME=FILE, and there are " +
                                            std::to_string(options.keys.size()));
  for (const std::string& key : options.keys) {
    const size_t equals = key.find('=');
    if (equals == 0 || equals == key.npos || equals + 1 == key.size())
      return Fail(Code::kInvalidArgument, "--key " + key + ": write it as NAME=FILE");
    plan.recovery_keys.emplace_back(key.substr(0, equals),
                                    std::filesystem::absolute(key.substr(equals + 1)).string());
  }
  plan.recovery_threshold = needed;
  return Done{};
}

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
               {"recovery", options.plan.recovery_threshold == 0 ? "none" : options.recovery},
               {"start", serve},
               {"client_config", places.ClientConfig()}});
    return;
  }
  for (const std::string& path : written) Print("wrote " + path + "\n");
  Print("made  " + places.state_dir + " (root secret, empty store)\n");
  Print(options.plan.recovery_threshold == 0
            ? "Recovery: none. What this machine loses is lost, but for copies of root.key and "
              "backups.\n\n"
            : "Recovery: " + options.recovery + " of the holders that were named.\n\n");
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
  KC_CHECK_OK(ReadRecovery(options));
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
  CLI::Option* recovery =
      command
          ->add_option("--recovery", options->recovery,
                       "how many holders of recovery keys it takes to restore a backup on another "
                       "platform, and how many there are; for ever")
          ->type_name("3of5");
  command
      ->add_option("--key", options->keys,
                   "a holder and his public key (RSA, P-256 or X25519); for each")
      ->type_name("NAME=FILE");
  command
      ->add_flag("--no-recovery", options->no_recovery,
                 "nobody can restore it elsewhere, for ever (what an enclave without hardware is "
                 "made with if nothing is said)")
      ->excludes(recovery);
  command->footer(
      "Nothing that exists is overwritten. Example:\n"
      "  keyclave init --simulated --caller-group www-data");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Init(*options, invocation.globals.json); };
  });
}

}  // namespace keyclave::ctl
