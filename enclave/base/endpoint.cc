#include "enclave/base/endpoint.h"

#include <sys/un.h>

#include <algorithm>
#include <charconv>

namespace keyclave {
namespace {

constexpr size_t kMaxPath = sizeof(sockaddr_un::sun_path) - 1;
constexpr size_t kMaxHost = 253;  // RFC 1035 §2.3.4, as text

Error Bad(std::string_view text, std::string_view why) {
  return Fail(Code::kInvalidArgument,
              "endpoint \"" + std::string(text) + "\": " + std::string(why));
}

bool HasControlCharacter(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

Result<Endpoint> ParseUnix(std::string_view text, std::string_view path) {
  if (path.empty() || path.front() != '/') return Bad(text, "the path must be absolute");
  if (path.size() > kMaxPath) {
    return Bad(text, "the path is longer than " + std::to_string(kMaxPath) + " bytes");
  }
  return Endpoint{.kind = Endpoint::Kind::kUnix, .path = std::string(path), .host = {}, .port = 0};
}

Result<Endpoint> ParseTcp(std::string_view text, std::string_view address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return Bad(text, "tcp needs HOST:PORT");
  std::string_view host = address.substr(0, colon);
  const std::string_view digits = address.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return Bad(text, "an IPv6 address stands in brackets: tcp:[::1]:7700");
  }
  if (host.empty() || host.size() > kMaxHost) return Bad(text, "tcp needs HOST:PORT");
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return Bad(text, "the port must be a number from 0 to 65535");
  }
  return Endpoint{
      .kind = Endpoint::Kind::kTcp, .path = {}, .host = std::string(host), .port = port};
}

}  // namespace

std::string Endpoint::Text() const {
  if (kind == Kind::kUnix) return "unix:" + path;
  const bool ipv6 = host.find(':') != std::string::npos;
  return "tcp:" + (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Endpoint> ParseEndpoint(std::string_view text) {
  constexpr std::string_view kUnix = "unix:";
  constexpr std::string_view kTcp = "tcp:";
  if (HasControlCharacter(text)) {
    return Fail(Code::kInvalidArgument, "an endpoint holds a control character");
  }
  if (text.starts_with(kUnix)) return ParseUnix(text, text.substr(kUnix.size()));
  if (text.starts_with(kTcp)) return ParseTcp(text, text.substr(kTcp.size()));
  return Bad(text, "must be unix:PATH or tcp:HOST:PORT");
}

}  // namespace keyclave
