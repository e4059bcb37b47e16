#include "enclave/wire/receipt.h"

#include "enclave/base/byte_reader.h"
#include "enclave/base/hash.h"

namespace keyclave::wire {

ByteArray<32> ReceiptDigest(ByteSpan receipt) {
  ByteWriter out;
  out.PutPrefixed(AsBytes(kReceiptLabel));
  out.PutPrefixed(receipt);
  return Sha256(out.bytes());
}

Result<ReleaseReceipt> ParseReceipt(ByteSpan receipt) {
  auto parsed = Decode<ReleaseReceipt>(receipt);
  if (!parsed.ok()) return Fail(Code::kReceiptInvalid, parsed.error().Text());
  if (parsed->label != kReceiptLabel)
    return FailWanted(Code::kReceiptInvalid, "label", std::string(kReceiptLabel), parsed->label);
  return parsed;
}

}  // namespace keyclave::wire
