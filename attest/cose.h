// COSE_Sign1 (RFC 9052 §4.2), as attestation uses it: one ECDSA signature, nothing in the headers
// but the algorithm.
#pragma once

#include "attest/public_key.h"

namespace keyclave::attest {

enum class CoseAlgorithm : int8_t { kEs256 = -7, kEs384 = -35, kEs512 = -36 };  // RFC 9053 §2.1

struct CoseSign1 {
  Bytes protected_header;  // as it was encoded: the signature covers it
  CoseAlgorithm algorithm = CoseAlgorithm::kEs384;
  Bytes payload;
  Bytes signature;  // r and s, each as long as the curve's field
};

// With or without tag 18 in front: RFC 9052 §2 leaves the choice to who defines the format, the
// signature is the same, and the content cannot be taken for anything else. Nothing may follow.
// The protected header is a map of the algorithm alone, the unprotected one is empty: what a header
// could add (key ids, critical parameters, chains) would either be obeyed unchecked or ignored.
// kMalformed, kTruncated, kTooLarge, kTrailingBytes.
Result<CoseSign1> ParseCoseSign1(ByteSpan bytes);

// The key's curve must be that of the algorithm. kEvidenceSignature.
Status VerifyCoseSign1(const CoseSign1& message, const PublicKey& key);

}  // namespace keyclave::attest
