#include "enclave/base/cbor.h"

#include <cbor.h>

#include <array>

namespace keyclave {
namespace {

template <class Encode, class... Args>
void Append(Bytes& out, Encode encode, Args... args) {
  std::array<unsigned char, 16> buffer{};
  const size_t written = encode(args..., buffer.data(), buffer.size());
  out.insert(out.end(), buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(written));
}

size_t ShortestHead(uint64_t value) {
  if (value < 24) return 1;
  if (value <= 0xff) return 2;
  if (value <= 0xffff) return 3;
  return value <= 0xffffffff ? 5 : 9;
}

}  // namespace

// One decoded item: what libcbor's callbacks saw. The kinds that are not accepted leave kOther.
struct CborItem {
  enum class Kind {
    kOther,
    kUint,
    kNegative,
    kBytes,
    kText,
    kArray,
    kMap,
    kBool,
    // Only for who asks for them:
    kNull,
    kOpenMap,
    kBreak
  };
  Kind kind = Kind::kOther;
  uint64_t number =
      0;  // the value, the length or the count; for kNegative the value is -1 - number
  ByteSpan payload;

  static Result<CborItem> Next(ByteSpan& rest);
  static Result<CborItem> Next(CborReader& reader, Kind wanted);
};

namespace {

void SetHead(void* context, CborItem::Kind kind, uint64_t number) {
  auto* item = static_cast<CborItem*>(context);
  item->kind = kind;
  item->number = number;
}

template <class Size>
void SetString(void* context, CborItem::Kind kind, cbor_data data, Size size) {
  SetHead(context, kind, size);
  static_cast<CborItem*>(context)->payload = {data, static_cast<size_t>(size)};
}

// Everything that this format does not use keeps the empty callback, and so leaves Kind::kOther.
cbor_callbacks MakeCallbacks() {
  using Kind = CborItem::Kind;
  cbor_callbacks calls = cbor_empty_callbacks;
  calls.uint8 = [](void* c, uint8_t v) { SetHead(c, Kind::kUint, v); };
  calls.uint16 = [](void* c, uint16_t v) { SetHead(c, Kind::kUint, v); };
  calls.uint32 = [](void* c, uint32_t v) { SetHead(c, Kind::kUint, v); };
  calls.uint64 = [](void* c, uint64_t v) { SetHead(c, Kind::kUint, v); };
  calls.negint8 = [](void* c, uint8_t v) { SetHead(c, Kind::kNegative, v); };
  calls.negint16 = [](void* c, uint16_t v) { SetHead(c, Kind::kNegative, v); };
  calls.negint32 = [](void* c, uint32_t v) { SetHead(c, Kind::kNegative, v); };
  calls.negint64 = [](void* c, uint64_t v) { SetHead(c, Kind::kNegative, v); };
  calls.byte_string = [](void* c, cbor_data data, auto size) {
    SetString(c, Kind::kBytes, data, size);
  };
  calls.string = [](void* c, cbor_data data, auto size) { SetString(c, Kind::kText, data, size); };
  calls.array_start = [](void* c, auto count) { SetHead(c, Kind::kArray, count); };
  calls.map_start = [](void* c, auto count) { SetHead(c, Kind::kMap, count); };
  calls.boolean = [](void* c, bool v) { SetHead(c, Kind::kBool, v ? 1 : 0); };
  calls.null = [](void* c) { SetHead(c, Kind::kNull, 0); };
  calls.indef_map_start = [](void* c) { SetHead(c, Kind::kOpenMap, 0); };
  calls.indef_break = [](void* c) { SetHead(c, Kind::kBreak, 0); };
  return calls;
}

}  // namespace

Result<CborItem> CborItem::Next(ByteSpan& rest) {
  static const cbor_callbacks kCallbacks = MakeCallbacks();
  CborItem item;
  const cbor_decoder_result result =
      cbor_stream_decode(rest.data(), rest.size(), &kCallbacks, &item);
  if (result.status == CBOR_DECODER_NEDATA) return Fail(Code::kTruncated, "CBOR");
  if (result.status != CBOR_DECODER_FINISHED || item.kind == Kind::kOther) {
    return Fail(Code::kMalformed, "CBOR item of a kind that is not used here");
  }
  // Heads without a number have number 0 here, but for booleans: all are one byte.
  const size_t head = item.kind == Kind::kBool ? 1 : ShortestHead(item.number);
  if (result.read != head + item.payload.size())
    return Fail(Code::kMalformed, "CBOR that is not in its shortest form");
  rest = rest.subspan(result.read);
  return item;
}

Result<CborItem> CborItem::Next(CborReader& reader, Kind wanted) {
  ByteSpan rest = reader.rest_;
  KC_ASSIGN(CborItem item, Next(rest));
  if (item.kind != wanted) return Fail(Code::kMalformed, "CBOR item of another type than expected");
  reader.rest_ = rest;
  return item;
}

void CborWriter::Uint(uint64_t value) { Append(out_, cbor_encode_uint, value); }

void CborWriter::Int(int64_t value) {
  if (value >= 0) return Uint(static_cast<uint64_t>(value));
  Append(out_, cbor_encode_negint, ~static_cast<uint64_t>(value));
}

void CborWriter::Bool(bool value) { Append(out_, cbor_encode_bool, value); }

void CborWriter::ByteString(ByteSpan bytes) {
  Append(out_, cbor_encode_bytestring_start, bytes.size());
  Raw(bytes);
}

void CborWriter::Text(std::string_view text) {
  Append(out_, cbor_encode_string_start, text.size());
  Raw(AsBytes(text));
}

void CborWriter::Array(uint64_t count) {
  Append(out_, cbor_encode_array_start, static_cast<size_t>(count));
}
void CborWriter::Map(uint64_t count) {
  Append(out_, cbor_encode_map_start, static_cast<size_t>(count));
}

Result<uint64_t> CborReader::Uint() {
  KC_ASSIGN(const CborItem item, CborItem::Next(*this, CborItem::Kind::kUint));
  return item.number;
}

Result<int64_t> CborReader::Int() {
  ByteSpan rest = rest_;
  KC_ASSIGN(const CborItem item, CborItem::Next(rest));
  const bool negative = item.kind == CborItem::Kind::kNegative;
  if (!negative && item.kind != CborItem::Kind::kUint)
    return Fail(Code::kMalformed, "CBOR item is not an integer");
  if (item.number > static_cast<uint64_t>(INT64_MAX)) return Fail(Code::kTooLarge, "CBOR integer");
  rest_ = rest;
  const auto magnitude = static_cast<int64_t>(item.number);
  return negative ? -1 - magnitude : magnitude;
}

Result<bool> CborReader::Bool() {
  KC_ASSIGN(const CborItem item, CborItem::Next(*this, CborItem::Kind::kBool));
  return item.number == 1;
}

Result<ByteSpan> CborReader::ByteString(size_t max) {
  KC_ASSIGN(const CborItem item, CborItem::Next(*this, CborItem::Kind::kBytes));
  if (item.payload.size() > max) return Fail(Code::kTooLarge, "CBOR byte string");
  return item.payload;
}

Result<std::string_view> CborReader::Text(size_t max) {
  KC_ASSIGN(const CborItem item, CborItem::Next(*this, CborItem::Kind::kText));
  if (item.payload.size() > max) return Fail(Code::kTooLarge, "CBOR text");
  if (!IsUtf8(item.payload)) return Fail(Code::kMalformed, "CBOR text that is not UTF-8");
  return AsText(item.payload);
}

Result<uint64_t> CborReader::Array(uint64_t max) {
  KC_ASSIGN(const CborItem item, CborItem::Next(*this, CborItem::Kind::kArray));
  if (item.number > max) return Fail(Code::kTooLarge, "CBOR array");
  return item.number;
}

Result<uint64_t> CborReader::Map(uint64_t max) {
  KC_ASSIGN(const CborItem item, CborItem::Next(*this, CborItem::Kind::kMap));
  if (item.number > max) return Fail(Code::kTooLarge, "CBOR map");
  return item.number;
}

// Compared with what would be written: libcbor 0.8 does not read the tags 6 to 20.
bool CborReader::TakeTag(uint64_t tag) {
  Bytes head;
  Append(head, cbor_encode_tag, tag);
  if (rest_.size() < head.size() || !Equal(rest_.first(head.size()), head)) return false;
  rest_ = rest_.subspan(head.size());
  return true;
}

bool CborReader::TakeNull() { return CborItem::Next(*this, CborItem::Kind::kNull).ok(); }
bool CborReader::TakeBreak() { return CborItem::Next(*this, CborItem::Kind::kBreak).ok(); }

Result<std::optional<uint64_t>> CborReader::OpenMap(uint64_t max) {
  if (CborItem::Next(*this, CborItem::Kind::kOpenMap).ok()) return std::optional<uint64_t>();
  KC_ASSIGN(const uint64_t pairs, Map(max));
  return std::optional<uint64_t>(pairs);
}

Status CborReader::ExpectEnd() const {
  if (!rest_.empty()) return Fail(Code::kTrailingBytes, "CBOR");
  return Done{};
}

}  // namespace keyclave
