#include "enclave/wire/key_attestation.h"

namespace keyclave::wire {

Result<KeyDocument> ParseKeyDocument(ByteSpan document) {
  auto parsed = Decode<KeyDocument>(document);
  if (!parsed.ok())
    return Fail(Code::kEvidenceMalformed, "key attestation: " + parsed.error().Text());
  if (parsed->label != kKeyDocumentLabel) {
    return FailWanted(Code::kEvidenceMalformed, "the label of the key attestation",
                      std::string(kKeyDocumentLabel), parsed->label);
  }
  return parsed;
}

Result<KeyAttestation> ParseKeyAttestation(ByteSpan attestation) {
  auto parsed = Decode<KeyAttestation>(attestation);
  if (!parsed.ok())
    return Fail(Code::kEvidenceMalformed, "key attestation: " + parsed.error().Text());
  return parsed;
}

}  // namespace keyclave::wire
