// What wakes callers who do not sleep but look at a socket: an event beside it, raised while there
// are answers that were read on their behalf and are not fetched yet.
#pragma once

#include "enclave/wire/fd.h"

namespace keyclave::client {

class WakeFd {
 public:
  explicit WakeFd(int socket);

  // -1 if there was no descriptor to be had.
  int event() const { return event_.get(); }
  // One descriptor that has bytes while either the socket or the event has: all that a program
  // watches for an asynchronous job. Made on first use; -1 as above.
  int Either();
  void Raise();
  void Lower();

 private:
  const int socket_;
  const wire::Fd event_;
  wire::Fd either_;  // an epoll of both
};

}  // namespace keyclave::client
