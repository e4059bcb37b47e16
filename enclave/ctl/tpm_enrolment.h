// Enrolment at the operator's side: why an attestation key (AK) is believed to be in a TPM of a
// maker that the operator trusts.
//
// After Accept succeeded: somebody opened the credential that Challenge made. Only a TPM that holds
// the private part of the certified endorsement key can, and only while it holds an object of
// exactly the AK's name; the name is the hash of its public area, which says that the key was made
// in that TPM, cannot leave it, and signs nothing but what that TPM says itself.
#pragma once

#include "attest/x509.h"
#include "enclave/ctl/enroll_messages.h"

namespace keyclave::ctl {

// Certificates of the operator's, and the time.
struct EnrollTrust {
  std::vector<attest::Certificate> roots;
  std::vector<attest::Certificate> intermediates;
  UnixTime now = 0;
};

struct EnrollChallenged {
  EnrollChallenge challenge;
  EnrollKept kept;
  std::string ek_subject;  // for people; makers often leave it empty
};

// kEvidenceChain, kEvidenceTime: the EK's certificate; kMalformed: the AK; kUnsupported.
Result<EnrollChallenged> Challenge(const EnrollRequest& request, const EnrollTrust& trust);
// What proves the secret of a credential without telling it. Both sides compute it.
ByteArray<32> ProofOf(const SecretBytes& secret);
// The AK as PEM. kEvidenceIdentity if the answer is not that of the challenge.
Result<std::string> Accept(const EnrollKept& kept, const EnrollAnswer& answer);

}  // namespace keyclave::ctl
