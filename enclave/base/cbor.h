// Deterministic CBOR (RFC 8949 §4.2.1), written and read through libcbor's streaming calls.
// The reader accepts exactly what the writer can write: definite lengths, shortest integers, no
// tags, no floats. Formats that others have defined may have a little more: who reads one asks for
// it by name (TakeTag, TakeNull, OpenMap), and nobody else gets it.
#pragma once

#include <optional>

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
  ByteSpan rest() const { return rest_; }

  // Whether this tag (RFC 8949 §3.4) came next; then it is consumed. The item it tags follows.
  bool TakeTag(uint64_t tag);
  // Whether null came next; then it is consumed.
  bool TakeNull();
  // The number of pairs that follow, or nullopt for a map of indefinite length (RFC 8949 §3.2.2):
  // its pairs end where TakeBreak says so.
  Result<std::optional<uint64_t>> OpenMap(uint64_t max);
  bool TakeBreak();

 private:
  friend struct CborItem;
  ByteSpan rest_;
};

}  // namespace keyclave
