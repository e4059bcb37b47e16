// Verification of DCAP quotes: signatures up to Intel's root, revocation, and what Intel says about
// the platform's TCB, the quoting enclave and the TDX module at a given time (the order of Intel's
// Quote Verification Library).
#pragma once

#include "attest/dcap/pck.h"
#include "attest/dcap/quote.h"
#include "attest/dcap/tcb_status.h"
#include "attest/tee_type.h"

namespace keyclave::attest::dcap {

// Everything that a checked quote says; each part was covered by a signature.
struct VerifiedTcb {
  TcbStatus status = TcbStatus::kRevoked;  // of all together
  UnixTime date = 0;                       // the oldest of all
  std::vector<std::string> advisories;     // of all, each once
  TcbFinding platform;
  TcbFinding qe;
  std::optional<TcbFinding> tdx_module;
};

struct VerifiedQuote {
  PckPlatform platform;
  std::string pck_ca;  // common name of the PCK certificate's issuer
  VerifiedTcb tcb;     // never revoked
  // TDX 1.5: what `tcb` would be if the TD were launched again on the module that runs now
  // (tee_tcb_svn2).
  std::optional<VerifiedTcb> current_tcb;
  uint64_t tcb_evaluation_number = 0;

  // Whether Intel advises to launch the TD again: what it was launched on is out of date, and what
  // runs now is not.
  bool RelaunchAdvised() const;
};

// Genuine at this time; what it is bound to (report_data) is the caller's to check. Errors as
// VerifyEvidence's, without kEvidenceBinding.
Result<VerifiedQuote> VerifyQuote(const Quote& quote, const Trust& trust,
                                  const CollateralTime& time);

// What VerifyQuote needs beside the quote. One need, with the error, where the quote's own chain
// does not hold: what else it needs is then not known.
std::vector<CollateralNeed> QuoteCollateralNeeds(const Quote& quote, const Trust& trust,
                                                 UnixTime now);

// The claims of a verified quote, under the prefix of its TEE beside the normal ones.
ClaimSet ClaimsOf(const Quote& quote, const VerifiedQuote& verified);

// Parses and verifies a TD quote that other evidence brings along (Azure's confidential VMs), and
// hands out its claims and its 64 bytes of report data, which the caller must compare with what
// that evidence is about.
Result<ClaimSet> VerifyTdQuote(ByteSpan quote, const Trust& trust, const CollateralTime& time,
                               Bytes* report_data);

// Every field, in Intel's words; nothing of it is verified.
std::vector<Field> DescribeQuote(const Quote& quote);

}  // namespace keyclave::attest::dcap
