// The thread that takes arriving connections and hands them to the worker that has the fewest. It
// also has the session map swept, being the only one with time.
#pragma once

#include <thread>

#include "enclave/server/listener.h"
#include "enclave/server/worker.h"

namespace keyclave::server {

class Acceptor {
 public:
  // The references must outlive it.
  Acceptor(const Services& services, const std::vector<Listener>& listeners,
           const std::vector<std::unique_ptr<Worker>>& workers);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  Status Start();
  void Stop();

 private:
  void Run();
  // false: the process or the machine is out of something, and trying again at once is no use.
  bool TakeArrivals(const Listener& listener);
  void Place(Listener::Arrival arrival);
  // How many Place has closed since the last time, to the log.
  void TellRefusals();

  const Services services_;
  uint64_t told_ = 0;
  const std::vector<Listener>& listeners_;
  const std::vector<std::unique_ptr<Worker>>& workers_;
  wire::Fd stop_;
  std::thread thread_;
};

}  // namespace keyclave::server
