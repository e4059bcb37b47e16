// The sockets of one process's channels, in a form that a forked child can read without a lock,
// whatever the other threads of its parent were doing: by it the child closes its copies.
//
// A descriptor is told from another file that took its number by the socket's inode.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

namespace keyclave::client {

class FdTable {
  struct Slot {
    std::atomic<bool> taken{false};
    std::atomic<int> fd{-1};
    std::atomic<uint64_t> inode{0};
  };

 public:
  // An entry for one open socket. It ends before the socket is closed.
  class Entry {
   public:
    Entry(FdTable& table, int fd);
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry();
    // Whether the descriptor is still the socket it was: an application may have closed it and
    // opened something else under its number.
    bool StillThere() const;

   private:
    Slot* slot_ = nullptr;
    const int fd_;
    const uint64_t inode_;
  };

  explicit FdTable(size_t size) : slots_(std::make_unique<Slot[]>(size)), size_(size) {}

  // In a child after fork: closes what its parent had open.
  void CloseAll();

 private:
  std::span<Slot> slots() { return {slots_.get(), size_}; }
  const std::unique_ptr<Slot[]> slots_;
  const size_t size_;
};

}  // namespace keyclave::client
