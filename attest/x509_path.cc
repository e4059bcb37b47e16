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

bool InTime(const RevocationList& list, UnixTime now) {
  return now >= list.this_update() && now <= list.next_update();
}

Error WrongTime(const RevocationList& list, UnixTime now) {
  return FailWanted(Code::kCollateralExpired, "revocation list of " + list.IssuerText(),
                    FormatTime(list.this_update()) + " to " + FormatTime(list.next_update()),
                    FormatTime(now));
}

// An issuer's lists: the newest that is valid now, the newest that is late, and any other.
struct ListsOf {
  const RevocationList* current = nullptr;
  const RevocationList* late = nullptr;
  const RevocationList* stale = nullptr;
};

ListsOf Sort(const std::vector<RevocationList>& lists, const Bytes& issuer, UnixTime now) {
  ListsOf sorted;
  const auto offer = [](const RevocationList*& best, const RevocationList& list) {
    if (best == nullptr || list.this_update() > best->this_update()) best = &list;
  };
  for (const RevocationList& list : lists) {
    if (!Equal(list.issuer(), issuer)) continue;
    if (InTime(list, now)) {
      offer(sorted.current, list);
    } else {
      sorted.stale = &list;
      if (list.this_update() <= now) offer(sorted.late, list);
    }
  }
  return sorted;
}

Status CheckOne(const Certificate& certificate, const Certificate& issuer,
                const std::vector<RevocationList>& lists, const CollateralTime& time) {
  const ListsOf found = Sort(lists, certificate.issuer(), time.now);
  const RevocationList* list = found.current;
  if (list == nullptr && found.late != nullptr &&
      time.Bear(found.late->this_update(), found.late->next_update()))
    list = found.late;
  if (list == nullptr) {
    if (found.stale != nullptr) return WrongTime(*found.stale, time.now);
    return Fail(Code::kCollateralMissing, "revocation list of " + certificate.IssuerText());
  }
  KC_CHECK_OK(list->VerifyUnder(issuer));
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

Status CheckRevocationList(const RevocationList& list, const Certificate& issuer, UnixTime now) {
  KC_CHECK_OK(list.VerifyUnder(issuer));
  if (!InTime(list, now)) return WrongTime(list, now);
  return Done{};
}

Status CheckRevocation(const CertificatePath& path, const std::vector<RevocationList>& lists,
                       const CollateralTime& time, ListRule rule) {
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    const bool known = std::any_of(lists.begin(), lists.end(), [&](const RevocationList& list) {
      return Equal(list.issuer(), path[i].issuer());
    });
    if (known || rule == ListRule::kRequired)
      KC_CHECK_OK(CheckOne(path[i], path[i + 1], lists, time));
  }
  return Done{};
}

}  // namespace keyclave::attest
