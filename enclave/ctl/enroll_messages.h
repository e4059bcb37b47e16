// The files that go between a machine with a TPM and the operator who enrols it. Nobody signs them:
// whoever edits one makes the enrolment fail. Deterministic CBOR: an array of a label (text) and
// the byte strings below, in their order.
#pragma once

#include "attest/tpm/enroll.h"

namespace keyclave::ctl {

// Machine -> operator: "keyclave/enroll-tpm-request/1", certificate, public area.
struct EnrollRequest {
  Bytes ek_certificate;  // DER; zeros may follow
  Bytes area;            // of the attestation key (attest/tpm/enrolled_key.h)
};
// Operator -> machine: "keyclave/enroll-tpm-challenge/1", identity, secret, kind.
struct EnrollChallenge {
  attest::tpm::Credential credential;
  Bytes kind;  // of the endorsement key: "rsa2048", "p256", "p384"
};
// Machine -> operator: "keyclave/enroll-tpm-answer/1", proof.
struct EnrollAnswer {
  ByteArray<32> proof{};
};
// Kept by the operator, secret until the answer is there: "keyclave/enroll-tpm-kept/1", proof, key.
struct EnrollKept {
  ByteArray<32> proof{};
  Bytes key;  // the attestation key, SubjectPublicKeyInfo
};

inline constexpr size_t kMaxEnrollMessage = 8192;  // bytes
Bytes Encode(const EnrollRequest& message);
Bytes Encode(const EnrollChallenge& message);
Bytes Encode(const EnrollAnswer& message);
Bytes Encode(const EnrollKept& message);
// kMalformed (another of the files is named), kTruncated, kTrailingBytes, kTooLarge.
Result<EnrollRequest> ParseEnrollRequest(ByteSpan bytes);
Result<EnrollChallenge> ParseEnrollChallenge(ByteSpan bytes);
Result<EnrollAnswer> ParseEnrollAnswer(ByteSpan bytes);
Result<EnrollKept> ParseEnrollKept(ByteSpan bytes);

}  // namespace keyclave::ctl
