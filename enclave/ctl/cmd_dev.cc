// keyclave dev: a throw-away enclave for a command, or until Ctrl-C.
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>

#include "enclave/base/file.h"
#include "enclave/ctl/dev_enclave.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

struct Options {
  std::string directory;
  std::string token = "dev";
  std::string pin;
  std::string so_pin;
};

// The signals that end this command, held back and read from a descriptor instead: whatever
// happens, the daemon is ended and the directory removed.
class EndSignals {
 public:
  EndSignals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, number);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    fd_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  EndSignals(const EndSignals&) = delete;
  EndSignals& operator=(const EndSignals&) = delete;
  ~EndSignals() {
    if (fd_ >= 0) close(fd_);
  }
  int fd() const { return fd_; }
  std::optional<signalfd_siginfo> Take() const {
    signalfd_siginfo info{};
    return read(fd_, &info, sizeof info) == sizeof info ? std::optional(info) : std::nullopt;
  }

 private:
  int fd_ = -1;
};

// The token that the command is for; one that a used directory has already is kept as it is.
Status MakeToken(const Options& options, const Places& places) {
  Globals globals;
  globals.config = places.ClientConfig();
  KC_ASSIGN(const auto enclave, Enclave::Open(globals));
  KC_ASSIGN(const wire::ListTokensReply tokens, enclave->Call<wire::Op::kListTokens>({}));
  for (const wire::TokenInfo& token : tokens.tokens) {
    if (token.label == options.token) {
      PrintNote("keyclave dev: token " + Harmless(token.label) +
                " is there already, and is kept\n");
      return Done{};
    }
  }
  wire::CreateTokenRequest request;
  request.label = options.token;
  request.policy = DevelopmentPolicyText();
  if (!options.so_pin.empty()) request.so_pin = SecretBytes::CopyOf(AsBytes(options.so_pin));
  if (!options.pin.empty()) request.user_pin = SecretBytes::CopyOf(AsBytes(options.pin));
  KC_ASSIGN(const auto reply, enclave->Call<wire::Op::kCreateToken>(request));
  static_cast<void>(reply);
  return Done{};
}

void AddProgramsToPath(const Installation& installation, Environment& environment) {
  if (IsInPath(installation)) return;
  const char* path = getenv("PATH");
  const std::string have = path == nullptr ? "/usr/bin:/bin" : path;
  environment.emplace_back("PATH", installation.programs + ":" + have);
}

void Announce(const Options& options, const DevEnclave& enclave) {
  PrintNote("keyclave dev: SIMULATED enclave in " + enclave.places().config_dir + ", token " +
            Harmless(options.token) +
            ".\nkeyclave dev: its policy lets EVERY caller on this machine do everything "
            "(allow_unattested). Never for keys that matter.\n");
}

// Waits for the program; signals that were meant for it and not already sent by the terminal are
// passed on.
Result<int> RunProgram(const std::vector<std::string>& program, const Environment& environment,
                       const EndSignals& signals) {
  SpawnOptions options;
  options.environment = environment;
  KC_ASSIGN(Child child, Child::Spawn(program, options));
  while (true) {
    std::array<pollfd, 2> events = {{{.fd = child.pidfd(), .events = POLLIN, .revents = 0},
                                     {.fd = signals.fd(), .events = POLLIN, .revents = 0}}};
    if (poll(events.data(), events.size(), -1) < 0 && errno != EINTR) return ErrnoError("poll");
    while (const auto info = signals.Take()) {
      if (info->ssi_code != SI_KERNEL) child.Signal(static_cast<int>(info->ssi_signo));
    }
    if (events[0].revents != 0) return child.Wait();
  }
}

Result<int> WaitForEnd(const DevEnclave& enclave, const EndSignals& signals) {
  std::array<pollfd, 2> events = {{{.fd = enclave.daemon().pidfd(), .events = POLLIN, .revents = 0},
                                   {.fd = signals.fd(), .events = POLLIN, .revents = 0}}};
  while (poll(events.data(), events.size(), -1) < 0) {
    if (errno != EINTR) return ErrnoError("poll");
  }
  if (events[1].revents != 0) return kExitOk;
  return Fail(Code::kChannelClosed, "keyclaved has ended:\n" + enclave.LogTail());
}

void PrintEnvironment(const DevEnclave& enclave, const Environment& environment, bool json) {
  if (json) {
    Json variables = Json::object();
    for (const auto& [name, value] : environment) variables[name] = value;
    PrintJson({{"directory", enclave.places().config_dir},
               {"daemon", enclave.daemon().pid()},
               {"environment", variables}});
    return;
  }
  std::string text;
  for (const auto& [name, value] : environment) {
    text += "export " + name + "=" + ShellQuote(value) + "\n";
  }
  Print(text);
  PrintNote("keyclave dev: paste the lines above into another shell; Ctrl-C here ends it all.\n");
}

Result<int> Dev(const Options& options, const Globals& globals) {
  const EndSignals signals;
  const Installation installation = FindInstallation();
  KC_ASSIGN(const DevEnclave enclave,
            DevEnclave::Start(options.directory, installation, signals.fd()));
  KC_CHECK_OK(MakeToken(options, enclave.places()));
  KC_ASSIGN(Environment environment,
            ProgramEnvironment(installation, enclave.places().ClientConfig(),
                               enclave.places().OpensslConfig(), options.token));
  AddProgramsToPath(installation, environment);
  if (!globals.json) Announce(options, enclave);
  if (!globals.program.empty()) return RunProgram(globals.program, environment, signals);
  PrintEnvironment(enclave, environment, globals.json);
  return WaitForEnd(enclave, signals);
}

}  // namespace

void AddDev(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("dev", "a throw-away enclave for one command, or until Ctrl-C");
  command
      ->add_option("--dir", options->directory,
                   "keep its files here (default: a temporary directory, removed at the end)")
      ->type_name("DIR");
  command->add_option("--token", options->token, "the label of its one token")
      ->type_name("LABEL")
      ->capture_default_str();
  CLI::Option* so_pin = command->add_option(
      "--so-pin", options->so_pin, "a security officer PIN (others can read it: only for trying)");
  command->add_option("--pin", options->pin, "a user PIN (others can read it: only for trying)")
      ->needs(so_pin);
  command->footer(
      "The command finds KEYCLAVE_CONFIG, OPENSSL_CONF, KEYCLAVE_PKCS11_MODULE, KEYCLAVE_PROVIDER\n"
      "and KEYCLAVE_TOKEN set; its exit code is this one's. Without a command they are printed as\n"
      "export lines. Examples:\n"
      "  keyclave dev -- bash\n"
      "  keyclave dev --token t --pin 123456 --so-pin 12345678 -- \\\n"
      "    sh -c 'pkcs11-tool --module $KEYCLAVE_PKCS11_MODULE --login --pin 123456 --test'");
  command->callback([options, &invocation] {
    invocation.takes_program = true;
    invocation.action = [options, &invocation] { return Dev(*options, invocation.globals); };
  });
}

}  // namespace keyclave::ctl
