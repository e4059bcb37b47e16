#include "attest/dcap/endorsements.h"

namespace keyclave::attest::dcap {
namespace {

constexpr std::string_view kTcbSigning = "Intel SGX TCB Signing";
constexpr std::string_view kService = "https://api.trustedservices.intel.com/";

std::string Upper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return text;
}

// Intel's TCB signing certificates in the collateral. There may be several: they were renewed with
// the same key and the same serial number.
class TcbSigners {
 public:
  TcbSigners(Tee tee, const Trust& trust, const CollateralTime& time, ListRule rule)
      : collateral_(*trust.collateral),
        roots_(trust.RootsFor(TypeName(tee))),
        time_(time),
        rule_(rule) {
    for (const Certificate& certificate : collateral_.certificates()) {
      if (certificate.CommonName() == kTcbSigning) signers_.push_back({certificate, std::nullopt});
    }
  }

  // Whether one of them signed it, and is good itself. kCollateral….
  Status Verify(const Statement& statement) {
    std::optional<Error> refused;
    for (Signer& signer : signers_) {
      if (!statement.text.VerifyUnder(signer.certificate.key()).ok()) continue;
      if (!signer.good.has_value()) signer.good = Check(signer.certificate);
      if (signer.good->ok()) return Done{};
      refused = signer.good->error();
    }
    if (refused.has_value()) return *std::move(refused);
    if (signers_.empty())
      return Fail(Code::kCollateralMissing,
                  "certificate of " + std::string(kTcbSigning) +
                      ", which comes with each TCB info (header TCB-Info-Issuer-Chain)");
    return Fail(Code::kCollateralInvalid, statement.source + ": its signature does not verify");
  }

 private:
  struct Signer {
    Certificate certificate;
    std::optional<Status> good;  // what Check said, so that two documents need one
  };

  // Issued by the root itself: a certificate of the same name under one of its other authorities is
  // nobody's.
  Status Check(const Certificate& certificate) const {
    const auto path = BuildPath(certificate, {}, roots_, {.now = time_.now});
    if (!path.ok()) {
      const bool in_time = path.code() != Code::kEvidenceTime;
      return Fail(in_time ? Code::kCollateralInvalid : Code::kCollateralExpired,
                  std::string(kTcbSigning) + ": " + path.error().Text());
    }
    Status revocation = CheckRevocation(*path, collateral_.revocation_lists(), time_, rule_);
    if (revocation.ok() || revocation.code() != Code::kEvidenceRevoked) return revocation;
    return Fail(Code::kCollateralInvalid,
                std::string(kTcbSigning) + ": revoked, " + revocation.error().detail());
  }

  const Collateral& collateral_;
  std::vector<Certificate> roots_;
  CollateralTime time_;
  ListRule rule_;
  std::vector<Signer> signers_;
};

// The statement to be used, out of those that are about the right thing.
template <class T>
class Choice {
 public:
  explicit Choice(const CollateralTime& time) : time_(time) {}

  void Offer(const T& statement) {
    const bool late = statement.issue_date <= time_.now && time_.IsLate(statement.next_update);
    const T*& better = statement.ValidAt(time_.now) ? best_ : late ? late_ : early_;
    if (better == nullptr || Rank(statement) > Rank(*better)) better = &statement;
  }
  // What could not be read is an error only where nothing else serves.
  void Unreadable(const Error& error) {
    if (!unreadable_.has_value()) unreadable_ = error;
  }
  Result<const T*> Best(const std::string& what, const std::string& url) && {
    if (best_ != nullptr) return best_;
    if (late_ != nullptr && time_.Bear(late_->issue_date, late_->next_update)) return late_;
    const T* stale = late_ != nullptr ? late_ : early_;
    if (stale != nullptr)
      return FailWanted(Code::kCollateralExpired,
                        what + " (" + stale->source + "; newer: " + url + ")",
                        FormatTime(stale->issue_date) + " to " + FormatTime(stale->next_update),
                        FormatTime(time_.now));
    if (unreadable_.has_value()) return *std::move(unreadable_);
    return Fail(Code::kCollateralMissing, what + ": " + url);
  }

