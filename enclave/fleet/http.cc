#include "enclave/fleet/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <mutex>

namespace keyclave::fleet {
namespace {

constexpr size_t kMaxReply = size_t{256} << 20;  // bytes: a page of rows is far below
constexpr long kKeepAlive = 15;                  // seconds without traffic before the host is asked

// Beginning and end of the library are the process's: once.
void StartCurl() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

long MillisecondsUntil(Http::Deadline deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  return std::max<long>(1, static_cast<long>(left.count()));
}

// Errors of before a request could leave this machine.
bool IsBeforeSending(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: return true;
    default: return false;
  }
}

}  // namespace

struct Http::Handle {
  CURL* curl = curl_easy_init();
  curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/json");
  std::array<char, CURL_ERROR_SIZE> error{};
  const Piece* piece = nullptr;
  bool enough = false;
  CURLcode refused = CURLE_OK;  // the first option that was: nothing is sent without it

  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
  }

  template <class T>
  void Set(CURLoption option, T value) {
    const CURLcode code =
        curl_easy_setopt(curl, option, value);  // NOLINT(cppcoreguidelines-pro-type-vararg)
    if (refused == CURLE_OK) refused = code;
  }

  // curl takes any other number than what it gave as an error: how a stream ends.
  static size_t Receive(const char* bytes, size_t /*one*/, size_t size, void* self) {
    auto* handle = static_cast<Handle*>(self);
    handle->enough = !(*handle->piece)({bytes, size});
    return handle->enough ? 0 : size;
  }

  std::optional<HttpFailure> Run(const Piece& to) {
    if (refused != CURLE_OK) return HttpFailure{.why = curl_easy_strerror(refused), .sent = false};
    piece = &to;
    enough = false;
    error.front() = '\0';
    const CURLcode code = curl_easy_perform(curl);
    piece = nullptr;
    if (code == CURLE_OK || enough) return std::nullopt;
    const char* text = error.front() == '\0' ? curl_easy_strerror(code) : error.data();
    return HttpFailure{.why = text, .sent = !IsBeforeSending(code)};
  }
  // Of the answer; 0: there was none.
  long Status() const {
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);  // NOLINT(*-vararg)
    return status;
  }
};

Http::Http(const EtcdConfig& config) : config_(config) { StartCurl(); }
Http::~Http() = default;

Http::HandlePtr Http::Take() {
  const MutexLock lock(mutex_);
  if (idle_.empty()) return std::make_unique<Handle>();
  HandlePtr handle = std::move(idle_.back());
  idle_.pop_back();
  return handle;
}

void Http::Return(HandlePtr handle) {
  const MutexLock lock(mutex_);
  idle_.push_back(std::move(handle));
}

// The environment's proxies and redirections are not asked: who is spoken to stands in the
// configuration.
void Http::Prepare(Handle& handle, size_t host, const std::string& path, const std::string& body,
                   Deadline deadline) const {
  curl_easy_reset(handle.curl);
  handle.refused = handle.curl == nullptr ? CURLE_FAILED_INIT : CURLE_OK;
  const long time = MillisecondsUntil(deadline);
  handle.Set(CURLOPT_URL, (config_.endpoints[host] + path).c_str());
  handle.Set(CURLOPT_PROTOCOLS_STR, "http,https");
  handle.Set(CURLOPT_PROXY, "");
  handle.Set(CURLOPT_NOSIGNAL, 1L);
  handle.Set(CURLOPT_HTTPHEADER, handle.headers);
  handle.Set(CURLOPT_ERRORBUFFER, handle.error.data());
  handle.Set(CURLOPT_WRITEFUNCTION, &Handle::Receive);
  handle.Set(CURLOPT_WRITEDATA, &handle);
  handle.Set(CURLOPT_TIMEOUT_MS, time);
  handle.Set(CURLOPT_CONNECTTIMEOUT_MS, time);
  handle.Set(CURLOPT_TCP_KEEPALIVE, 1L);
  handle.Set(CURLOPT_TCP_KEEPIDLE, kKeepAlive);
  handle.Set(CURLOPT_TCP_KEEPINTVL, kKeepAlive);
  handle.Set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  // The system's own authorities, which Debian's curl has as its default folder, are not asked.
  handle.Set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  if (!config_.ca_file.empty()) handle.Set(CURLOPT_CAINFO, config_.ca_file.c_str());
  if (!config_.certificate_file.empty()) {
    handle.Set(CURLOPT_SSLCERT, config_.certificate_file.c_str());
    handle.Set(CURLOPT_SSLKEY, config_.key_file.c_str());
  }
  handle.Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  handle.Set(CURLOPT_POSTFIELDS, body.data());
}

std::optional<HttpFailure> Http::Post(size_t host, const std::string& path, const std::string& body,
                                      Deadline deadline, HttpReply& reply) {
  reply = {};
  bool too_large = false;
  HandlePtr handle = Take();
  Prepare(*handle, host, path, body, deadline);
  std::optional<HttpFailure> failure = handle->Run([&](std::string_view bytes) {
    too_large = reply.body.size() + bytes.size() > kMaxReply;
    if (!too_large) reply.body.append(bytes);
    return !too_large;
  });
  reply.status = handle->Status();
  if (too_large) failure = HttpFailure{.why = "a reply beyond all bounds", .sent = true};
  Return(std::move(handle));
  return failure;
}

std::optional<HttpFailure> Http::Stream(size_t host, const std::string& path,
                                        const std::string& body, Deadline deadline,
                                        const Piece& piece) {
  HandlePtr handle = Take();
  Prepare(*handle, host, path, body, deadline);
  std::optional<HttpFailure> failure = handle->Run(piece);
  // One that began and is silent until the deadline is in order; one that ends before is not.
  const bool is_over = std::chrono::steady_clock::now() >= deadline;
  if (failure.has_value() && handle->Status() != 0 && is_over) {
    failure.reset();
  } else if (!failure.has_value() && !handle->enough && !is_over) {
    failure = HttpFailure{
        .why = "the stream ended, HTTP status " + std::to_string(handle->Status()), .sent = true};
  }
  Return(std::move(handle));
  return failure;
}

}  // namespace keyclave::fleet
