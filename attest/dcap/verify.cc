#include "attest/dcap/verify.h"

#include "attest/dcap/endorsements.h"

namespace keyclave::attest::dcap {
namespace {

constexpr size_t kPckPath = 3;  // PCK, one of the two PCK authorities, root
constexpr std::string_view kPckName = "Intel SGX PCK Certificate";

// A quote of certification data 1 to 3 (the PPID, plain or encrypted) names its PCK certificate,
// but does not bring it.
Error WithoutPck(const Quote& quote) {
  return Fail(Code::kCollateralMissing,
              "PCK certificate: the quote only names it (certification data type " +
                  std::to_string(quote.certification_type) +
                  "); give the platform's quoting library its PCK certificate, from a caching "
                  "service or Intel's, so that quotes bring the chain (type 5)");
}

// The PCK certificate's path to the root.
Result<CertificatePath> VerifyChain(const Quote& quote, const Trust& trust, UnixTime now) {
  if (quote.certificates.empty()) return WithoutPck(quote);
  const Certificate* pck = FindPck(quote.certificates);
  if (pck == nullptr)
    return Fail(Code::kEvidenceChain, "none of the quote's certificates is a PCK certificate");
  std::vector<Certificate> intermediates = quote.certificates;
  const auto& more = trust.collateral->certificates();
  intermediates.insert(intermediates.end(), more.begin(), more.end());
  KC_ASSIGN(CertificatePath path,
            BuildPath(*pck, intermediates, trust.RootsFor(TypeName(quote.tee())), {.now = now}));
  if (path.size() != kPckPath || pck->CommonName() != kPckName)
    return FailWanted(Code::kEvidenceChain, "PCK certificate",
                      std::string(kPckName) + ", a PCK authority, the root",
                      pck->CommonName() + ", path of " + std::to_string(path.size()));
  return path;
}

Status VerifySignature(const PublicKey& key, ByteSpan message, const ByteArray<64>& signature,
                       const char* what) {
  const ByteSpan both = signature;
  const Status status =
      key.VerifyEcdsa(SignatureScheme::kEcdsaP256Sha256, message, both.first(32), both.subspan(32));
  if (!status.ok()) return Fail(Code::kEvidenceSignature, what);
  return Done{};
}

// PCK key -> QE report -> attestation key -> quote.
Status VerifySignatures(const Quote& quote, const Certificate& pck) {
  KC_CHECK_OK(VerifySignature(pck.key(), quote.qe_report_bytes, quote.qe_report_signature,
                              "the QE report's, by the PCK key"));
  Bytes bound = ToBytes(quote.attestation_key);
  bound.insert(bound.end(), quote.qe_auth_data.begin(), quote.qe_auth_data.end());
  ByteArray<64> wanted{};  // zeros behind the hash
  const ByteArray<32> hash = Sha256(bound);
  std::copy(hash.begin(), hash.end(), wanted.begin());
  if (!Equal(quote.qe_report.report_data, wanted))
    return FailWanted(Code::kEvidenceSignature, "attestation key that the QE report vouches for",
                      ToHex(wanted), ToHex(quote.qe_report.report_data));
  const ByteSpan point = quote.attestation_key;
  const auto key = PublicKey::FromEcPoint(KeyKind::kEcP256, point.first(32), point.subspan(32));
  if (!key.ok()) return Fail(Code::kEvidenceSignature, "the attestation key is no point of P-256");
  return VerifySignature(*key, quote.signed_bytes, quote.signature,
                         "the quote's, by the attestation key");
}

// Where to get a list is said beside which one it is.
Status VerifyRevocation(const CertificatePath& path, const Trust& trust,
                        const CollateralTime& time) {
  Status status = CheckRevocation(path, trust.collateral->revocation_lists(), time);
  if (status.ok()) return status;
  if (status.code() != Code::kCollateralMissing && status.code() != Code::kCollateralExpired)
    return status;
  return status.error().In("revocation lists come from " + RevocationListUrl(path[1].CommonName()) +
                           " and " + RevocationListUrl(path[2].CommonName()));
}

void Add(const TcbFinding& finding, VerifiedTcb& tcb) {
  tcb.date = std::min(tcb.date, finding.date);
  for (const std::string& one : finding.advisories) {
    if (std::find(tcb.advisories.begin(), tcb.advisories.end(), one) == tcb.advisories.end())
      tcb.advisories.push_back(one);
  }
}

// The platform's level, and those of the enclave and the module upon it. kEvidenceTcb.
Result<VerifiedTcb> Evaluate(const Endorsements& endorsements, const PckPlatform& platform,
                             const TcbFinding& qe, const ByteArray<16>* tee_tcb_svn) {
  VerifiedTcb tcb;
  KC_ASSIGN(tcb.platform, FindPlatformLevel(*endorsements.tcb_info, platform, tee_tcb_svn));
  tcb.qe = qe;
  if (tee_tcb_svn != nullptr) {
    KC_ASSIGN(tcb.tdx_module, FindModuleLevel(*endorsements.tcb_info, *tee_tcb_svn));
  }
  tcb.status = Merge(tcb.platform.status, qe.status);
  tcb.date = tcb.platform.date;
  Add(tcb.platform, tcb);
  Add(qe, tcb);
  if (tcb.tdx_module.has_value()) {
    tcb.status = Merge(tcb.status, tcb.tdx_module->status);
    Add(*tcb.tdx_module, tcb);
  }
  if (tcb.status == TcbStatus::kRevoked)
    return FailWanted(Code::kEvidenceTcb, "TCB status", "any other", "Revoked");
  return tcb;
}

Status EvaluateInto(const Quote& quote, const Endorsements& endorsements, VerifiedQuote& verified) {
  KC_ASSIGN(const TcbFinding qe,
            FindEnclaveLevel(*endorsements.qe_identity, quote.qe_report.isv_svn));
  const auto* td = std::get_if<TdReport>(&quote.body);
  const PckPlatform& platform = verified.platform;
  if (td == nullptr) {
    KC_ASSIGN(verified.tcb, Evaluate(endorsements, platform, qe, nullptr));
    return Done{};
  }
  KC_CHECK_OK(CheckModuleIdentity(*endorsements.tcb_info, *td));
  KC_ASSIGN(verified.tcb, Evaluate(endorsements, platform, qe, &td->tee_tcb_svn));
  if (!td->of_15.has_value()) return Done{};
  KC_ASSIGN(verified.current_tcb, Evaluate(endorsements, platform, qe, &td->of_15->tee_tcb_svn2));
  return Done{};
}

}  // namespace

bool VerifiedQuote::RelaunchAdvised() const {
  const auto out_of_date = [](TcbStatus status) {
    return status == TcbStatus::kOutOfDate || status == TcbStatus::kOutOfDateConfigurationNeeded;
  };
  return current_tcb.has_value() && out_of_date(tcb.status) && !out_of_date(current_tcb->status);
}

Result<VerifiedQuote> VerifyQuote(const Quote& quote, const Trust& trust,
                                  const CollateralTime& time) {
  KC_ASSIGN(const CertificatePath path, VerifyChain(quote, trust, time.now));
  KC_CHECK_OK(VerifySignatures(quote, path[0]));
  KC_CHECK_OK(VerifyRevocation(path, trust, time));
  VerifiedQuote verified;
  verified.pck_ca = path[1].CommonName();
  KC_ASSIGN(verified.platform, ParsePckPlatform(path[0]));
  KC_ASSIGN(const Endorsements endorsements,
            FindEndorsements(quote.tee(), verified.platform, trust, time));
  verified.tcb_evaluation_number = endorsements.tcb_info->evaluation_number;
  KC_CHECK_OK(CheckEnclave(*endorsements.qe_identity, quote.qe_report));
  KC_CHECK_OK(EvaluateInto(quote, endorsements, verified));
  return verified;
}

std::vector<CollateralNeed> QuoteCollateralNeeds(const Quote& quote, const Trust& trust,
                                                 UnixTime now) {
  std::vector<CollateralNeed> needs;
  const auto add = [&](std::string what, std::string where, const Status& found) {
    CollateralNeed& need = needs.emplace_back();
    need.what = std::move(what);
    need.where = std::move(where);
    if (!found.ok()) need.problem = found.error();
  };
  const auto path = VerifyChain(quote, trust, now);
  const auto platform =
      path.ok() ? ParsePckPlatform((*path)[0]) : Result<PckPlatform>(path.error());
  if (!platform.ok()) {
    add("PCK certificate", "the platform's quoting library", platform.error());
    return needs;
  }
  for (size_t i = 0; i + 1 < path->size(); ++i) {
    const Certificate& issuer = (*path)[i + 1];
    add("revocation list of " + issuer.CommonName(), RevocationListUrl(issuer.CommonName()),
        CheckRevocation({(*path)[i], issuer}, trust.collateral->revocation_lists(), now));
  }
  const Tee tee = quote.tee();
  const auto check = [&](const auto& chosen) -> Status {
    if (!chosen.ok()) return chosen.error();
    return CheckStatement(**chosen, tee, trust, now);
  };
  add(TcbInfoText(tee, platform->fmspc, platform->pceid), TcbInfoUrl(tee, platform->fmspc),
      check(ChooseTcbInfo(tee, *platform, trust, now)));
  add(QeIdentityText(tee), QeIdentityUrl(tee), check(ChooseQeIdentity(tee, trust, now)));
  return needs;
}

Result<ClaimSet> VerifyTdQuote(ByteSpan quote, const Trust& trust, const CollateralTime& time,
                               Bytes* report_data) {
  KC_ASSIGN(const Quote parsed, ParseQuote(quote, Tee::kTdx));
  KC_ASSIGN(const VerifiedQuote verified, VerifyQuote(parsed, trust, time));
  *report_data = ToBytes(parsed.report_data());
  return ClaimsOf(parsed, verified);
}

}  // namespace keyclave::attest::dcap
