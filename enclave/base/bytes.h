// Byte containers and the few conversions that everybody needs.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "enclave/base/result.h"

namespace keyclave {

// Overwrites memory in a way that the compiler keeps.
void Wipe(std::span<uint8_t> bytes);

// Memory that is wiped before it goes back to the heap, so that no buffer that once held a PIN or a
// plaintext is left behind. What lives longer than a call belongs into SecretBytes.
template <class T>
struct WipingAllocator {
  using value_type = T;
  WipingAllocator() = default;
  template <class U>
  WipingAllocator(const WipingAllocator<U>& /*other*/) {}  // NOLINT(google-explicit-constructor)
  T* allocate(size_t n) { return std::allocator<T>().allocate(n); }
  void deallocate(T* p, size_t n) {
    Wipe({p, n});
    std::allocator<T>().deallocate(p, n);
  }
  friend bool operator==(const WipingAllocator&, const WipingAllocator&) { return true; }
};

using Bytes = std::vector<uint8_t, WipingAllocator<uint8_t>>;
using ByteSpan = std::span<const uint8_t>;
template <size_t N>
using ByteArray = std::array<uint8_t, N>;

inline Bytes ToBytes(ByteSpan span) { return {span.begin(), span.end()}; }
Bytes ToBytes(std::string_view text);
// The text's own bytes; valid as long as the text is.
ByteSpan AsBytes(std::string_view text);
// The bytes as a text of the same length; valid as long as the bytes are.
std::string_view AsText(ByteSpan bytes);
// The memory that a foreign C interface gave as pointer and length; {nullptr, 0} is empty.
ByteSpan FromC(const void* data, size_t size);

std::string ToHex(ByteSpan bytes);                // lower case
Result<Bytes> FromHex(std::string_view hex);      // kMalformed for odd length or another character
std::string ToBase64(ByteSpan bytes);             // RFC 4648 §4, padded
std::string ToBase64Url(ByteSpan bytes);          // RFC 4648 §5, without padding
Result<Bytes> FromBase64(std::string_view text);  // either alphabet, padded or not; no white space

// Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool IsUtf8(ByteSpan text);

// Comparison whose time depends on the lengths only.
bool EqualConstantTime(ByteSpan a, ByteSpan b);
inline bool Equal(ByteSpan a, ByteSpan b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

}  // namespace keyclave
