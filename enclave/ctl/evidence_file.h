// Evidence as it lies on a disk: one file, or a folder that holds evidence with its endorsements
// under well-known names (docs/attestation.md lists them).
#pragma once

#include "attest/tee_type.h"

namespace keyclave::ctl {

struct EvidenceFile {
  const attest::TeeType* type = nullptr;
  Bytes bytes;                    // as the type's Parse takes them
  std::string source;             // the file that was found, for messages
  attest::Collateral collateral;  // endorsements beside it: certificates, which prove themselves
  std::string collateral_folder;  // `collateral` in the folder; empty if there is none
  std::optional<Bytes> nonce;     // expected_nonce.hex
  // Trust that the folder brings itself; counts only for who asks for it.
  attest::Trust brought;
};

// A file, recognised by content (containers are opened), or a folder. kEvidenceUnrecognised,
// kEvidenceMalformed, kNotFound.
Result<EvidenceFile> ReadEvidence(const std::string& path);

}  // namespace keyclave::ctl
