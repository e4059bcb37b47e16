#include "enclave/ctl/tpm_enrolment.h"

#include <algorithm>

#include "attest/tpm/enrolled_key.h"
#include "attest/tpm/padded.h"
#include "enclave/base/byte_reader.h"
#include "enclave/ctl/tpm_credential.h"

namespace keyclave::ctl {
namespace {

using attest::Certificate;

constexpr std::string_view kLabel = "keyclave/enroll-tpm/1";
constexpr size_t kSecretSize = 32;
constexpr size_t kPemLine = 64;  // characters
// tcg-kp-EKCertificate (TCG EK Credential Profile §3.2.16).
constexpr std::string_view kEndorsementKeyUse = "2.23.133.8.1";
constexpr unsigned kMaxPurposes = 32;

// A maker's authority certifies other things, too: only an endorsement key's certificate says that
// its key never leaves the TPM.
Status CheckUse(const Certificate& certificate) {
  unsigned critical = 0;
  const int authority = gnutls_x509_crt_get_ca_status(certificate.handle(), &critical);
  if (authority != 0 && authority != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
    return Fail(Code::kEvidenceChain, "an authority's certificate, not an endorsement key's");
  for (unsigned i = 0; i < kMaxPurposes; ++i) {
    ByteArray<128> oid{};
    size_t size = oid.size();
    if (gnutls_x509_crt_get_key_purpose_oid(certificate.handle(), i, oid.data(), &size, nullptr) !=
        0)
      break;
    const std::string_view text = AsText(ByteSpan(oid).first(size));
    if (text.substr(0, text.find('\0')) == kEndorsementKeyUse) return Done{};
  }
  return Fail(Code::kEvidenceChain,
              "the certificate is no endorsement key's: extended key usage has no "
              "tcg-kp-EKCertificate");
}

}  // namespace

Result<EnrollChallenged> Challenge(const EnrollRequest& request, const EnrollTrust& trust) {
  KC_ASSIGN(const Certificate ek, attest::tpm::ParsePadded(request.ek_certificate));
  const auto path = BuildPath(ek, trust.intermediates, trust.roots,
                              {.now = trust.now, .ignore_unknown_critical = true});
  if (!path.ok()) return path.error().In("certificate of the endorsement key");
  KC_CHECK_OK(CheckUse(ek));
  KC_ASSIGN(const attest::tpm::EnrolledKey ak, attest::tpm::ParseEnrolledArea(request.area));
  KC_ASSIGN(const attest::tpm::EkKind kind, EkKindOf(ek.key()));
  SecretBytes secret(kSecretSize);
  RandomFill(secret.ExposeMutable(SecretAccess{}));
  EnrollChallenged made;
  KC_ASSIGN(made.challenge.credential, MakeCredential(ek.key(), ak.name, secret));
  made.challenge.kind = ToBytes(attest::tpm::EkKindName(kind));
  made.kept = {.proof = ProofOf(secret), .key = ak.key.spki()};
  made.ek_subject = ek.SubjectText();
  return made;
}

ByteArray<32> ProofOf(const SecretBytes& secret) {
  ByteWriter writer;
  writer.PutPrefixed(AsBytes(kLabel));
  writer.PutPrefixed(secret.Expose(SecretAccess{}));
  return Sha256(writer.bytes());
}

Result<std::string> Accept(const EnrollKept& kept, const EnrollAnswer& answer) {
  if (!EqualConstantTime(kept.proof, answer.proof))
    return Fail(Code::kEvidenceIdentity,
                "this is not the answer to that challenge: another TPM's, or another challenge's");
  KC_ASSIGN(const attest::PublicKey key, attest::PublicKey::FromSpki(kept.key));
  const std::string base64 = ToBase64(key.spki());
  std::string pem = "-----BEGIN PUBLIC KEY-----\n";
  for (size_t i = 0; i < base64.size(); i += kPemLine) pem += base64.substr(i, kPemLine) + "\n";
  return pem + "-----END PUBLIC KEY-----\n";
}

}  // namespace keyclave::ctl
