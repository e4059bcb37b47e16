// Collateral as an operator sees it: single things, each about one subject, of which a newer one
// takes an older one's place.
#pragma once

#include <variant>

#include "attest/dcap/enclave_identity.h"
#include "attest/dcap/tcb_info.h"
#include "attest/jwk.h"
#include "attest/snp/verify.h"

namespace keyclave::attest {

using CollateralContent = std::variant<dcap::TcbInfo, dcap::EnclaveIdentity, SnpLeaf, Certificate,
                                       RevocationList, std::vector<Jwk>>;

struct CollateralItem {
  CollateralContent content;
  std::string kind;     // tcb-info, qe-identity, vcek, vlek, certificate, crl, jwks
  std::string subject;  // "SGX FMSPC 00A06F050000", "CN=…"; empty for a key set: it does not say
  std::string source;   // the file that it came from
  std::string where;    // where its issuer hands out newer ones
  // The file that it is kept in, the same for everything of this kind about this subject; empty for
  // a key set. And what is written there.
  std::string name;
  Bytes bytes;
  UnixTime issued = 0;
  UnixTime expires = 0;            // 0: it says none
  std::optional<uint64_t> number;  // tcbEvaluationDataNumber, CRL number
};

// What a file holds (collateral.h says what that may be). Nothing of it is verified.
// kCollateralInvalid, the source in front.
Result<std::vector<CollateralItem>> ReadCollateralItems(ByteSpan bytes, const std::string& source);

// "jwks-login-example-com-1f2e3d4c.json", for a key set of this issuer.
std::string KeySetFileName(std::string_view issuer);

// Whether `one` was issued before `other`, both being about the same subject: by their numbers, or
// where these are the same or absent by their times.
bool IsOlder(const CollateralItem& one, const CollateralItem& other);

// The vendors' roots and the operator's, of all types.
std::vector<Certificate> AllRoots(const Trust& trust);
// Whether this certificate is one of them, or another edition of it.
bool IsRoot(const Certificate& certificate, const Trust& trust);

// Whether it is its issuer's word at this time: signatures, chain to a root, validity, revocation.
// Certificates and lists of trust.collateral are used on the way. A key set, which nobody signs, is
// well formed; where roots are known for tokens, its certificates must lead there. kCollateral….
Status CheckCollateralItem(const CollateralItem& item, const Trust& trust, UnixTime now,
                           ListRule rule);

}  // namespace keyclave::attest
