// The vendors' root certificates, built in (docs/attestation.md lists their SHA-256).
#pragma once

#include "attest/x509.h"

namespace keyclave::attest {

// What chains of this evidence type end in; empty where there is no vendor's root.
const std::vector<Certificate>& VendorRoots(std::string_view type);
// Vendors' certificates between roots and leaves, which evidence need not bring (AMD's ASK, ASVK).
const std::vector<Certificate>& VendorIntermediates(std::string_view type);

}  // namespace keyclave::attest
