#include "enclave/sds/server.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/server_posix.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "attest/peer_process.h"
#include "enclave/base/file.h"
#include "enclave/base/log.h"
#include "enclave/gateway/process.h"
#include "enclave/sds/service.h"
#include "enclave/server/listener.h"
#include "enclave/wire/fd.h"

namespace keyclave::sds {
namespace {

constexpr size_t kThreads = 4;                // that wait for the enclave
constexpr int kMaxStreams = 256;              // of one connection
constexpr int kMaxMessage = 64 * 1024;        // bytes, of a request
constexpr std::chrono::seconds kFarewell{3};  // for streams that do not end

// Until owner and mode are what they shall be, the socket is for nobody else.
Result<server::Listener> Listen(const SdsConfig& config) {
  KC_ASSIGN(const Endpoint endpoint, ParseEndpoint("unix:" + config.socket));
  KC_ASSIGN(server::Listener listener, server::Listener::Open(endpoint, 0600));
  const auto owner = config.owner.value_or(static_cast<uint32_t>(-1));  // -1: as it is
  const auto group = config.group.value_or(static_cast<uint32_t>(-1));
  if (::chown(config.socket.c_str(), owner, group) != 0 ||
      ::chmod(config.socket.c_str(), config.mode) != 0) {
    return ErrnoError(config.socket);
  }
  return listener;
}

class Program {
 public:
  Program(SdsConfig config, client::ClientConfig client, Arguments arguments)
      : arguments_(std::move(arguments)),
        socket_(config.socket),
        maker_(std::move(client)),
        worker_(kThreads),
        hub_(std::move(config), maker_, clock_, worker_),
        service_(hub_) {}

  Status Run(const server::Listener& listener, const wire::Fd& signals) {
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    builder.SetMaxReceiveMessageSize(kMaxMessage);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreams);
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (server == nullptr) return Fail(Code::kInternal, "gRPC does not start");
    Log(LogLevel::kInfo, "listening on " + socket_);
    Status outcome = Loop(listener, signals, *server);
    hub_.EndAll();
    server->Shutdown(std::chrono::system_clock::now() + kFarewell);
    server->Wait();
    Log(LogLevel::kInfo, "ended");
    return outcome;
  }

 private:
  Status Loop(const server::Listener& listener, const wire::Fd& signals, grpc::Server& server) {
    while (true) {
      std::array<pollfd, 2> waiting = {pollfd{signals.get(), POLLIN, 0},
                                       pollfd{listener.fd(), POLLIN, 0}};
      if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR)
        return ErrnoError("poll");
      signalfd_siginfo signal{};
      if (::read(signals.get(), &signal, sizeof(signal)) == sizeof(signal)) {
        if (signal.ssi_signo != SIGHUP) return Done{};
        Reload();
      }
      if (waiting[1].revents != 0) Accept(listener, server);
    }
  }

  // Who is not in the configuration does not get to speak.
  void Accept(const server::Listener& listener, grpc::Server& server) {
    auto arrival = listener.Accept();
    if (!arrival.ok()) return Log(LogLevel::kError, arrival.error().Text());
    if (!arrival->has_value()) return;
    wire::Fd connection = std::move((*arrival)->socket);
    const auto process = attest::ReadPeerProcess(connection.get());
    if (!process.ok()) return Log(LogLevel::kWarning, "refused: " + process.error().Text());
    const Peer peer{.uid = process->uid, .executable = process->executable.measurement};
    const std::string who = "uid " + std::to_string(peer.uid) + ", executable " +
                            process->executable.name + " " + ToHex(peer.executable);
    const Hub::ConfigPtr config = hub_.config();
    const CallerConfig* const caller = config->FindCaller(peer.uid, peer.executable);
    if (caller == nullptr) return Log(LogLevel::kWarning, "refused: no such caller: " + who);
    Log(LogLevel::kInfo, caller->name + " connects: " + who);
    // What gRPC calls a connection that it was given.
    service_.peers().Set("fd:" + std::to_string(connection.get()), peer);
    grpc::AddInsecureChannelFromFd(&server, connection.Release());
  }

  void Reload() {
    auto config = LoadSdsConfig(arguments_.config);
    if (!config.ok())
      return Log(LogLevel::kError, "the configuration stays as it was: " + config.error().Text());
    if (config->socket != socket_)
      Log(LogLevel::kWarning, "the socket stays at " + socket_ + " until a restart");
    hub_.Reload(*std::move(config));
    Log(LogLevel::kInfo, "the configuration was read again");
  }

  const Arguments arguments_;
  const std::string socket_;
  const SystemClock clock_;
  EnclaveSecretMaker maker_;
  Worker worker_;
  Hub hub_;
  Service service_;
};

}  // namespace

Status Serve(const Arguments& arguments) {
  gateway::GuardMemory();
  KC_ASSIGN(const wire::Fd signals, gateway::TakeSignals({SIGTERM, SIGINT, SIGHUP}));
  KC_ASSIGN(SdsConfig config, LoadSdsConfig(arguments.config));
  const std::string path = config.client.empty() ? arguments.client : config.client;
  KC_ASSIGN(client::ClientConfig client, client::LoadClientConfig(path));
  KC_ASSIGN(const server::Listener listener, Listen(config));
  Program program(std::move(config), std::move(client), arguments);
  return program.Run(listener, signals);
}

}  // namespace keyclave::sds
