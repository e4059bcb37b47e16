// Values of DER, one after the other, by libtasn1: for what X.509 libraries do not read (the SGX
// extension of a PCK certificate) or do not hand out (what is signed in a revocation list).
#pragma once

#include "enclave/base/bytes.h"

namespace keyclave::attest {

enum class DerTag : uint8_t {
  kBoolean = 0x01,
  kInteger = 0x02,
  kOctetString = 0x04,
  kObjectIdentifier = 0x06,
  kEnumerated = 0x0a,
  kSequence = 0x30,
};

struct DerValue {
  DerTag tag;
  ByteSpan content;
  ByteSpan whole;  // with tag and length
};

class DerReader {
 public:
  explicit DerReader(ByteSpan bytes) : rest_(bytes) {}

  bool AtEnd() const { return rest_.empty(); }
  // The next value. kTruncated, kMalformed (another tag than those above, indefinite length).
  Result<DerValue> Take();
  // The next value, which must have this tag. kMalformed.
  Result<DerValue> Take(DerTag tag);

 private:
  ByteSpan rest_;
};

// A non-negative INTEGER or ENUMERATED; kMalformed, kTooLarge.
Result<uint64_t> DerNumber(const DerValue& value, uint64_t max);
Result<bool> DerBool(const DerValue& value);
// An OCTET STRING of exactly this length.
template <size_t N>
Result<ByteArray<N>> DerOctets(const DerValue& value) {
  if (value.tag != DerTag::kOctetString || value.content.size() != N)
    return Fail(Code::kMalformed, "wanted " + std::to_string(N) + " octets");
  ByteArray<N> octets;
  std::copy(value.content.begin(), value.content.end(), octets.begin());
  return octets;
}

}  // namespace keyclave::attest
