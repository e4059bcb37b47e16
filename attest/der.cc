#include "attest/der.h"

#include <libtasn1.h>

#include <limits>

namespace keyclave::attest {
namespace {

bool IsKnown(uint8_t identifier) {
  switch (static_cast<DerTag>(identifier)) {
    case DerTag::kBoolean:
    case DerTag::kInteger:
    case DerTag::kOctetString:
    case DerTag::kObjectIdentifier:
    case DerTag::kEnumerated:
    case DerTag::kSequence: return true;
  }
  return false;
}

// Whether the first bytes are this length as DER writes it (X.690 §10.1).
bool IsShortest(long length, ByteSpan bytes, int size) {
  ByteArray<1 + sizeof(long)> encoded{};
  int encoded_size = static_cast<int>(encoded.size());
  asn1_length_der(static_cast<unsigned long>(length), encoded.data(), &encoded_size);
  return size > 0 && size == encoded_size && static_cast<size_t>(size) <= bytes.size() &&
         Equal(bytes.first(static_cast<size_t>(size)),
               ByteSpan(encoded).first(static_cast<size_t>(encoded_size)));
}

}  // namespace

Result<DerValue> DerReader::Take() {
  if (rest_.empty()) return Fail(Code::kTruncated);
  if (rest_.size() > size_t{std::numeric_limits<int>::max()}) return Fail(Code::kTooLarge);
  // Each known identifier is one byte; libtasn1 need not be asked for others.
  const uint8_t identifier = rest_.front();
  if (!IsKnown(identifier)) return Fail(Code::kMalformed, "DER: unexpected tag");
  const ByteSpan after_tag = rest_.subspan(1);
  int length_size = 0;
  const long length =
      asn1_get_length_der(after_tag.data(), static_cast<int>(after_tag.size()), &length_size);
  // Negative: indefinite, unreadable, or beyond the end. libtasn1 also reads lengths that are cut
  // off or longer than they need be: those are not DER.
  if (length < 0 || !IsShortest(length, after_tag, length_size))
    return Fail(Code::kMalformed, "DER: length");
  const size_t header = 1 + static_cast<size_t>(length_size);
  const auto size = static_cast<size_t>(length);
  if (header > rest_.size() || size > rest_.size() - header) return Fail(Code::kTruncated);
  const DerValue value{static_cast<DerTag>(identifier), rest_.subspan(header, size),
                       rest_.first(header + size)};
  rest_ = rest_.subspan(header + size);
  return value;
}

Result<DerValue> DerReader::Take(DerTag tag) {
  KC_ASSIGN(const DerValue value, Take());
  if (value.tag != tag) return Fail(Code::kMalformed, "DER: unexpected tag");
  return value;
}

Result<uint64_t> DerNumber(const DerValue& value, uint64_t max) {
  if (value.tag != DerTag::kInteger && value.tag != DerTag::kEnumerated)
    return Fail(Code::kMalformed, "wanted a number");
  ByteSpan content = value.content;
  if (content.empty() || (content.front() & 0x80) != 0)
    return Fail(Code::kMalformed, "wanted a number that is not negative");
  if (content.size() > 1 && content.front() == 0) {
    content = content.subspan(1);
    if ((content.front() & 0x80) == 0) return Fail(Code::kMalformed, "a number with a zero before");
  }
  if (content.size() > sizeof(uint64_t)) return Fail(Code::kTooLarge);
  uint64_t number = 0;
  for (const uint8_t byte : content) number = number << 8 | byte;
  if (number > max) return Fail(Code::kTooLarge);
  return number;
}

Result<bool> DerBool(const DerValue& value) {
  // X.690 §11.1: true is 0xff.
  if (value.tag != DerTag::kBoolean || value.content.size() != 1 ||
      (value.content[0] != 0 && value.content[0] != 0xff))
    return Fail(Code::kMalformed, "wanted a boolean");
  return value.content[0] != 0;
}

}  // namespace keyclave::attest
