// Verification of an SEV-SNP report, wherever it came from: alone, with the host's certificates,
// or inside another kind of evidence.
//
// The claims, beside those that are the report's fields under their own names:
//   measurement   MEASUREMENT
//   signer        ID_KEY_DIGEST, when an ID block was signed (it is not zero): who vouches for this
//                 guest at launch. The author key that may have certified the ID key is
//                 sev-snp.author_key_digest. The ID block comes from the host: product_id and svn
//                 are worth what the signer is, and nothing where there is none
//   product_id    FAMILY_ID; the image in the family is sev-snp.image_id
//   svn           GUEST_SVN
//   debug         POLICY.DEBUG
//   platform_id   CHIP_ID; absent where it is masked, under a VLEK
//   host_data     HOST_DATA
//   tcb_status    AMD rates no TCB, neither in the report nor by anything signed. What the report
//                 itself tells is whether it vouches for the firmware that runs: the key that
//                 signs is derived from REPORTED_TCB, so whoever broke that level on this chip has
//                 the key, even where CURRENT_TCB is newer. Hence `up-to-date` when every component
//                 of both is the same, else `out-of-date`: the host has newer firmware than it lets
//                 evidence stand for. It says nothing about firmware that AMD has published and
//                 this host has not; a policy that wants that sets floors with `min` on
//                 sev-snp.reported_tcb_*.
#pragma once

#include "attest/snp/endorsement.h"

namespace keyclave::attest {

// Signature, chain, time, revocation, and that certificate and report name the same chip and TCB.
// What the report is bound to is the caller's to check: report.report_data.
//
// The leaf is one of `brought`, or of trust.collateral where none of these fits; certificates
// between it and the root may come from either or are built in. Revocation lists of
// trust.collateral are used for the issuers that have one there. AMD publishes its list beside the
// certificates, for whoever fetches them, and nothing in evidence or certificates says that a
// verifier must have it: so its absence is no error, while a list that is there and stale is.
//
// kEvidenceSignature, kEvidenceChain, kEvidenceTime, kEvidenceRevoked, kEvidenceIdentity,
// kCollateralMissing (names the chip, the TCB and where AMD hands out the certificate),
// Collateral….
Result<ClaimSet> VerifySnpReport(const SnpReport& report, const std::vector<Certificate>& brought,
                                 const Trust& trust, const CollateralTime& time);

// A VCEK or VLEK with what it says.
struct SnpLeaf {
  Certificate certificate;
  SnpEndorsement endorsement;
};

// The leaf's path to AMD's root, revocation, and the names on the way; certificates and lists as
// above. kEvidenceChain, kEvidenceTime, kEvidenceRevoked, kEvidenceIdentity, Collateral….
Status CheckLeaf(const SnpLeaf& leaf, const std::vector<Certificate>& brought, const Trust& trust,
                 const CollateralTime& time);

// What VerifySnpReport needs beside the report and what it brought: its leaf.
std::vector<CollateralNeed> SnpCollateralNeeds(const SnpReport& report,
                                               const std::vector<Certificate>& brought,
                                               const Trust& trust, UnixTime now);

// Where AMD hands out the VCEK (document 57230); hwid as long as the line's chip ids are.
std::string SnpVcekUrl(SnpProduct product, ByteSpan hwid, const SnpTcb& tcb);

// In claims.cc.
ClaimSet SnpClaims(const SnpReport& report, const SnpEndorsement& endorsement);

}  // namespace keyclave::attest
