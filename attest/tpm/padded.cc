#include "attest/tpm/padded.h"

#include <libtasn1.h>

namespace keyclave::attest::tpm {

Result<Certificate> ParsePadded(ByteSpan bytes) {
  unsigned char tag_class = 0;
  int tag_size = 0;
  unsigned long tag = 0;
  const int size = static_cast<int>(bytes.size());
  if (asn1_get_tag_der(bytes.data(), size, &tag_class, &tag_size, &tag) != ASN1_SUCCESS)
    return Fail(Code::kMalformed, "certificate");
  int length_size = 0;
  const ByteSpan behind_tag = bytes.subspan(static_cast<size_t>(tag_size));
  const long length =
      asn1_get_length_der(behind_tag.data(), static_cast<int>(behind_tag.size()), &length_size);
  if (length < 0) return Fail(Code::kMalformed, "certificate: length");
  const size_t head = static_cast<size_t>(tag_size) + static_cast<size_t>(length_size);
  if (head > bytes.size() || static_cast<size_t>(length) > bytes.size() - head)
    return Fail(Code::kTruncated, "certificate");
  const size_t whole = head + static_cast<size_t>(length);
  const ByteSpan padding = bytes.subspan(whole);
  if (std::any_of(padding.begin(), padding.end(), [](uint8_t byte) { return byte != 0; }))
    return Fail(Code::kTrailingBytes, "certificate");
  return Certificate::FromDer(bytes.first(whole));
}

}  // namespace keyclave::attest::tpm
