#include "enclave/client/fd_table.h"

#include <sys/stat.h>
#include <unistd.h>

namespace keyclave::client {
namespace {

// 0 if it is no socket.
uint64_t SocketInode(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISSOCK(status.st_mode)) return 0;
  return status.st_ino;
}

}  // namespace

FdTable::Entry::Entry(FdTable& table, int fd) : fd_(fd), inode_(SocketInode(fd)) {
  for (Slot& slot : table.slots()) {
    bool free = false;
    if (!slot.taken.compare_exchange_strong(free, true)) continue;
    slot_ = &slot;
    slot.inode.store(inode_);
    slot.fd.store(fd);
    return;
  }
}

FdTable::Entry::~Entry() {
  if (slot_ == nullptr) return;
  slot_->fd.store(-1);
  slot_->taken.store(false);
}

bool FdTable::Entry::StillThere() const { return inode_ != 0 && SocketInode(fd_) == inode_; }

void FdTable::CloseAll() {
  for (Slot& slot : slots()) {
    const int fd = slot.fd.exchange(-1);
    const uint64_t inode = slot.inode.load();
    if (fd >= 0 && inode != 0 && SocketInode(fd) == inode) ::close(fd);
  }
}

}  // namespace keyclave::client
