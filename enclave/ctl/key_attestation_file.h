// Key attestations in files: PEM ("KEYCLAVE KEY ATTESTATION"), and as the extension of a
// certificate request (docs/attestation.md, "A key's own evidence").
#pragma once

#include <string>

#include "enclave/ctl/output.h"
#include "enclave/wire/key_attestation.h"

namespace keyclave::ctl {

std::string KeyAttestationPem(const wire::KeyAttestation& attestation);
// Whether the file looks like one.
bool IsKeyAttestation(std::string_view file);
// kEvidenceMalformed.
Result<wire::KeyAttestation> ParseKeyAttestationPem(std::string_view file);

// The attestation within a certificate request (PEM or DER) that its own key has signed.
// kEvidenceMalformed if there is none; kCertificateMismatch if the request is for another key than
// the document.
Result<wire::KeyAttestation> ReadRequestAttestation(ByteSpan request);

Json KeyDocumentJson(const wire::KeyDocument& document);

}  // namespace keyclave::ctl
