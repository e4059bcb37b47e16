// X.509 for evidence: certificates, revocation lists, and paths to pinned roots at a given time
// (RFC 5280), by GnuTLS.
#pragma once

#include <gnutls/x509.h>

#include "attest/collateral_time.h"
#include "attest/memo.h"
#include "attest/public_key.h"
#include "enclave/base/clock.h"

namespace keyclave::attest {

// Immutable; copies share it, and threads may.
class Certificate {
 public:
  static Result<Certificate> FromDer(ByteSpan der);  // kMalformed; nothing may follow
  // One DER certificate, or PEM with any text around its blocks and NUL bytes behind them; in file
  // order. kMalformed, kTooLarge.
  static Result<std::vector<Certificate>> ListFrom(ByteSpan der_or_pem);

  const Bytes& der() const { return der_; }
  const PublicKey& key() const { return key_; }
  const Bytes& subject() const { return subject_; }  // DER Name
  const Bytes& issuer() const { return issuer_; }
  std::string SubjectText() const;  // RFC 4514: the common name comes first, as a rule
  std::string IssuerText() const;
  std::string CommonName() const;  // of the subject; empty if it has none
  std::string SerialHex() const;
  std::string Pem() const;
  UnixTime not_before() const { return not_before_; }
  UnixTime not_after() const { return not_after_; }
  bool SelfIssued() const { return Equal(subject_, issuer_); }
  // The extension's extnValue content; nullopt if it is absent.
  std::optional<Bytes> Extension(const std::string& oid) const;
  gnutls_x509_crt_t handle() const { return handle_.get(); }

 private:
  PublicKey key_;
  std::shared_ptr<std::remove_pointer_t<gnutls_x509_crt_t>> handle_;
  Bytes der_, subject_, issuer_;
  UnixTime not_before_ = 0;
  UnixTime not_after_ = 0;

  explicit Certificate(PublicKey key) : key_(std::move(key)) {}
};

// Immutable; copies share it, and threads may.
class RevocationList {
 public:
  // DER, PEM, or the hexadecimal text of DER (as Intel's service sends it). kMalformed;
  // kCollateralInvalid for a list that says no nextUpdate.
  static Result<RevocationList> From(ByteSpan bytes);

  const Bytes& der() const { return der_; }
  const Bytes& issuer() const { return issuer_; }
  std::string IssuerText() const;
  std::string IssuerCommonName() const;  // empty if it has none
  // The cRLNumber extension; nullopt if it is absent or larger.
  std::optional<uint64_t> Number() const;
  std::string Pem() const;
  UnixTime this_update() const { return this_update_; }
  UnixTime next_update() const { return next_update_; }
  size_t size() const;  // entries
  // That the issuer signed it, and may; what was once found good is not computed again. Times are
  // not looked at. kCollateralInvalid.
  Status VerifyUnder(const Certificate& issuer) const;
  gnutls_x509_crl_t handle() const { return handle_.get(); }

 private:
  std::shared_ptr<std::remove_pointer_t<gnutls_x509_crl_t>> handle_;
  std::shared_ptr<GoodUnder> good_ = std::make_shared<GoodUnder>();  // certificates
  Bytes der_, issuer_;
  UnixTime this_update_ = 0;
  UnixTime next_update_ = 0;
};

struct PathRules {
  UnixTime now = 0;
  // Critical extensions that GnuTLS does not know are passed over (TPM attestation keys have
  // some); what they say is then not checked.
  bool ignore_unknown_critical = false;
};

// leaf, its issuer, …, anchor.
using CertificatePath = std::vector<Certificate>;

// A path from the leaf over any of the intermediates, in whatever order they come, to one of the
// anchors, which count by their key and name (an older certificate of the same root does). A leaf
// that is an anchor itself is a path of one. Signatures, CA bits, lengths and names are checked,
// and the validity of each certificate at rules.now.
// kEvidenceChain (no path to an anchor), kEvidenceTime (there is one, but not at this time).
Result<CertificatePath> BuildPath(const Certificate& leaf,
                                  const std::vector<Certificate>& intermediates,
                                  const std::vector<Certificate>& anchors, const PathRules& rules);

// Whether the list is its issuer's word, at the given time. kCollateralExpired,
// kCollateralInvalid (signature).
Status CheckRevocationList(const RevocationList& list, const Certificate& issuer, UnixTime now);

// Whether every issuer must have a list, or only those that have one are asked.
enum class ListRule : uint8_t { kRequired, kWhereKnown };

// Each certificate of the path but the anchor against the list of its issuer.
// kEvidenceRevoked; kCollateralMissing (an issuer of the path has no list here),
// kCollateralExpired, kCollateralInvalid (the list's signature).
Status CheckRevocation(const CertificatePath& path, const std::vector<RevocationList>& lists,
                       const CollateralTime& time, ListRule rule = ListRule::kRequired);

}  // namespace keyclave::attest
