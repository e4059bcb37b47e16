// Evidence of the `tpm` type: a quote and what vouches for the key that signed it. Deterministic
// CBOR (enclave/base/cbor.h), a map with the keys below, ascending; 1 to 3 are always there.
//
//   1  label           text   "keyclave/tpm/1"
//   2  attest          bytes  TPMS_ATTEST of a quote, as it was signed
//   3  signature       bytes  TPMT_SIGNATURE over it
//   4  PCR values      map of TPM_ALG_ID (uint) to a map of register (uint) to its value (bytes),
//                      ascending: all that the quote selects, and no others
//   5  key             bytes  the attestation key (AK), SubjectPublicKeyInfo
//   6  certificate     bytes  of the AK, DER; zeros may follow it, as it lies in NV memory
//   7  chain           array of bytes: certificates between it and a root, DER, in any order
//   8  HCL report      bytes  of an Azure confidential virtual machine (azure.h)
//   9  hardware chain  array of bytes: VCEK and its chain, DER, in any order (SNP under 8)
//   10 TD quote        bytes  (TDX under 8)
//
// What names the AK is one of 5, 6 and 8: an enrolled key, a certificate, or the hardware. A key
// (5) beside the others must be the same.
#pragma once

#include "attest/tpm/attest.h"
#include "attest/tpm/azure.h"
#include "attest/tpm/signature.h"
#include "attest/x509.h"

namespace keyclave::attest::tpm {

// As it is on the wire; what is empty is absent.
struct Evidence {
  Bytes attest;
  Bytes signature;
  PcrValues pcrs;
  Bytes key;
  Bytes certificate;
  std::vector<Bytes> chain;
  Bytes hcl_report;
  std::vector<Bytes> hardware_chain;
  Bytes td_quote;
};

Bytes EncodeEvidence(const Evidence& evidence);

// As it is understood. Nothing of it may be believed.
struct ParsedEvidence {
  Evidence raw;
  // Absent in a file that holds one piece alone, which can be shown but never verified.
  std::optional<Attest> attest;
  std::optional<Signature> signature;
  std::optional<PublicKey> key;
  std::optional<Certificate> certificate;
  std::vector<Certificate> chain;
  std::optional<HclReport> hcl_report;
  std::vector<Certificate> hardware_chain;
};

// The container; or, for files, a TPMS_ATTEST or an HCL report alone. kMalformed, kTruncated,
// kTrailingBytes, kTooLarge.
Result<ParsedEvidence> ParseTpmEvidence(ByteSpan bytes);
// By the first bytes.
bool LooksLikeTpmEvidence(ByteSpan bytes);

}  // namespace keyclave::attest::tpm
