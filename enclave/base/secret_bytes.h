// SecretBytes: memory for PINs, root secrets, plaintext keys.
//
// What holds for every SecretBytes:
// - its pages are locked (never swapped), left out of core dumps, zero in a forked child, and lie
// between guard pages;
// - it is wiped before its memory is used again;
// - it moves but does not copy; a copy is made by name (Clone), and a reader says why it reads
// (Expose);
// - equality takes the same time wherever the difference is.
// If the pages cannot be locked (RLIMIT_MEMLOCK), it works all the same and AllSecretsLocked() says
// so: the daemon refuses to start then unless its configuration allows it, a module goes on.
#pragma once

#include <memory>

#include "enclave/base/bytes.h"

namespace keyclave {

// Passed to Expose by code that is meant to see a secret, so that a search for it lists every such
// place.
struct SecretAccess {
  explicit constexpr SecretAccess() = default;
};

class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(size_t size);          // zero bytes
  static SecretBytes CopyOf(ByteSpan bytes);  // the caller wipes the original
  // Copies `bytes` and wipes them.
  static SecretBytes Take(std::span<uint8_t> bytes);

  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes();

  SecretBytes Clone() const;
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  ByteSpan Expose(SecretAccess /*why*/) const { return {data_, size_}; }
  std::span<uint8_t> ExposeMutable(SecretAccess /*why*/) { return {data_, size_}; }
  // Wipes the tail and shortens; n must not be above size().
  void Truncate(size_t n);

  friend bool operator==(const SecretBytes& a, const SecretBytes& b) {
    return EqualConstantTime({a.data_, a.size_}, {b.data_, b.size_});
  }

 private:
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  size_t block_ = 0;  // what was allocated; size_ until Truncate
};

// Whether every page that this process took for secrets so far could be locked.
bool AllSecretsLocked();

}  // namespace keyclave
