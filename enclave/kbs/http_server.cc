#include "enclave/kbs/http_server.h"

#include <microhttpd.h>

#include <cstdarg>

#include "enclave/base/log.h"

namespace keyclave::kbs {
namespace {

constexpr size_t kConnectionMemory = size_t{32} << 10;  // bytes: a request's headers fit in
constexpr unsigned kPayloadTooLarge = 413;

struct StopDaemon {
  void operator()(MHD_Daemon* daemon) const { MHD_stop_daemon(daemon); }
};
struct DestroyResponse {
  void operator()(MHD_Response* response) const { MHD_destroy_response(response); }
};

// A request while it comes.
struct Arriving {
  HttpRequest request;
  std::chrono::steady_clock::time_point begun;
  bool too_large = false;
};

std::string Header(MHD_Connection* connection, const char* name) {
  const char* value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
  return value == nullptr ? std::string() : std::string(value);
}

HttpRequest Begin(MHD_Connection* connection, const char* url, const char* method) {
  HttpRequest request;
  request.method = method;
  request.path = url;
  request.has_query =
      MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, nullptr, nullptr) > 0;
  const char* cookie = MHD_lookup_connection_value(connection, MHD_COOKIE_KIND, "kbs-session-id");
  if (cookie != nullptr) request.cookie = cookie;
  constexpr std::string_view kBearer = "Bearer ";
  const std::string authorization = Header(connection, MHD_HTTP_HEADER_AUTHORIZATION);
  if (authorization.starts_with(kBearer)) request.bearer = authorization.substr(kBearer.size());
  return request;
}

MHD_Result Send(MHD_Connection* connection, const HttpResponse& response) {
  std::string body = response.body;
  const std::unique_ptr<MHD_Response, DestroyResponse> message(
      MHD_create_response_from_buffer(body.size(), body.data(), MHD_RESPMEM_MUST_COPY));
  if (message == nullptr) return MHD_NO;
  MHD_add_response_header(message.get(), MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
  MHD_add_response_header(message.get(), MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  if (!response.cookie.empty())
    MHD_add_response_header(message.get(), MHD_HTTP_HEADER_SET_COOKIE, response.cookie.c_str());
  return MHD_queue_response(connection, response.status, message.get());
}

HttpResponse TooLarge() {
  return {.status = kPayloadTooLarge,
          .body = ProblemText("SerdeError", "a request of more than 512 KiB")};
}

HttpResponse Answer(Service& service, const HttpRequest& request) {
  try {
    return service.Handle(request);
  } catch (const std::exception& error) {
    Log(LogLevel::kError, std::string("internal error: ") + error.what());
    return {.status = 500, .body = ProblemText("PluginInternalError", "internal error")};
  }
}

// Called first when the headers are there, then for each piece of the body, then for the answer.
MHD_Result Access(void* context, MHD_Connection* connection, const char* url, const char* method,
                  const char* /*version*/, const char* upload, size_t* upload_size, void** state) {
  auto* arriving = static_cast<Arriving*>(*state);
  if (arriving == nullptr) {
    auto made = std::make_unique<Arriving>();
    made->request = Begin(connection, url, method);
    made->begun = std::chrono::steady_clock::now();
    // Who says so beforehand need not send it.
    const std::string length = Header(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);
    made->too_large = std::strtoull(length.c_str(), nullptr, 10) > kMaxBody;
    *state = made.release();
    return static_cast<Arriving*>(*state)->too_large ? Send(connection, TooLarge()) : MHD_YES;
  }
  if (std::chrono::steady_clock::now() - arriving->begun > kRequestSeconds) return MHD_NO;
  if (*upload_size == 0)
    return Send(connection, Answer(*static_cast<Service*>(context), arriving->request));
  const ByteSpan piece = FromC(upload, *upload_size);
  *upload_size = 0;
  Bytes& body = arriving->request.body;
  if (piece.size() > kMaxBody - body.size()) return MHD_NO;
  body.insert(body.end(), piece.begin(), piece.end());
  return MHD_YES;
}

void Completed(void* /*context*/, MHD_Connection* /*connection*/, void** state,
               MHD_RequestTerminationCode /*why*/) {
  const std::unique_ptr<Arriving> ended(static_cast<Arriving*>(*state));
  *state = nullptr;
}

// What libmicrohttpd says while it starts is worth knowing; later it is about strangers' requests.
void LogText(void* context, const char* format, va_list arguments) {
  std::array<char, 512> line{};
  std::vsnprintf(line.data(), line.size(), format, arguments);
  std::string text(line.data());
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const bool started = static_cast<const std::atomic<bool>*>(context)->load();
  Log(started ? LogLevel::kDebug : LogLevel::kError, "HTTP: " + text);
}

class Microhttpd final : public HttpServer {
 public:
  explicit Microhttpd(HttpTls tls) : tls_(std::move(tls)) {}

  Status Begin(wire::Fd listening, Service& service) {
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
                     MHD_USE_THREAD_PER_CONNECTION | MHD_USE_ERROR_LOG;
    std::vector<MHD_OptionItem> more;
    if (!tls_.certificate.empty()) {
      flags |= MHD_USE_TLS;
      key_ = ToBytes(tls_.key.Expose(SecretAccess()));
      key_.push_back(0);  // a C string
      more.push_back({MHD_OPTION_HTTPS_MEM_CERT, 0, tls_.certificate.data()});
      more.push_back({MHD_OPTION_HTTPS_MEM_KEY, 0, key_.data()});
    }
    more.push_back({MHD_OPTION_END, 0, nullptr});
    daemon_.reset(MHD_start_daemon(
        flags, 0, nullptr, nullptr, &Access, &service, MHD_OPTION_EXTERNAL_LOGGER, &LogText,
        &started_, MHD_OPTION_LISTEN_SOCKET, listening.get(), MHD_OPTION_CONNECTION_LIMIT,
        kMaxHttpConnections, MHD_OPTION_CONNECTION_TIMEOUT, kIdleSeconds,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, kConnectionMemory, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_NOTIFY_COMPLETED, &Completed, nullptr, MHD_OPTION_ARRAY, more.data(),
        MHD_OPTION_END));
    if (daemon_ == nullptr)
      return Fail(tls_.certificate.empty() ? Code::kInternal : Code::kInvalidArgument,
                  "HTTP does not start (the log says why)");
    started_ = true;
    listening.Release();  // the daemon closes it
    return Done{};
  }

 private:
  HttpTls tls_;
  Bytes key_;  // outlives the daemon
  std::atomic<bool> started_{false};
  std::unique_ptr<MHD_Daemon, StopDaemon> daemon_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::Start(wire::Fd listening, const HttpTls& tls,
                                                      Service& service) {
  auto server = std::make_unique<Microhttpd>(HttpTls{tls.certificate, tls.key.Clone()});
  KC_CHECK_OK(server->Begin(std::move(listening), service));
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace keyclave::kbs
