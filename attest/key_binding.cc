#include "attest/key_binding.h"

#include "enclave/base/byte_reader.h"
#include "enclave/base/hash.h"

namespace keyclave::attest {

ReportData ComputeKeyReportData(ByteSpan nonce, ByteSpan document) {
  ByteWriter fields;
  fields.PutPrefixed(AsBytes("keyclave/key-attestation/1"));
  fields.PutPrefixed(nonce);
  fields.PutPrefixed(Sha256(document));
  return Sha512(fields.bytes());
}

}  // namespace keyclave::attest