 private:
  static std::pair<uint64_t, UnixTime> Rank(const T& statement) {
    return {statement.evaluation_number, statement.issue_date};
  }
  CollateralTime time_;
  const T* best_ = nullptr;
  const T* late_ = nullptr;   // past its nextUpdate
  const T* early_ = nullptr;  // not issued yet
  std::optional<Error> unreadable_;
};

std::string ServicePath(Tee tee) {
  return std::string(kService) + std::string(TypeName(tee)) + "/certification/v4/";
}

}  // namespace

Result<const TcbInfo*> ChooseTcbInfo(Tee tee, const PckPlatform& platform, const Trust& trust,
                                     const CollateralTime& time) {
  const std::string fmspc = ToHex(platform.fmspc);
  const std::string upper = Upper(fmspc);
  Choice<TcbInfo> choice(time);
  for (const Document& document : trust.collateral->documents()) {
    if (document.kind() != DocumentKind::kTcbInfo) continue;
    // A folder may hold those of many platforms; what does not even name this one is not parsed.
    const std::string_view text = AsText(document.bytes());
    if (text.find(upper) == std::string_view::npos && text.find(fmspc) == std::string_view::npos)
      continue;
    const auto& info = document.Parsed(ParseTcbInfo);
    if (!info.ok()) {
      choice.Unreadable(info.error());
    } else if (info->tee == tee && info->fmspc == platform.fmspc && info->pceid == platform.pceid) {
      choice.Offer(*info);
    }
  }
  return std::move(choice).Best(TcbInfoText(tee, platform.fmspc, platform.pceid),
                                TcbInfoUrl(tee, platform.fmspc));
}

Result<const EnclaveIdentity*> ChooseQeIdentity(Tee tee, const Trust& trust,
                                                const CollateralTime& time) {
  Choice<EnclaveIdentity> choice(time);
  for (const Document& document : trust.collateral->documents()) {
    if (document.kind() != DocumentKind::kEnclaveIdentity) continue;
    const auto& identity = document.Parsed(ParseEnclaveIdentity);
    if (!identity.ok()) {
      choice.Unreadable(identity.error());
    } else if (identity->id == QeIdentityId(tee)) {
      choice.Offer(*identity);
    }
  }
  return std::move(choice).Best(QeIdentityText(tee), QeIdentityUrl(tee));
}

Status CheckStatement(const Statement& statement, Tee tee, const Trust& trust,
                      const CollateralTime& time, ListRule rule) {
  KC_CHECK_OK(TcbSigners(tee, trust, time, rule).Verify(statement));
  if (statement.ValidAt(time.now) || time.Bear(statement.issue_date, statement.next_update))
    return Done{};
  return FailWanted(Code::kCollateralExpired, statement.source,
                    FormatTime(statement.issue_date) + " to " + FormatTime(statement.next_update),
                    FormatTime(time.now));
}

Result<Endorsements> FindEndorsements(Tee tee, const PckPlatform& platform, const Trust& trust,
                                      const CollateralTime& time) {
  KC_ASSIGN(const TcbInfo* tcb_info, ChooseTcbInfo(tee, platform, trust, time));
  KC_ASSIGN(const EnclaveIdentity* qe_identity, ChooseQeIdentity(tee, trust, time));
  TcbSigners signers(tee, trust, time, ListRule::kRequired);
  KC_CHECK_OK(signers.Verify(*tcb_info));
  KC_CHECK_OK(signers.Verify(*qe_identity));
  return Endorsements{tcb_info, qe_identity};
}

std::string TcbInfoText(Tee tee, ByteSpan fmspc, ByteSpan pceid) {
  return Upper(std::string(TypeName(tee))) + " TCB info of FMSPC " + Upper(ToHex(fmspc)) +
         ", PCE-ID " + ToHex(pceid);
}

std::string TcbInfoUrl(Tee tee, ByteSpan fmspc) {
  return ServicePath(tee) + "tcb?fmspc=" + Upper(ToHex(fmspc));
}

std::string QeIdentityText(Tee tee) { return "enclave identity " + std::string(QeIdentityId(tee)); }

std::string QeIdentityUrl(Tee tee) { return ServicePath(tee) + "qe/identity"; }

std::string RevocationListUrl(std::string_view issuer_common_name) {
  const auto has = [&](std::string_view word) {
    return issuer_common_name.find(word) != std::string_view::npos;
  };
  if (has("Root")) return "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der";
  return ServicePath(Tee::kSgx) + "pckcrl?ca=" + (has("Platform") ? "platform" : "processor") +
         "&encoding=der";
}

}  // namespace keyclave::attest::dcap
