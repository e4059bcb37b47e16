// handshake_bench: full TLS handshakes per second against a server on 127.0.0.1: no resumption, no
// tickets, one TCP connection each, closed as soon as the handshake is done. Prints one line of
// JSON. With --count it makes so many handshakes instead, each with a request that the server has
// to answer, and fails with the first that fails.
//
// The client is GnuTLS, whose handshake takes half of the processor time of OpenSSL 3.0's: what the
// client takes, the server does not have.
#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "bench/load.h"
#include "bench/watch.h"

namespace {

void Check(int result, const char* what) {
  if (result < 0) throw std::runtime_error(std::string(what) + ": " + gnutls_strerror(result));
}

// Repeats what was only interrupted (as by a ticket that came in between); its last result.
template <class Call>
auto Finish(const Call& call) {
  auto result = call();
  while (result < 0 && gnutls_error_is_fatal(static_cast<int>(result)) == 0) result = call();
  return result;
}

// A connected socket that leaves nothing behind when it closes: thousands of handshakes would use
// up the ports otherwise.
class Connection {
 public:
  explicit Connection(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    const linger reset{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): as connect(2) wants it
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      close(fd_);
      throw std::runtime_error("connect");
    }
  }
  ~Connection() { close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

// What all handshakes of a thread have in common.
class Client {
 public:
  Client(uint16_t port, const std::string& tls, bool get) : port_(port), get_(get) {
    // The server signs in every handshake. In TLS 1.2 the curves are those of certificates too.
    const std::string priorities = "NORMAL:-VERS-ALL:+VERS-TLS" + tls +
                                   ":-RSA:-DHE-RSA:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:"
                                   "+GROUP-SECP384R1";
    Check(gnutls_priority_init(&priorities_, priorities.c_str(), nullptr), "priorities");
    // The server proves its key in every handshake; whose certificate it is does not matter here.
    Check(gnutls_certificate_allocate_credentials(&credentials_), "credentials");
  }
  ~Client() {
    gnutls_certificate_free_credentials(credentials_);
    gnutls_priority_deinit(priorities_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void Handshake() const {
    const Connection connection(port_);
    gnutls_session_t session = nullptr;
    Check(gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NO_TICKETS | GNUTLS_KEY_SHARE_TOP),
          "gnutls_init");
    const std::unique_ptr<gnutls_session_int, SessionFree> owned(session);
    Check(gnutls_priority_set(session, priorities_), "priorities");
    Check(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials_), "credentials");
    gnutls_transport_set_int(session, connection.fd());
    Check(Finish([&] { return gnutls_handshake(session); }), "handshake");
    if (gnutls_session_is_resumed(session) != 0)
      throw std::runtime_error("the session was resumed");
    if (get_) Get(session);
  }

 private:
  struct SessionFree {
    void operator()(gnutls_session_t session) const { gnutls_deinit(session); }
  };

  // One page, to the end of the connection.
  static void Get(gnutls_session_t session) {
    constexpr std::string_view kRequest =
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    Check(static_cast<int>(Finish(
              [&] { return gnutls_record_send(session, kRequest.data(), kRequest.size()); })),
          "request");
    std::string answer;
    std::array<char, 4096> block{};
    const auto receive = [&] { return gnutls_record_recv(session, block.data(), block.size()); };
    for (ssize_t got = 0; (got = Finish(receive)) > 0;) {
      answer.append(block.data(), static_cast<size_t>(got));
    }
    if (!answer.starts_with("HTTP/1.1 200 ")) throw std::runtime_error("answer: " + answer);
  }

  const uint16_t port_;
  const bool get_;
  gnutls_priority_t priorities_ = nullptr;
  gnutls_certificate_credentials_t credentials_ = nullptr;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"full TLS handshakes per second against 127.0.0.1"};
  uint16_t port = 0;
  unsigned threads = 4;
  uint64_t count = 0;
  double seconds = 1;
  double warm_up = 0.3;
  std::vector<pid_t> watched;
  std::string tls = "1.3";
  app.add_option("--port", port)->required();
  app.add_option("--threads", threads)->check(CLI::Range(1U, 256U));
  app.add_option("--count", count, "handshakes to make, each with a request");
  app.add_option("--seconds", seconds, "measured time");
  app.add_option("--warm-up", warm_up, "seconds before, not counted");
  app.add_option("--watch", watched, keyclave::bench::kWatchHelp);
  app.add_option("--tls", tls)->check(CLI::IsMember({"1.2", "1.3"}));
  CLI11_PARSE(app, argc, argv);
  try {
    const keyclave::bench::Worker worker = [&] {
      return
          [client = std::make_shared<const Client>(port, tls, count != 0)] { client->Handshake(); };
    };
    keyclave::bench::Print(
        count != 0 ? keyclave::bench::RunCount(threads, count, worker)
                   : keyclave::bench::RunLoad(threads, warm_up, seconds, worker, watched));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "handshake_bench: %s\n", error.what());
    return 1;
  }
}
