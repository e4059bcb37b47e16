#include "attest/tpm/turn.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <ctime>

#include "enclave/base/hash.h"

namespace keyclave::attest::tpm {
namespace {

constexpr std::string_view kDevice = "device:";
constexpr std::chrono::seconds kLongestTurn{10};
constexpr unsigned kBreath = 8;  // milliseconds
constexpr long kNanosecondsPerMillisecond = 1'000'000;

}  // namespace

Turn::Turn(const std::string& tcti) {
  if (tcti.starts_with(kDevice)) return;
  socket_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "keyclave/tpm/" + ToHex(Sha256(AsBytes(tcti)));
  std::copy(name.begin(), name.end(), address.sun_path + 1);  // a NUL comes first
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  const void* generic = &address;
  const auto until = std::chrono::steady_clock::now() + kLongestTurn;
  while (bind(socket_, static_cast<const sockaddr*>(generic), size) != 0) {
    if (errno != EADDRINUSE || std::chrono::steady_clock::now() > until) return;
    WaitALittle(kBreath);
  }
}

Turn::~Turn() {
  if (socket_ >= 0) close(socket_);
}

void WaitALittle(unsigned longest_milliseconds) {
  const long milliseconds = RandomArray<1>()[0] % longest_milliseconds;
  const timespec wait{.tv_sec = 0, .tv_nsec = milliseconds * kNanosecondsPerMillisecond + 1};
  nanosleep(&wait, nullptr);
}

}  // namespace keyclave::attest::tpm
