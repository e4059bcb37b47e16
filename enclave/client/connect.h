// A connected socket to the enclave, or the reason why there is none, within a deadline.
#pragma once

#include <poll.h>

#include <chrono>
#include <optional>
#include <span>

#include "enclave/base/endpoint.h"
#include "enclave/wire/fd.h"

namespace keyclave::client {

using Deadline = std::chrono::steady_clock::time_point;

// Waits until the socket has one of poll's events (or broke). kDeadline.
Status WaitFor(int fd, short events, Deadline deadline);
// The same for one of several; a negative descriptor is left out.
Status WaitForAny(std::span<pollfd> any, Deadline deadline);

// The socket is non-blocking, closed on exec, above the standard streams. kUnreachable says what to
// do; kSocketOwner if a unix socket's listener runs as another user than `owner` (by default: root
// or this process's own user); kDeadline.
Result<wire::Fd> Connect(const Endpoint& endpoint, std::optional<uint32_t> owner,
                         Deadline deadline);

// The same without waiting: the socket is connected once IsConnected says so. Only the first of a
// host's addresses is tried.
Result<wire::Fd> BeginConnect(const Endpoint& endpoint, std::optional<uint32_t> owner);
Result<bool> IsConnected(const Endpoint& endpoint, int fd);

}  // namespace keyclave::client
