// ByteReader and ByteWriter: the only doors for bytes of a binary format.
// The reader compares every length with what remains; it never adds to an offset.
#pragma once

#include <concepts>

#include "enclave/base/bytes.h"

namespace keyclave {

class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes) : rest_(bytes) {}

  size_t remaining() const { return rest_.size(); }
  ByteSpan rest() const { return rest_; }

  // The next n bytes; kTruncated if fewer remain (then nothing is consumed).
  Result<ByteSpan> Take(size_t n) {
    if (n > rest_.size()) return Fail(Code::kTruncated);
    const ByteSpan taken = rest_.first(n);
    rest_ = rest_.subspan(n);
    return taken;
  }
  template <size_t N>
  Result<ByteArray<N>> TakeArray() {
    KC_ASSIGN(const ByteSpan taken, Take(N));
    ByteArray<N> array;
    std::copy(taken.begin(), taken.end(), array.begin());
    return array;
  }
  template <std::unsigned_integral T>
  Result<T> TakeLe() {
    KC_ASSIGN(const ByteSpan taken, Take(sizeof(T)));
    uint64_t value = 0;
    for (size_t i = sizeof(T); i-- > 0;) value = value << 8 | taken[i];
    return static_cast<T>(value);
  }
  template <std::unsigned_integral T>
  Result<T> TakeBe() {
    KC_ASSIGN(const ByteSpan taken, Take(sizeof(T)));
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(T); ++i) value = value << 8 | taken[i];
    return static_cast<T>(value);
  }
  // A little-endian length of type T and that many bytes; kTooLarge if the length is above `max`.
  template <std::unsigned_integral T>
  Result<ByteSpan> TakePrefixedLe(size_t max) {
    KC_ASSIGN(const T length, TakeLe<T>());
    if (length > max) return Fail(Code::kTooLarge);
    return Take(length);
  }
  template <std::unsigned_integral T>
  Result<ByteSpan> TakePrefixedBe(size_t max) {
    KC_ASSIGN(const T length, TakeBe<T>());
    if (length > max) return Fail(Code::kTooLarge);
    return Take(length);
  }
  // A reader of the next n bytes alone.
  Result<ByteReader> Sub(size_t n) {
    KC_ASSIGN(const ByteSpan taken, Take(n));
    return ByteReader(taken);
  }
  // n reserved bytes that the format says are zero; kMalformed if one is not.
  Status ExpectZero(size_t n) {
    KC_ASSIGN(const ByteSpan taken, Take(n));
    for (const uint8_t byte : taken) {
      if (byte != 0) return Fail(Code::kMalformed, "a reserved byte is not zero");
    }
    return Done{};
  }
  Status ExpectEnd() const {
    if (!rest_.empty()) return Fail(Code::kTrailingBytes);
    return Done{};
  }

 private:
  ByteSpan rest_;
};

class ByteWriter {
 public:
  void Put(ByteSpan bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
  template <std::unsigned_integral T>
  void PutLe(T value) {
    for (size_t i = 0; i < sizeof(T); ++i)
      out_.push_back(static_cast<uint8_t>(uint64_t{value} >> (8 * i)));
  }
  template <std::unsigned_integral T>
  void PutBe(T value) {
    for (size_t i = sizeof(T); i-- > 0;)
      out_.push_back(static_cast<uint8_t>(uint64_t{value} >> (8 * i)));
  }
  // A 32-bit big-endian length and the bytes: makes concatenations unambiguous before hashing.
  void PutPrefixed(ByteSpan bytes) {
    PutBe(static_cast<uint32_t>(bytes.size()));
    Put(bytes);
  }
  const Bytes& bytes() const { return out_; }
  Bytes Finish() && { return std::move(out_); }

 private:
  Bytes out_;
};

}  // namespace keyclave
