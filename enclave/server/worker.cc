#include "enclave/server/worker.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <new>

#include "enclave/base/file.h"
#include "enclave/base/log.h"

namespace keyclave::server {
namespace {

using Next = ServerConnection::Next;

constexpr uint64_t kWakeUp = 0;  // epoll's number for the eventfd
constexpr int kMaxEvents = 64;
constexpr int kCheckMilliseconds = 1000;  // between looks at the time limits

// Ends a connection that nobody seems to need, but not on top of a request that has just come.
auto CloseUnlessAsked(ServerConnection::Time now) {
  return [now](ServerConnection& connection) {
    const Next next = connection.Turn();
    if (next != Next::kWait) return next;
    if (connection.IsLeftOver(now)) return connection.Drain();
    return connection.joined() != 0 ? Next::kAgain : next;
  };
}

}  // namespace

Result<std::unique_ptr<Worker>> Worker::Create(const Services& services) {
  wire::Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  wire::Fd wake(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!epoll.ok() || !wake.ok()) return ErrnoError("epoll");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeUp;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake.get(), &event) != 0) return ErrnoError("epoll");
  return std::unique_ptr<Worker>(new Worker(services, std::move(epoll), std::move(wake)));
}

Worker::Worker(const Services& services, wire::Fd epoll, wire::Fd wake)
    : services_(services),
      batch_(services.handler.NewBatch()),
      spin_(services.spin),
      epoll_(std::move(epoll)),
      wake_(std::move(wake)) {}

Worker::~Worker() {
  RequestStop();
  Join();
}

void Worker::Start() {
  thread_ = StartThread([this] { Run(); });
}

void Worker::Join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::Wake() {
  // Fails only when the counter is full, and then the worker is awake.
  static_cast<void>(::eventfd_write(wake_.get(), 1));
}

void Worker::Adopt(wire::Fd socket, session::Peer peer) {
  load_.fetch_add(1, std::memory_order_relaxed);
  {
    const MutexLock lock(mutex_);
    inbox_.arrivals.push_back(Arrival{.socket = std::move(socket), .peer = std::move(peer)});
  }
  Wake();
}

void Worker::DeliverSlow(uint64_t number, Bytes frame) {
  {
    const MutexLock lock(mutex_);
    inbox_.replies.push_back(SlowReply{.number = number, .frame = std::move(frame)});
  }
  Wake();
}

void Worker::RequestStop() {
  {
    const MutexLock lock(mutex_);
    inbox_.stop = true;
  }
  Wake();
}

// A connection that is gone needs nothing any more. One that memory is too short for goes: the
// others shall live.
template <class Action>
void Worker::Act(uint64_t number, const Action& action) {
  const auto found = connections_.find(number);
  if (found == connections_.end()) return;
  Next next = Next::kClose;
  try {
    next = action(*found->second.connection);
  } catch (const std::bad_alloc&) {
    Log(LogLevel::kError, "out of memory: a connection is closed");
  }
  if (next == Next::kClose || !Watch(number, found->second, EPOLL_CTL_MOD)) return Close(number);
  if (next == Next::kAgain) again_.push_back(number);
}

void Worker::Run() {
  next_check_ = services_.clock.Steady();
  while (!drain_until_.has_value() || !connections_.empty()) {
    std::vector<uint64_t> ready = std::exchange(again_, {});
    Wait(ready);
    for (const uint64_t number : ready) Act(number, std::mem_fn(&ServerConnection::Turn));
    AnswerBatch();
    const Time now = services_.clock.Steady();
    if (now >= next_check_) {
      next_check_ = now + std::chrono::milliseconds(kCheckMilliseconds);
      CloseOverdue(now);
    }
  }
}

// The replies to what this turn's requests had in common. Where memory is too short for them, those
// who wait for one lose their connection, which is an answer as well.
void Worker::AnswerBatch() {
  try {
    DeliverReplies(batch_->Run());
  } catch (const std::bad_alloc&) {
    Log(LogLevel::kError, "out of memory: connections are closed");
    std::vector<uint64_t> waiting;
    for (const auto& [number, entry] : connections_) {
      if (entry.connection->joined() != 0) waiting.push_back(number);
    }
    for (const uint64_t number : waiting) Close(number);
  }
}

void Worker::DeliverReplies(const std::vector<Batch::Reply>& replies) {
  std::vector<uint64_t> answered;
  for (const Batch::Reply& reply : replies) {
    const auto found = connections_.find(reply.connection);
    if (found == connections_.end()) continue;
    if (!found->second.connection->TakeBatchReply(reply.frame).ok()) {
      Close(reply.connection);
    } else if (answered.empty() || answered.back() != reply.connection) {
      answered.push_back(reply.connection);
    }
  }
  for (const uint64_t number : answered) Act(number, std::mem_fn(&ServerConnection::Settle));
}

