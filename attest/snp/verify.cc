#include "attest/snp/verify.h"

#include "attest/vendor_roots.h"

namespace keyclave::attest {
namespace {

constexpr std::string_view kType = "sev-snp";
constexpr std::string_view kKds = "https://kdsintf.amd.com/vcek/v1/";
constexpr size_t kMaxCandidates = 8;

// The certificate that a report needs, and where it is to be had.
struct Wanted {
  std::string what;
  std::string where;
};

Wanted WantedFor(const SnpReport& report) {
  const auto known = report.cpu.has_value() ? SnpProductOfCpu(*report.cpu) : std::nullopt;
  const SnpProduct product = known.value_or(SnpProduct::kMilan);
  const std::string tcb = "TCB " + SnpTcbText(product, report.reported_tcb);
  if (report.signing_key == SnpSigningKey::kVlek)
    return {"VLEK certificate for " + tcb,
            "the cloud provider's host hands it out with the extended report"};
  // A report of version 2 does not tell its product.
  const auto hwid = ByteSpan(report.chip_id).first(SnpChipIdSize(product));
  return {"VCEK certificate of chip " + ToHex(report.chip_id) + " for " + tcb,
          SnpVcekUrl(product, hwid, report.reported_tcb) +
              (known.has_value() ? "" : " (or Genoa in place of Milan)")};
}

Error Missing(const SnpReport& report) {
  const Wanted wanted = WantedFor(report);
  return Fail(Code::kCollateralMissing, wanted.what + ": " + wanted.where);
}

// Quick, for collateral of many chips: a VCEK of this one has the bytes of its chip id in it.
bool MayBeOfChip(const Certificate& certificate, const SnpReport& report) {
  if (report.signing_key != SnpSigningKey::kVcek) return true;
  const auto id = ByteSpan(report.chip_id).first(SnpChipIdSize(SnpProduct::kTurin));
  const Bytes& der = certificate.der();
  return std::search(der.begin(), der.end(), id.begin(), id.end()) != der.end();
}

// The certificates that claim to endorse this report: those that came with it, else those of the
// collateral. The error of the first that came with it and does not, where nothing does.
Result<std::vector<SnpLeaf>> FindLeaves(const SnpReport& report,
                                        const std::vector<Certificate>& brought,
                                        const Collateral& collateral) {
  std::vector<SnpLeaf> leaves;
  std::optional<Error> misfit;
  std::optional<SnpTcb> other_tcb;  // that of another certificate of this chip
  const auto look = [&](const std::vector<Certificate>& list, bool came_with_it) {
    for (const Certificate& certificate : list) {
      if (leaves.size() == kMaxCandidates) return;
      if (!came_with_it && !MayBeOfChip(certificate, report)) continue;
      if (!LooksLikeEndorsement(certificate)) continue;
      auto endorsement = ReadEndorsement(certificate);
      Status fits = endorsement.ok() ? CheckEndorses(*endorsement, report)
                                     : Status(std::move(endorsement).error());
      if (fits.ok()) {
        leaves.push_back({certificate, *std::move(endorsement)});
        continue;
      }
      if (came_with_it && !misfit.has_value()) misfit = std::move(fits).error();
      if (endorsement.ok() && IsOfChip(*endorsement, report)) other_tcb = endorsement->tcb;
    }
  };
  look(brought, true);
  if (leaves.empty()) look(collateral.certificates(), false);
  if (!leaves.empty()) return leaves;
  if (misfit.has_value()) return *std::move(misfit);
  if (!other_tcb.has_value()) return Missing(report);
  return Missing(report).With(
      {"for TCB " + ToHex(report.reported_tcb), "one of this chip for TCB " + ToHex(*other_tcb)});
}

// Certificates that may have issued this one.
std::vector<Certificate> IssuersOf(const Certificate& leaf, const std::vector<Certificate>& brought,
                                   const Collateral& collateral) {
  std::vector<Certificate> issuers;
  for (const auto* list : {&brought, &collateral.certificates(), &VendorIntermediates(kType)}) {
    for (const Certificate& certificate : *list) {
      if (Equal(certificate.subject(), leaf.issuer())) issuers.push_back(certificate);
    }
  }
  return issuers;
}

Status VerifyUnder(const SnpLeaf& leaf, const SnpReport& report,
                   const std::vector<Certificate>& brought, const Trust& trust,
                   const CollateralTime& time) {
  KC_CHECK_OK(leaf.certificate.key().VerifyEcdsa(SignatureScheme::kEcdsaP384Sha384,
                                                 report.signed_bytes, report.r, report.s));
  return CheckLeaf(leaf, brought, trust, time);
}

}  // namespace

std::string SnpVcekUrl(SnpProduct product, ByteSpan hwid, const SnpTcb& tcb) {
  std::string url(kKds);
  url.append(SnpProductName(product)).append("/") += ToHex(hwid);
  char separator = '?';
  ForEachTcbPart(product, tcb, [&](std::string_view name, uint8_t value) {
    if (name == "bootloader") name = "bl";
    if (name == "microcode") name = "ucode";
    url += separator;
    url.append(name).append("SPL=").append(std::to_string(value));
    separator = '&';
  });
  return url;
}

Status CheckLeaf(const SnpLeaf& leaf, const std::vector<Certificate>& brought, const Trust& trust,
                 const CollateralTime& time) {
  const Collateral& collateral = *trust.collateral;
  KC_ASSIGN(const CertificatePath path,
            BuildPath(leaf.certificate, IssuersOf(leaf.certificate, brought, collateral),
                      trust.RootsFor(kType), {.now = time.now}));
  KC_CHECK_OK(CheckRevocation(path, collateral.revocation_lists(), time, ListRule::kWhereKnown));
  return CheckAuthorities(leaf.endorsement, path);
}

std::vector<CollateralNeed> SnpCollateralNeeds(const SnpReport& report,
                                               const std::vector<Certificate>& brought,
                                               const Trust& trust, UnixTime now) {
  if (report.signing_key == SnpSigningKey::kNone) return {};
  const Wanted wanted = WantedFor(report);
  CollateralNeed need{.what = wanted.what, .where = wanted.where, .problem = {}};
  const auto leaves = FindLeaves(report, brought, *trust.collateral);
  if (!leaves.ok()) {
    need.problem = leaves.error();
    return {std::move(need)};
  }
  for (const SnpLeaf& leaf : *leaves) {
    auto good = CheckLeaf(leaf, brought, trust, now);
    if (good.ok()) return {{.what = wanted.what, .where = wanted.where, .problem = {}}};
    if (!need.problem.has_value()) need.problem = std::move(good).error();
  }
  return {std::move(need)};
}

Result<ClaimSet> VerifySnpReport(const SnpReport& report, const std::vector<Certificate>& brought,
                                 const Trust& trust, const CollateralTime& time) {
  if (report.signing_key == SnpSigningKey::kNone)
    return Fail(Code::kEvidenceSignature, "the report says that nothing signed it");
  if (report.signing_key == SnpSigningKey::kVcek && report.ChipIdIsMasked())
    return Fail(Code::kEvidenceIdentity, "a report under a VCEK whose chip id is masked");
  // Of one chip and TCB there may be several certificates, of which some have expired.
  KC_ASSIGN(const std::vector<SnpLeaf> leaves, FindLeaves(report, brought, *trust.collateral));
  std::optional<Error> first;
  for (const SnpLeaf& leaf : leaves) {
    auto verified = VerifyUnder(leaf, report, brought, trust, time);
    if (verified.ok()) return SnpClaims(report, leaf.endorsement);
    if (!first.has_value()) first = std::move(verified).error();
  }
  return *std::move(first);
}

}  // namespace keyclave::attest
