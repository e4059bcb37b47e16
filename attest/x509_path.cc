#include "attest/dcap/der.h"
#include "attest/gnutls_handles.h"
#include "attest/x509.h"

namespace keyclave::attest {
namespace {

constexpr size_t kMaxPath = 8;     // certificates
constexpr size_t kMaxTries = 256;  // candidates looked at, so that a crowd of equal names ends

bool SameAuthority(const Certificate& a, const Certificate& b) {
  return Equal(a.subject(), b.subject()) && Equal(a.key().spki(), b.key().spki());
}

// Whether the path holds: its last certificate is the anchor, which is believed in.
bool PathHolds(const CertificatePath& path, bool ignore_unknown_critical) {
  std::vector<gnutls_x509_crt_t> list;
  for (const Certificate& certificate : path) list.push_back(certificate.handle());
  gnutls_x509_crt_t anchor = list.back();
  list.pop_back();
  unsigned flags = GNUTLS_VERIFY_DISABLE_TIME_CHECKS | GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS |
                   GNUTLS_VERIFY_DISABLE_CRL_CHECKS;
  if (ignore_unknown_critical) flags |= GNUTLS_VERIFY_IGNORE_UNKNOWN_CRIT_EXTENSIONS;
  unsigned verdict = GNUTLS_CERT_INVALID;
  const int code = gnutls_x509_crt_list_verify(list.data(), static_cast<unsigned>(list.size()),
                                               &anchor, 1, nullptr, 0, flags, &verdict);
  return code == 0 && verdict == 0;
}

Status CheckTimes(const CertificatePath& path, UnixTime now) {
  for (const Certificate& certificate : path) {
    if (now >= certificate.not_before() && now <= certificate.not_after()) continue;
    return FailWanted(
        Code::kEvidenceTime, "certificate " + certificate.SubjectText(),
        FormatTime(certificate.not_before()) + " to " + FormatTime(certificate.not_after()),
        FormatTime(now));
  }
  return Done{};
}

// Depth first from the leaf, by names; what the names allow is then verified.
class Search {
 public:
  Search(const std::vector<Certificate>& intermediates, const std::vector<Certificate>& anchors,
         const PathRules& rules)
      : intermediates_(intermediates), anchors_(anchors), rules_(rules) {}

  Result<CertificatePath> From(const Certificate& leaf) {
    path_ = {leaf};
    Extend();
    if (found_.has_value()) return *std::move(found_);
    if (wrong_time_.has_value()) return *std::move(wrong_time_);
    return Fail(Code::kEvidenceChain, leaf.SubjectText() + ", issued by " + leaf.IssuerText());
  }

 private:
  void Extend() {
    for (const Certificate& anchor : anchors_) {
      if (found_.has_value()) return;
      if (Equal(anchor.subject(), path_.back().issuer())) Finish(anchor);
    }
    if (path_.size() >= kMaxPath - 1) return;
    for (const Certificate& next : intermediates_) {
      if (found_.has_value() || tries_ >= kMaxTries) return;
      if (!Equal(next.subject(), path_.back().issuer()) || InPath(next)) continue;
      ++tries_;
      path_.push_back(next);
      Extend();
      path_.pop_back();
    }
  }
  bool InPath(const Certificate& certificate) const {
    return std::any_of(path_.begin(), path_.end(),
                       [&](const Certificate& one) { return SameAuthority(one, certificate); });
  }
  void Finish(const Certificate& anchor) {
    CertificatePath whole = path_;
    whole.push_back(anchor);
    if (!PathHolds(whole, rules_.ignore_unknown_critical)) return;
    auto in_time = CheckTimes(whole, rules_.now);
    if (in_time.ok()) {
      found_ = std::move(whole);
    } else {
      wrong_time_ = std::move(in_time).error();
    }
  }

