// handshake_bench: full TLS handshakes per second against a server on 127.0.0.1: no resumption, no
// tickets, one TCP connection each, closed as soon as the handshake is done. Prints one line of
// JSON. With --count it makes so many handshakes instead, each with a request that the server has
// to answer, and fails with the first that fails.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
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

struct ContextFree {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct SslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using Context = std::unique_ptr<SSL_CTX, ContextFree>;

[[noreturn]] void Throw(const char* what) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_peek_last_error(), text.data(), text.size());
  throw std::runtime_error(std::string(what) + ": " + text.data());
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

Context NewContext(int version) {
  Context context(SSL_CTX_new(TLS_client_method()));
  if (!context) Throw("SSL_CTX_new");
  SSL_CTX_set_min_proto_version(context.get(), version);
  SSL_CTX_set_max_proto_version(context.get(), version);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET);
  // The server proves its key in every handshake; whose certificate it is does not matter here.
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  return context;
}

// One page, to the end of the connection.
void Get(SSL* ssl) {
  constexpr std::string_view kRequest =
      "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  if (SSL_write(ssl, kRequest.data(), static_cast<int>(kRequest.size())) <= 0) Throw("request");
  std::string answer;
  std::array<char, 4096> block{};
  for (int got = 0; (got = SSL_read(ssl, block.data(), block.size())) > 0;) {
    answer.append(block.data(), static_cast<size_t>(got));
  }
  if (!answer.starts_with("HTTP/1.1 200 ")) throw std::runtime_error("answer: " + answer);
}

void Handshake(SSL_CTX* context, uint16_t port, bool get) {
  const Connection connection(port);
  const std::unique_ptr<SSL, SslFree> ssl(SSL_new(context));
  SSL_set_fd(ssl.get(), connection.fd());
  if (SSL_connect(ssl.get()) != 1) Throw("handshake");
  if (SSL_session_reused(ssl.get()) != 0) throw std::runtime_error("the session was resumed");
  if (get) Get(ssl.get());
}

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
    const int version = tls == "1.2" ? TLS1_2_VERSION : TLS1_3_VERSION;
    const keyclave::bench::Worker worker = [version, port, get = count != 0] {
      const std::shared_ptr<SSL_CTX> context = NewContext(version);
      return [context, port, get] { Handshake(context.get(), port, get); };
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
