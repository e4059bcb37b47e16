#include "enclave/client/wake_fd.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

namespace keyclave::client {

WakeFd::WakeFd(int socket)
    : socket_(socket),
      event_(wire::Fd::AboveStandardStreams(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))) {}

int WakeFd::Either() {
  if (either_.ok() || !event_.ok()) return either_.get();
  wire::Fd either = wire::Fd::AboveStandardStreams(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event readable{};
  readable.events = EPOLLIN;
  for (const int fd : {socket_, event_.get()}) {
    if (::epoll_ctl(either.get(), EPOLL_CTL_ADD, fd, &readable) != 0) return -1;
  }
  either_ = std::move(either);
  return either_.get();
}

// The counter is never full: each Raise is followed by a Lower.
void WakeFd::Raise() { static_cast<void>(::eventfd_write(event_.get(), 1)); }

void WakeFd::Lower() {
  eventfd_t ignored = 0;
  static_cast<void>(::eventfd_read(event_.get(), &ignored));
}

}  // namespace keyclave::client
