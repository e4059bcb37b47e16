// Deterministic CBOR (RFC 8949 §4.2.1), written and read through libcbor's streaming calls.
// The reader accepts exactly what the writer can write: definite lengths, shortest integers, no
// tags, no floats.
#pragma once

#include "enclave/base/bytes.h"

namespace keyclave {

class CborWriter {
 public:
  void Uint(uint64_t value);
  void Int(int64_t value);
  void Bool(bool value);
  void ByteString(ByteSpan bytes);
  void Text(std::string_view text);
  void Array(uint64_t count);  // then that many items
  void Map(uint64_t count);    // then that many pairs, keys ascending
  void Raw(ByteSpan encoded) { out_.insert(out_.end(), encoded.begin(), encoded.end()); }
  const Bytes& bytes() const { return out_; }
  Bytes Finish() && { return std::move(out_); }

 private:
  Bytes out_;
};

// Every call returns kMalformed for another type or an encoding that is not the shortest,
// kTruncated at the end of the input, kTooLarge above the given limit. Spans and texts point into
// the input.
class CborReader {
 public:
  explicit CborReader(ByteSpan input) : rest_(input) {}

  Result<uint64_t> Uint();
  Result<int64_t> Int();
  Result<bool> Bool();
  Result<ByteSpan> ByteString(size_t max);
  Result<std::string_view> Text(size_t max);  // valid UTF-8
  Result<uint64_t> Array(uint64_t max);       // the number of items that follow
  Result<uint64_t> Map(uint64_t max);         // the number of pairs that follow
  Status ExpectEnd() const;
  size_t remaining() const { return rest_.size(); }

 private:
  friend struct CborItem;
  ByteSpan rest_;
};

}  // namespace keyclave
