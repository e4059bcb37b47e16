// What a VCEK or VLEK certificate says about the processor that it vouches for: its extensions
// under 1.3.6.1.4.1.3704.1 (AMD document 57230, "Versioned Chip Endorsement Key (VCEK)
// Certificate and KDS Interface Specification", section 3).
#pragma once

#include "attest/snp/product.h"

namespace keyclave::attest {

struct SnpEndorsement {
  SnpSigningKey key = SnpSigningKey::kVcek;
  SnpProduct product = SnpProduct::kMilan;
  SnpTcb tcb{};        // in the product's layout
  Bytes hwid;          // VCEK: CHIP_ID without its zeros
  std::string csp_id;  // VLEK: the cloud provider it was issued to
};

// Whether this certificate claims to be a VCEK or VLEK: cheap, to find one among others.
bool LooksLikeEndorsement(const Certificate& certificate);
// Strict DER, nothing behind it; every component present, once and in range. A VCEK has an HWID
// and no CSP id, a VLEK the other way round. kEvidenceIdentity.
Result<SnpEndorsement> ReadEndorsement(const Certificate& certificate);

// The certificate is a VCEK of the chip that the report names.
bool IsOfChip(const SnpEndorsement& endorsement, const SnpReport& report);

// The report is one that the key of this certificate may sign: the kind of key, the product line,
// each byte of REPORTED_TCB and, for a VCEK, the chip. kEvidenceIdentity.
//
// A report under a VCEK whose CHIP_ID the host has masked is refused. The VCEK's certificate would
// still name the chip, but the firmware was told not to, and what of a report is compared with
// nothing proves nothing; who wants to hide chips from guests uses a VLEK.
Status CheckEndorses(const SnpEndorsement& endorsement, const SnpReport& report);

// Leaf, signing key and root belong to one product line and to the kind of key, by the names that
// AMD gives them: SEV-Milan or SEV-VLEK-Milan under ARK-Milan. kEvidenceChain,
// kEvidenceIdentity.
Status CheckAuthorities(const SnpEndorsement& endorsement, const CertificatePath& path);

}  // namespace keyclave::attest
