#include "enclave/kbs/server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

#include "enclave/base/file.h"
#include "enclave/base/log.h"
#include "enclave/gateway/process.h"
#include "enclave/kbs/http_server.h"
#include "enclave/server/listener.h"

namespace keyclave::kbs {
namespace {

constexpr int kSweepMilliseconds = 5000;
constexpr size_t kMaxPem = size_t{256} << 10;  // bytes
constexpr uint32_t kSocketMode = 0660;

Result<Endpoint> EndpointOf(const std::string& listen) {
  const bool has_scheme = listen.starts_with("unix:") || listen.starts_with("tcp:");
  return ParseEndpoint(has_scheme ? listen : "tcp:" + listen);
}

Result<HttpTls> ReadTls(const Arguments& arguments) {
  if (arguments.tls_certificate.empty() != arguments.tls_key.empty())
    return Fail(Code::kInvalidArgument, "--tls-certificate and --tls-key go together");
  HttpTls tls;
  if (arguments.tls_key.empty()) return tls;
  KC_ASSIGN(const Bytes certificate, ReadFile(arguments.tls_certificate, kMaxPem));
  tls.certificate = std::string(AsText(certificate));
  KC_ASSIGN(Bytes key, ReadFile(arguments.tls_key, kMaxPem));
  tls.key = SecretBytes::Take(key);
  return tls;
}

Status WaitForEnd(const wire::Fd& signals, Service& service) {
  while (true) {
    pollfd waiting = {signals.get(), POLLIN, 0};
    if (::poll(&waiting, 1, kSweepMilliseconds) < 0 && errno != EINTR) return ErrnoError("poll");
    signalfd_siginfo signal{};
    if (::read(signals.get(), &signal, sizeof(signal)) == sizeof(signal)) return Done{};
    service.Sweep();
  }
}

}  // namespace

Status Serve(const Arguments& arguments) {
  gateway::GuardMemory();
  if (arguments.token.empty())
    return Fail(Code::kInvalidArgument, "--token: the label of the token that has the objects");
  KC_ASSIGN(const wire::Fd signals, gateway::TakeSignals({SIGTERM, SIGINT}));
  KC_ASSIGN(const HttpTls tls, ReadTls(arguments));
  KC_ASSIGN(client::ClientConfig client, client::LoadClientConfig(arguments.client));
  KC_ASSIGN(const Endpoint endpoint, EndpointOf(arguments.listen));
  KC_ASSIGN(const server::Listener listener, server::Listener::Open(endpoint, kSocketMode));
  DaemonLink link(std::move(client), arguments.token, kMaxSessions);
  const SystemClock clock;
  Service service(link, clock);
  wire::Fd listening(::fcntl(listener.fd(), F_DUPFD_CLOEXEC, 3));
  if (!listening.ok()) return ErrnoError("the socket");
  KC_ASSIGN(const auto http, HttpServer::Start(std::move(listening), tls, service));
  Log(LogLevel::kInfo, "listening on " + listener.endpoint().Text() +
                           (tls.certificate.empty() ? ", without TLS" : ""));
  const Status outcome = WaitForEnd(signals, service);
  Log(LogLevel::kInfo, "ended");
  return outcome;
}

}  // namespace keyclave::kbs
