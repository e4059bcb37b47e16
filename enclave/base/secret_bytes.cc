// The pool behind SecretBytes: regions of locked pages, cut into blocks of powers of two. What is
// free is noted in ordinary memory, never in the pages themselves, because a forked child sees
// those as zero.

#include "enclave/base/secret_bytes.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <map>
#include <mutex>
#include <new>
#include <set>

namespace keyclave {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kRegion = 64 * 1024;
constexpr size_t kSmallest = 64;
constexpr size_t kLargestShared = 16 * 1024;  // larger secrets get pages of their own

std::atomic<bool> all_locked{true};

// Fresh zero pages with a guard page on either side; throws std::bad_alloc.
uint8_t* MapPages(size_t size) {
  void* base = mmap(nullptr, size + 2 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) throw std::bad_alloc();
  uint8_t* pages = static_cast<uint8_t*>(base) + kPage;
  if (mprotect(pages, size, PROT_READ | PROT_WRITE) != 0) {
    munmap(base, size + 2 * kPage);
    throw std::bad_alloc();
  }
  if (mlock(pages, size) != 0) all_locked.store(false, std::memory_order_relaxed);
  if (madvise(pages, size, MADV_DONTDUMP) != 0) all_locked.store(false, std::memory_order_relaxed);
  if (madvise(pages, size, MADV_WIPEONFORK) != 0)
    all_locked.store(false, std::memory_order_relaxed);
  return pages;
}

size_t BlockSize(size_t size) { return std::bit_ceil(std::max(size, kSmallest)); }
size_t PageRound(size_t size) { return (size + kPage - 1) / kPage * kPage; }

class Pool {
 public:
  explicit Pool(pid_t owner) : owner_(owner) {}
  pid_t owner() const { return owner_; }

  uint8_t* Allocate(size_t size) {
    if (size > kLargestShared) {
      uint8_t* pages = MapPages(PageRound(size));
      const std::lock_guard lock(mutex_);
      own_pages_.insert(pages);
      return pages;
    }
    const size_t block = BlockSize(size);
    const std::lock_guard lock(mutex_);
    std::vector<uint8_t*>& list = free_[block];
    if (list.empty()) {
      uint8_t* region = MapPages(kRegion);
      regions_.insert(region);
      for (size_t offset = 0; offset < kRegion; offset += block) list.push_back(region + offset);
    }
    uint8_t* found = list.back();
    list.pop_back();
    return found;
  }

  // A block of a pool that a parent process made is left alone: in this process its bytes are zero.
  void Release(uint8_t* data, size_t size) {
    const std::lock_guard lock(mutex_);
    if (own_pages_.erase(data) != 0) {
      Wipe({data, size});
      munmap(data - kPage, PageRound(size) + 2 * kPage);
      return;
    }
    auto region = regions_.upper_bound(data);
    if (region == regions_.begin() || data - *--region >= static_cast<ptrdiff_t>(kRegion)) return;
    Wipe({data, size});
    free_[BlockSize(size)].push_back(data);
  }

 private:
  const pid_t owner_;
  std::mutex mutex_;
  std::map<size_t, std::vector<uint8_t*>> free_;
  std::set<uint8_t*, std::less<>> own_pages_;
  std::set<uint8_t*, std::less<>> regions_;
};

// The pool of this process. It is never destroyed: secrets may be released by any destructor,
// however late. A forked child starts a new one, because the old one's mutex may have been held by
// a thread that the child does not have.
Pool& ThisPool() {
  static std::atomic<Pool*> current{nullptr};
  const pid_t self = getpid();
  Pool* pool = current.load(std::memory_order_acquire);
  while (pool == nullptr || pool->owner() != self) {
    Pool* fresh = new Pool(self);
    if (current.compare_exchange_strong(pool, fresh, std::memory_order_acq_rel)) return *fresh;
    delete fresh;
  }
  return *pool;
}

}  // namespace

SecretBytes::SecretBytes(size_t size)
    : data_(size == 0 ? nullptr : ThisPool().Allocate(size)), size_(size), block_(size) {}

SecretBytes SecretBytes::CopyOf(ByteSpan bytes) {
  SecretBytes secret(bytes.size());
  std::copy(bytes.begin(), bytes.end(), secret.data_);
  return secret;
}

SecretBytes SecretBytes::Take(std::span<uint8_t> bytes) {
  SecretBytes secret = CopyOf(bytes);
  Wipe(bytes);
  return secret;
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      block_(std::exchange(other.block_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  SecretBytes old(std::move(*this));
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  block_ = std::exchange(other.block_, 0);
  return *this;
}

SecretBytes::~SecretBytes() {
  if (data_ != nullptr) ThisPool().Release(data_, block_);
}

SecretBytes SecretBytes::Clone() const { return CopyOf({data_, size_}); }

void SecretBytes::Truncate(size_t n) {
  Wipe(std::span<uint8_t>(data_, size_).subspan(n));
  size_ = n;
}

bool AllSecretsLocked() { return all_locked.load(std::memory_order_relaxed); }

}  // namespace keyclave