  const std::vector<Certificate>& intermediates_;
  const std::vector<Certificate>& anchors_;
  const PathRules& rules_;
  CertificatePath path_;
  size_t tries_ = 0;
  std::optional<CertificatePath> found_;
  std::optional<Error> wrong_time_;
};

// The newest list of this issuer that is valid now; nullptr if there is none.
const RevocationList* Newest(const std::vector<RevocationList>& lists, const Bytes& issuer,
                             UnixTime now, const RevocationList** stale) {
  const RevocationList* newest = nullptr;
  for (const RevocationList& list : lists) {
    if (!Equal(list.issuer(), issuer)) continue;
    if (now < list.this_update() || now > list.next_update()) {
      *stale = &list;
    } else if (newest == nullptr || list.this_update() > newest->this_update()) {
      newest = &list;
    }
  }
  return newest;
}

// GnuTLS says no more of a list whose signature algorithm it does not know than of one that is out
// of date by the machine's clock ("invalid"), and has then not looked at the signature. So it is
// looked at here, under an algorithm that is known and not weak.
bool IsSignedBy(const RevocationList& list, const Certificate& issuer) {
  const auto algorithm =
      static_cast<gnutls_sign_algorithm_t>(gnutls_x509_crl_get_signature_algorithm(list.handle()));
  if (gnutls_sign_is_secure2(algorithm, GNUTLS_SIGN_FLAG_SECURE_FOR_CERTS) == 0) return false;
  const auto whole = dcap::DerReader(list.der()).Take(dcap::DerTag::kSequence);
  if (!whole.ok()) return false;
  const auto to_be_signed = dcap::DerReader(whole->content).Take(dcap::DerTag::kSequence);
  size_t size = 0;  // GnuTLS tells it only to those whose buffer is too small
  if (!to_be_signed.ok() ||
      gnutls_x509_crl_get_signature(list.handle(), nullptr, &size) != GNUTLS_E_SHORT_MEMORY_BUFFER)
    return false;
  std::string bytes(size, '\0');
  if (gnutls_x509_crl_get_signature(list.handle(), bytes.data(), &size) != 0) return false;
  gnutls_pubkey_t raw = nullptr;
  if (gnutls_pubkey_init(&raw) != 0) return false;
  const GnutlsHandle<gnutls_pubkey_t, gnutls_pubkey_deinit> key(raw);
  const gnutls_datum_t data = AsDatum(to_be_signed->whole);
  const gnutls_datum_t signature = AsDatum(AsBytes(bytes));
  return gnutls_pubkey_import_x509(raw, issuer.handle(), 0) == 0 &&
         gnutls_pubkey_verify_data2(raw, algorithm, 0, &data, &signature) >= 0;
}

Status CheckOne(const Certificate& certificate, const Certificate& issuer,
                const std::vector<RevocationList>& lists, UnixTime now) {
  const RevocationList* stale = nullptr;
  const RevocationList* list = Newest(lists, certificate.issuer(), now, &stale);
  if (list == nullptr) {
    const std::string what = "revocation list of " + certificate.IssuerText();
    if (stale == nullptr) return Fail(Code::kCollateralMissing, what);
    return FailWanted(Code::kCollateralExpired, what,
                      FormatTime(stale->this_update()) + " to " + FormatTime(stale->next_update()),
                      FormatTime(now));
  }
  gnutls_x509_crt_t authority = issuer.handle();
  unsigned verdict = GNUTLS_CERT_INVALID;
  const int code = gnutls_x509_crl_verify(
      list->handle(), &authority, 1,
      GNUTLS_VERIFY_DISABLE_TIME_CHECKS | GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS, &verdict);
  // It compares the list's times with the machine's clock whatever the flags say; Newest has
  // compared them with the right one.
  constexpr unsigned kOfTime = GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED |
                               GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE | GNUTLS_CERT_INVALID;
  if (code != 0 || (verdict & ~kOfTime) != 0 || !IsSignedBy(*list, issuer))
    return Fail(Code::kCollateralInvalid,
                "signature of the revocation list of " + certificate.IssuerText());
  gnutls_x509_crl_t handle = list->handle();
  if (gnutls_x509_crt_check_revocation(certificate.handle(), &handle, 1) != 0)
    return Fail(Code::kEvidenceRevoked,
                certificate.SubjectText() + ", serial " + certificate.SerialHex());
  return Done{};
}

}  // namespace

Result<CertificatePath> BuildPath(const Certificate& leaf,
                                  const std::vector<Certificate>& intermediates,
                                  const std::vector<Certificate>& anchors, const PathRules& rules) {
  for (const Certificate& anchor : anchors) {
    if (!Equal(anchor.der(), leaf.der())) continue;
    CertificatePath path = {leaf};
    KC_CHECK_OK(CheckTimes(path, rules.now));
    return path;
  }
  return Search(intermediates, anchors, rules).From(leaf);
}

Status CheckRevocation(const CertificatePath& path, const std::vector<RevocationList>& lists,
                       UnixTime now) {
  for (size_t i = 0; i + 1 < path.size(); ++i)
    KC_CHECK_OK(CheckOne(path[i], path[i + 1], lists, now));
  return Done{};
}

}  // namespace keyclave::attest
