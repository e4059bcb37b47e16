#include "enclave/guard/der.h"

#include <optional>

#include "enclave/base/byte_reader.h"

namespace keyclave::guard {
namespace {

constexpr uint8_t kConstructed = 0x20;
constexpr uint8_t kClassMask = 0xc0;
constexpr uint8_t kNumberMask = 0x1f;

enum Tag : uint8_t {
  kBoolean = 0x01,
  kInteger = 0x02,
  kBitString = 0x03,
  kOctetString = 0x04,
  kNull = 0x05,
  kOid = 0x06,
  kEnumerated = 0x0a,
  kUtf8String = 0x0c,
  kNumericString = 0x12,
  kBmpString = 0x1e,
  kSequence = 0x30,
  kSet = 0x31
};

struct Element {
  uint8_t tag = 0;
  ByteSpan content;
};

// X.690 §10.1: the definite form, in as few bytes as it takes.
std::optional<size_t> TakeLength(ByteReader& reader) {
  const auto first = reader.TakeLe<uint8_t>();
  if (!first.ok()) return std::nullopt;
  if (*first < 0x80) return *first;
  const size_t count = *first & 0x7fU;
  if (count == 0 || count > 4) return std::nullopt;
  const auto octets = reader.Take(count);
  if (!octets.ok() || octets->front() == 0) return std::nullopt;
  size_t length = 0;
  for (const uint8_t octet : *octets) length = length << 8 | octet;
  if (length < 0x80) return std::nullopt;
  return length;
}

std::optional<Element> TakeElement(ByteReader& reader) {
  const auto tag = reader.TakeLe<uint8_t>();
  if (!tag.ok() || (*tag & kNumberMask) == kNumberMask) return std::nullopt;
  const auto length = TakeLength(reader);
  if (!length) return std::nullopt;
  const auto content = reader.Take(*length);
  if (!content.ok()) return std::nullopt;
  return Element{*tag, *content};
}

// X.690 §8.3.2: the first nine bits are not all alike.
bool IsInteger(ByteSpan content) {
  if (content.empty()) return false;
  if (content.size() == 1) return true;
  const bool sign = (content[1] & 0x80) != 0;
  return content[0] != (sign ? 0xff : 0x00);
}

bool IsBitString(ByteSpan content) {
  if (content.empty() || content[0] > 7 || (content.size() == 1 && content[0] != 0)) return false;
  const auto unused = static_cast<uint8_t>((1U << content[0]) - 1);
  return content.size() == 1 || (content.back() & unused) == 0;  // §11.2.1
}

// X.690 §8.19: arcs in base 128, none with leading zeros, the last one whole.
bool IsOid(ByteSpan content) {
  if (content.empty() || (content.back() & 0x80) != 0) return false;
  bool begins = true;
  for (const uint8_t octet : content) {
    if (begins && octet == 0x80) return false;
    begins = (octet & 0x80) == 0;
  }
  return true;
}

bool IsPrimitive(const Element& element) {
  if ((element.tag & kClassMask) != 0) return true;  // implicit: its type is the schema's
  switch (element.tag) {
    case kBoolean:
      return element.content.size() == 1 &&
             (element.content[0] == 0x00 || element.content[0] == 0xff);
    case kInteger:
    case kEnumerated: return IsInteger(element.content);
    case kBitString: return IsBitString(element.content);
    case kNull: return element.content.empty();
    case kOid: return IsOid(element.content);
    case kOctetString:
    case kUtf8String: return true;
    default: return element.tag >= kNumericString && element.tag <= kBmpString;
  }
}

bool IsElement(const Element& element, unsigned depth) {
  if (depth > kMaxDerDepth) return false;
  const bool universal = (element.tag & kClassMask) == 0;
  if ((element.tag & kConstructed) == 0) return IsPrimitive(element);
  if (universal && element.tag != kSequence && element.tag != kSet) return false;
  ByteReader parts(element.content);
  while (parts.remaining() != 0) {
    const auto part = TakeElement(parts);
    if (!part || !IsElement(*part, depth + 1)) return false;
  }
  return true;
}

// The tolerant reader: any tag, lengths in any number of bytes.
struct LooseHeader {
  uint8_t tag = 0;
  std::optional<size_t> length;  // nullopt: indefinite
};

std::optional<LooseHeader> TakeLooseHeader(ByteReader& reader) {
  const auto tag = reader.TakeLe<uint8_t>();
  if (!tag.ok()) return std::nullopt;
  for (bool more = (*tag & kNumberMask) == kNumberMask; more;) {
    const auto number = reader.TakeLe<uint8_t>();
    if (!number.ok()) return std::nullopt;
    more = (*number & 0x80) != 0;
  }
  const auto first = reader.TakeLe<uint8_t>();
  if (!first.ok()) return std::nullopt;
  if (*first < 0x80) return LooseHeader{*tag, *first};
  if (*first == 0x80) return LooseHeader{*tag, std::nullopt};
  const auto octets = reader.Take(*first & 0x7fU);
  if (!octets.ok()) return std::nullopt;
  size_t length = 0;
  for (const uint8_t octet : *octets) {
    if (length > SIZE_MAX >> 8) return std::nullopt;
    length = length << 8 | octet;
  }
  return LooseHeader{*tag, length};
}

// A version (plain or in [0]), an identifier, a list, the [1] and [2] of OCSP.
bool BeginsSigned(uint8_t tag) {
  return tag == kInteger || tag == kOid || tag == kSequence || (tag >= 0xa0 && tag <= 0xa3);
}

// An element of indefinite length may end anywhere: it is taken to fill the rest.
bool PartsFill(ByteReader reader) {
  bool first = true;
  while (reader.remaining() != 0) {
    const auto header = TakeLooseHeader(reader);
    if (!header) return false;
    if (first && !BeginsSigned(header->tag)) return false;
    if (!header->length) return true;
    if (!reader.Take(*header->length).ok()) return false;
    first = false;
  }
  return !first;
}

}  // namespace

bool IsDer(ByteSpan bytes) {
  ByteReader reader(bytes);
  const auto element = TakeElement(reader);
  return element && reader.remaining() == 0 && IsElement(*element, 1);
}

bool LooksLikeSignedBer(ByteSpan bytes) {
  ByteReader reader(bytes);
  const auto header = TakeLooseHeader(reader);
  if (!header || (header->tag != kSequence && header->tag != kSet)) return false;
  if (header->length && *header->length != reader.remaining()) return false;
  return PartsFill(reader);
}

}  // namespace keyclave::guard
