// One thread that serves many connections: it waits for all their sockets at once, gives each a
// turn when something has come, and does their key operations itself.
#pragma once

#include <thread>
#include <unordered_map>

#include "enclave/base/spin.h"
#include "enclave/server/server_connection.h"

namespace keyclave::server {

class Worker {
 public:
  static Result<std::unique_ptr<Worker>> Create(const Services& services);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void Start();
  // From any thread: a new connection for this worker.
  void Adopt(wire::Fd socket, session::Peer peer);
  // Connections it has or is about to have.
  size_t load() const { return load_.load(std::memory_order_relaxed); }
  // From any thread: answers what was read, then closes every connection and ends.
  void RequestStop();
  void Join();

 private:
  using Time = ServerConnection::Time;
  struct Entry {
    std::unique_ptr<ServerConnection> connection;
    uint32_t events = 0;  // what epoll was asked to tell
  };
  struct Arrival {
    wire::Fd socket;
    session::Peer peer;
  };
  struct SlowReply {
    uint64_t number = 0;  // of the connection
    Bytes frame;
  };
  // What other threads leave for this one.
  struct Inbox {
    std::vector<Arrival> arrivals;
    std::vector<SlowReply> replies;
    bool stop = false;
  };

  Worker(const Services& services, wire::Fd epoll, wire::Fd wake);
  void Run();
  void Wait(std::vector<uint64_t>& ready);
  void TakeInbox();
  void Wake();
  void AnswerBatch();
  void DeliverReplies(const std::vector<Batch::Reply>& replies);
  void DeliverSlow(uint64_t number, Bytes frame);
  void Welcome(Arrival arrival);
  // Lets a connection do something, and does what it says comes next.
  template <class Action>
  void Act(uint64_t number, const Action& action);
  bool Watch(uint64_t number, Entry& entry, int operation);
  void Close(uint64_t number);
  void BeginDrain();
  void CloseOverdue(Time now);

  const Services services_;
  const std::unique_ptr<Batch> batch_;
  Spin spin_;
  const wire::Fd epoll_;
  const wire::Fd wake_;
  std::thread thread_;
  std::atomic<size_t> load_{0};

  Mutex mutex_;
  Inbox inbox_ KC_GUARDED_BY(mutex_);

  // Of the worker's own thread.
  std::unordered_map<uint64_t, Entry> connections_;
  std::vector<uint64_t> again_;  // have more to do without an event
  uint64_t next_number_ = 1;     // 0 is the wake-up
  Time next_check_{};
  std::optional<Time> drain_until_;
};

}  // namespace keyclave::server
