// What evidence in files is verified with: built-in roots, what lies beside the evidence, and what
// the user names.
#pragma once

#include "enclave/ctl/command.h"
#include "enclave/ctl/evidence_file.h"

namespace keyclave::ctl {

struct TrustOptions {
  std::vector<std::string> files;  // certificates, keys, key sets, recognised by content
  std::string collateral;          // a folder; empty: the one beside the evidence
  bool bundle = false;             // believe the roots and keys that lie beside the evidence
};

// --collateral, --trust, --trust-bundle.
void AddTrustOptions(CLI::App& command, TrustOptions& options);

// `base` and what the options say for this file. kInvalidArgument, kCollateral….
Result<attest::Trust> TrustFor(const TrustOptions& options, const EvidenceFile& file,
                               attest::Trust base = {});

// What the file says, if it is genuine at this time; of collateral past its nextUpdate a claim
// tells. Errors of ParseEvidence and ExamineEvidence.
Result<attest::ClaimSet> ExamineFile(const EvidenceFile& file, const attest::Trust& trust,
                                     UnixTime now);

}  // namespace keyclave::ctl