// Adds the connections that have an event; whatever was there already gets its turn without
// waiting.
void Worker::Wait(std::vector<uint64_t>& ready) {
  std::array<epoll_event, kMaxEvents> events{};
  const int timeout = !ready.empty() ? 0 : connections_.empty() ? -1 : kCheckMilliseconds;
  const auto look = [&](int milliseconds) {
    return ::epoll_wait(epoll_.get(), events.data(), kMaxEvents, milliseconds);
  };
  int count = 0;
  const auto came = [&] {
    count = look(0);
    return count != 0;
  };
  const bool idle = timeout != 0 && !connections_.empty();
  if (!idle || !spin_.Wait(came)) count = look(timeout);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<size_t>(i)];
    const uint64_t number = event.data.u64;
    if (number == kWakeUp) {
      TakeInbox();
      continue;
    }
    const auto found = connections_.find(number);
    if (found == connections_.end()) continue;
    // Nobody is there to read our replies, and we are not about to read: no turn would notice.
    const bool gone = (event.events & (EPOLLHUP | EPOLLERR)) != 0;
    if (gone && (found->second.events & EPOLLIN) == 0) {
      Close(number);
    } else if (std::find(ready.begin(), ready.end(), number) == ready.end()) {
      ready.push_back(number);
    }
  }
}

void Worker::TakeInbox() {
  eventfd_t ignored = 0;
  static_cast<void>(::eventfd_read(wake_.get(), &ignored));
  Inbox inbox;
  {
    const MutexLock lock(mutex_);
    std::swap(inbox, inbox_);
  }
  for (Arrival& arrival : inbox.arrivals) Welcome(std::move(arrival));
  for (SlowReply& reply : inbox.replies) {
    Act(reply.number, [&](ServerConnection& connection) {
      return connection.OnSlowReply(std::move(reply.frame));
    });
  }
  if (inbox.stop && !drain_until_.has_value()) BeginDrain();
}

void Worker::Welcome(Arrival arrival) {
  const uint64_t number = next_number_++;
  auto stream =
      wire::TlsStream::Create(services_.identity, wire::TlsEnd::kServer, std::move(arrival.socket));
  if (!stream.ok() || drain_until_.has_value()) {
    load_.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
  Home home{.number = number, .batch = *batch_, .deliver = [this, number](Bytes frame) {
              DeliverSlow(number, std::move(frame));
            }};
  Entry& entry = connections_[number];
  entry.connection = std::make_unique<ServerConnection>(services_, std::move(stream).value(),
                                                        std::move(arrival.peer), std::move(home));
  if (!Watch(number, entry, EPOLL_CTL_ADD)) Close(number);
}

// Tells epoll what the connection waits for now.
bool Worker::Watch(uint64_t number, Entry& entry, int operation) {
  uint32_t wanted = 0;
  if (entry.connection->WantsRead()) wanted |= EPOLLIN;
  if (entry.connection->WantsWrite()) wanted |= EPOLLOUT;
  if (operation == EPOLL_CTL_MOD && wanted == entry.events) return true;
  epoll_event event{};
  event.events = wanted;
  event.data.u64 = number;
  if (::epoll_ctl(epoll_.get(), operation, entry.connection->fd(), &event) != 0) return false;
  entry.events = wanted;
  return true;
}

void Worker::Close(uint64_t number) {
  connections_.erase(number);  // closes the socket, which leaves epoll with it
  load_.fetch_sub(1, std::memory_order_relaxed);
}

void Worker::BeginDrain() {
  drain_until_ = services_.clock.Steady() + services_.limits.drain;
  std::vector<uint64_t> all;
  for (const auto& [number, entry] : connections_) all.push_back(number);
  for (const uint64_t number : all) Act(number, std::mem_fn(&ServerConnection::Drain));
}

void Worker::CloseOverdue(Time now) {
  const bool drained = drain_until_.has_value() && now >= *drain_until_;
  std::vector<uint64_t> overdue;
  std::vector<uint64_t> left_over;
  for (const auto& [number, entry] : connections_) {
    if (drained || entry.connection->Overdue(now)) {
      overdue.push_back(number);
    } else if (entry.connection->IsLeftOver(now)) {
      left_over.push_back(number);
    }
  }
  for (const uint64_t number : overdue) Close(number);
  for (const uint64_t number : left_over) Act(number, CloseUnlessAsked(now));
}

}  // namespace keyclave::server
