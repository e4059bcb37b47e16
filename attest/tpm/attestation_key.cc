#include "attest/tpm/attestation_key.h"

#include "attest/tpm/hardware.h"

namespace keyclave::attest::tpm {
namespace {

constexpr std::string_view kType = "tpm";
// tcg-kp-AIKCertificate (TCG EK Credential Profile §3.2.16, and the TPM 2.0 AK's own profile).
constexpr std::string_view kAttestationKeyUse = "2.23.133.8.3";
constexpr unsigned kMaxPurposes = 32;

// The purposes that extKeyUsage lists; empty if it is absent.
Result<std::vector<std::string>> Purposes(const Certificate& certificate) {
  std::vector<std::string> purposes;
  for (unsigned i = 0; i < kMaxPurposes; ++i) {
    ByteArray<128> oid{};
    size_t size = oid.size();
    const int code =
        gnutls_x509_crt_get_key_purpose_oid(certificate.handle(), i, oid.data(), &size, nullptr);
    if (code == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) return purposes;
    if (code != 0) break;
    const std::string_view text = AsText(ByteSpan(oid).first(size));
    purposes.emplace_back(text.substr(0, text.find('\0')));
  }
  return Fail(Code::kEvidenceChain, "extended key usage");
}

// Roots of TPM makers also issue certificates for other keys (endorsement keys, authorities), and
// an operator's own root may do anything. None of those keys is bound to sign only what a TPM says.
Status CheckUse(const Certificate& certificate) {
  const auto refuse = [&](const std::string& why) {
    return Fail(Code::kEvidenceChain, certificate.SubjectText() + ": " + why);
  };
  unsigned critical = 0;
  const int authority = gnutls_x509_crt_get_ca_status(certificate.handle(), &critical);
  if (authority != 0 && authority != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
    return refuse("an authority's certificate, not an attestation key's");
  unsigned usage = 0;
  if (gnutls_x509_crt_get_key_usage(certificate.handle(), &usage, &critical) != 0 ||
      (usage & GNUTLS_KEY_DIGITAL_SIGNATURE) == 0)
    return refuse("key usage has no digitalSignature");
  KC_ASSIGN(const std::vector<std::string> purposes, Purposes(certificate));
  // Google's have no list of purposes.
  if (!purposes.empty() &&
      std::find(purposes.begin(), purposes.end(), kAttestationKeyUse) == purposes.end())
    return refuse("extended key usage has no tcg-kp-AIKCertificate");
  return Done{};
}

// TPM makers' lists are not asked for; those that the operator has count.
Status CheckKnownLists(const CertificatePath& path, const VerifyContext& context) {
  const auto& lists = context.trust.collateral->revocation_lists();
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    const bool known = std::any_of(lists.begin(), lists.end(), [&](const RevocationList& list) {
      return Equal(list.issuer(), path[i].issuer());
    });
    if (known) KC_CHECK_OK(CheckRevocation({path[i], path[i + 1]}, lists, context.CollateralAt()));
  }
  return Done{};
}

Status CheckSame(const ParsedEvidence& evidence, const PublicKey& vouched) {
  if (!evidence.key.has_value() || Equal(evidence.key->spki(), vouched.spki())) return Done{};
  return FailWanted(Code::kEvidenceIdentity, "attestation key", ToHex(Sha256(vouched.spki())),
                    ToHex(Sha256(evidence.key->spki())));
}

Result<AttestationKey> TrustCertificate(const ParsedEvidence& evidence,
                                        const VerifyContext& context) {
  const Certificate& certificate = *evidence.certificate;
  std::vector<Certificate> intermediates = evidence.chain;
  const auto& others = context.trust.collateral->certificates();
  intermediates.insert(intermediates.end(), others.begin(), others.end());
  KC_ASSIGN(const CertificatePath path,
            BuildPath(certificate, intermediates, context.trust.RootsFor(kType),
                      {.now = context.now, .ignore_unknown_critical = true}));
  KC_CHECK_OK(CheckUse(certificate));
  KC_CHECK_OK(CheckKnownLists(path, context));
  KC_CHECK_OK(CheckSame(evidence, certificate.key()));
  ClaimSet claims;
  claims.Set("tpm.ak_subject", certificate.SubjectText());
  return AttestationKey{certificate.key(), std::move(claims)};
}

Result<AttestationKey> TrustEnrolled(const ParsedEvidence& evidence, const VerifyContext& context) {
  const auto enrolled = context.trust.keys.find(kType);
  if (evidence.key.has_value() && enrolled != context.trust.keys.end()) {
    for (const Bytes& spki : enrolled->second) {
      if (Equal(spki, evidence.key->spki())) return AttestationKey{*evidence.key, ClaimSet()};
    }
  }
  return Fail(Code::kEvidenceChain,
              "the attestation key has no certificate and is not enrolled: " +
                  (evidence.key.has_value() ? ToHex(Sha256(evidence.key->spki())) : "no key"));
}

}  // namespace

Result<AttestationKey> TrustKey(const ParsedEvidence& evidence, const VerifyContext& context) {
  return evidence.certificate.has_value() ? TrustCertificate(evidence, context)
                                          : TrustEnrolled(evidence, context);
}

Result<AttestationKey> TrustHclKey(const ParsedEvidence& evidence, const VerifyContext& context) {
  const HclReport& hcl = *evidence.hcl_report;
  const bool tdx = hcl.type == HclType::kTdx;
  // The TDREPORT inside can be checked only on its own machine.
  if (tdx && evidence.raw.td_quote.empty())
    return Fail(Code::kEvidenceSignature, "a TD report without its quote");
  auto hardware = tdx ? VerifyTdx(evidence.raw.td_quote, context)
                      : VerifySnp(hcl.hardware_report, evidence.hardware_chain, context);
  if (!hardware.ok()) return hardware.error().In("hardware report");
  KC_CHECK_OK(CheckRuntimeData(hcl, hardware->report_data));
  KC_CHECK_OK(CheckSame(evidence, hcl.attestation_key));
  ClaimSet claims = std::move(hardware->claims);
  for (const auto& [name, claim] : hcl.configuration) claims.Set(name, claim.value, claim.origin);
  return AttestationKey{hcl.attestation_key, std::move(claims)};
}

}  // namespace keyclave::attest::tpm
