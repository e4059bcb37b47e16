// HTTP/1.1 for the service, by libmicrohttpd, one thread for each connection: with limits on how
// many there are, how much a request may be, and how long it may take to come.
#pragma once

#include <memory>

#include "enclave/kbs/service.h"
#include "enclave/wire/fd.h"

namespace keyclave::kbs {

inline constexpr unsigned kMaxHttpConnections = 256;
inline constexpr unsigned kIdleSeconds = 20;  // of a connection on which nothing comes
inline constexpr std::chrono::seconds kRequestSeconds{30};  // for a whole request to come

// PEM; both empty: no TLS.
struct HttpTls {
  std::string certificate;
  SecretBytes key;
};

class HttpServer {
 public:
  // Serves on a listening socket until it goes. kInternal, kInvalidArgument where the certificate
  // and key are no pair that TLS can use.
  static Result<std::unique_ptr<HttpServer>> Start(wire::Fd listening, const HttpTls& tls,
                                                   Service& service);
  virtual ~HttpServer() = default;
};

}  // namespace keyclave::kbs
