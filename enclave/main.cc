// keyclaved: arguments -> configuration -> set up -> drop privileges -> serve.

#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>

#include "enclave/daemon/daemon.h"
#include "enclave/daemon/fleet_keeper.h"
#include "enclave/daemon/join.h"
#include "enclave/daemon/process.h"
#include "enclave/daemon/record_keeping.h"
#include "enclave/daemon/restore.h"
#include "enclave/daemon/state.h"
#include "enclave/keys/state_files.h"
#include "enclave/seal/seal.h"

namespace keyclave {
namespace {

struct Arguments {
  std::string config = "/etc/keyclave/keyclaved.yaml";
  bool init = false;
  bool accept_store = false;
  bool accept_audit = false;
  bool publish = false;
  bool join = false;
  std::string restore;
  bool check_store = false;
  bool verbose = false;
};

Status Publish(const config::DaemonConfig& config, const keys::RootSealer& sealer,
               const Clock& clock) {
  if (!config.fleet.has_value())
    return Fail(Code::kConfigMissingKey,
                "keyclaved.yaml has no fleet: there is no place to publish to");
  return daemon::PublishStore(config, sealer, clock);
}

// Makes, mends or looks at the state, and serves nobody. Whether all is well.
Result<bool> RunOnState(const Arguments& arguments, const config::DaemonConfig& config) {
  const auto sealer = seal::MakeRootSealer(config.sealing, config.producer);
  const keys::WitnessChoice witness = daemon::WitnessOf(config);
  const SystemClock clock;
  if (arguments.check_store) return daemon::CheckStore(config, *sealer);
  if (arguments.init) {
    KC_CHECK_OK(daemon::InitState(config, *sealer));
  } else if (!arguments.restore.empty()) {
    KC_CHECK_OK(daemon::Restore(config, *sealer, clock, arguments.restore));
  } else if (arguments.accept_store) {
    KC_CHECK_OK(keys::AcceptStore(config.state, *sealer, witness));
  } else if (arguments.publish) {
    KC_CHECK_OK(Publish(config, *sealer, clock));
  } else if (arguments.join) {
    KC_CHECK_OK(daemon::JoinFleet(config, *sealer, clock));
  } else {
    KC_CHECK_OK(daemon::AcceptAudit(config, *sealer, clock));
  }
  return true;
}

Result<bool> Run(const Arguments& arguments) {
  umask(077);
  // What the TPM's library would print about refusals, our errors say; nothing else runs yet.
  setenv("TSS2_LOG", "all+none", 0);  // NOLINT(concurrency-mt-unsafe)
  daemon::StartLogging(arguments.verbose ? LogLevel::kDebug : LogLevel::kInfo);
  KC_ASSIGN(config::DaemonConfig config, config::LoadDaemonConfig(arguments.config));
  if (arguments.init || arguments.accept_store || arguments.accept_audit || arguments.check_store ||
      arguments.publish || arguments.join || !arguments.restore.empty())
    return RunOnState(arguments, config);
  const SystemClock clock;
  KC_ASSIGN(const std::unique_ptr<daemon::Daemon> keyclaved,
            daemon::Daemon::SetUp(std::move(config), clock));
  KC_CHECK_OK(keyclaved->Drop());
  KC_CHECK_OK(keyclaved->Serve());
  return true;
}

}  // namespace
}  // namespace keyclave

int main(int argc, char** argv) {
  keyclave::Arguments arguments;
  CLI::App app(
      "keyclaved holds keys inside an enclave and uses them for callers that prove what they are.");
  app.add_option("--config", arguments.config, "configuration file")->capture_default_str();
  CLI::Option* init = app.add_flag("--init", arguments.init,
                                   "make the state (root secret, empty store, witness) and exit");
  CLI::Option* store =
      app.add_flag(
             "--accept-store", arguments.accept_store,
             "after an older store.db was put back: let it count as the newest, make the witness "
             "anew and exit. What happened after it is given up: deleted keys are back, policies "
             "are the old ones")
          ->excludes(init);
  CLI::Option* audit =
      app.add_flag("--accept-audit", arguments.accept_audit,
                   "after audit records were lost: record the break in a new file of the log, "
                   "from which it goes on, and exit")
          ->excludes(init)
          ->excludes(store);
  app.add_flag("--check-store", arguments.check_store,
               "with the daemon stopped: look for damage in store, head and witness, change "
               "nothing, and exit: 0 if all is whole")
      ->excludes(init)
      ->excludes(store)
      ->excludes(audit);
  app.add_flag(
         "--publish", arguments.publish,
         "begin a fleet: write this daemon's store to the etcd cluster of `fleet:`, which must "
         "have none of this enclave, and exit")
      ->excludes(init)
      ->excludes(store)
      ->excludes(audit);
  app.add_flag(
         "--join", arguments.join,
         "become a member of a fleet: ask the member of `fleet: join:` for the root secret, which "
         "the fleet's policy permits or not, make the state from it and exit")
      ->excludes(init)
      ->excludes(store)
      ->excludes(audit);
  app.add_option(
         "--restore", arguments.restore,
         "make the state out of a backup and exit. Without root.key, wait on the addresses of "
         "`listen:` until enough holders of recovery keys have given their shares (keyclave backup "
         "restore)")
      ->type_name("FILE")
      ->excludes(init)
      ->excludes(store)
      ->excludes(audit);
  app.add_flag("--verbose", arguments.verbose, "log refused requests with their reasons");
  app.set_version_flag("--version", KEYCLAVE_VERSION);
  CLI11_PARSE(app, argc, argv);
  const keyclave::Result<bool> done = keyclave::Run(arguments);
  if (done.ok()) return *done ? 0 : 1;
  std::cerr << "keyclaved: " << done.error().Text() << '\n';
  return 1;
}
