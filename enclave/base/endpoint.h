// Where the enclave listens and where its callers look for it: `unix:PATH` or `tcp:HOST:PORT`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "enclave/base/result.h"

namespace keyclave {

struct Endpoint {
  enum class Kind { kUnix, kTcp } kind = Kind::kUnix;
  std::string path;   // kUnix
  std::string host;   // kTcp; an IPv6 address without its brackets
  uint16_t port = 0;  // kTcp; 0: the listener takes a free one

  // What ParseEndpoint reads.
  std::string Text() const;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// kInvalidArgument says what is wrong: another scheme, a path that is not absolute or longer than a
// socket's address holds (107 bytes), no host, a port that is not 0..65535, a control character.
Result<Endpoint> ParseEndpoint(std::string_view text);

}  // namespace keyclave
