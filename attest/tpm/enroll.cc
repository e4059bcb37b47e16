#include "attest/tpm/enroll.h"

#include "attest/tpm/enrolled_key.h"
#include "attest/tpm/handles.h"
#include "attest/tpm/public_area.h"

namespace keyclave::attest::tpm {
namespace {

// TCG EK Credential Profile for TPM Family 2.0, Annex B.
struct EkTemplate {
  EkKind kind;
  std::string_view name;
  uint32_t certificate;  // NV index
  TPM2_ALG_ID type;
  TPM2_ALG_ID hash;
  TPM2_ECC_CURVE curve;
  UINT16 size;  // of `unique`, bytes, zero
  UINT16 aes_bits;
  std::string_view policy;  // hexadecimal
  bool with_password;       // userWithAuth: the empty password opens it as well as the policy
};
// PolicySecret(TPM_RH_ENDORSEMENT); PolicyB of SHA-384.
constexpr std::string_view kPolicyA =
    "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa";
constexpr std::string_view kPolicyB =
    "b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e"
    "12";
// In the order in which they are looked for.
constexpr EkTemplate kTemplates[] = {
    {EkKind::kP256, "p256", 0x01c0'000a, TPM2_ALG_ECC, TPM2_ALG_SHA256, TPM2_ECC_NIST_P256, 32, 128,
     kPolicyA, false},
    {EkKind::kRsa2048, "rsa2048", 0x01c0'0002, TPM2_ALG_RSA, TPM2_ALG_SHA256, TPM2_ECC_NONE, 256,
     128, kPolicyA, false},
    {EkKind::kP384, "p384", 0x01c0'0016, TPM2_ALG_ECC, TPM2_ALG_SHA384, TPM2_ECC_NIST_P384, 0, 256,
     kPolicyB, true},
};

const EkTemplate& TemplateOf(EkKind kind) {
  for (const EkTemplate& row : kTemplates) {
    if (row.kind == kind) return row;
  }
  return kTemplates[0];
}

Result<TPM2B_PUBLIC> EkArea(const EkTemplate& row) {
  TPM2B_PUBLIC made{};
  TPMT_PUBLIC& area = made.publicArea;
  area.type = row.type;
  area.nameAlg = row.hash;
  area.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                          TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_ADMINWITHPOLICY |
                          TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT |
                          (row.with_password ? TPMA_OBJECT_USERWITHAUTH : 0);
  KC_ASSIGN(const Bytes policy, FromHex(row.policy));
  std::copy(policy.begin(), policy.end(), area.authPolicy.buffer);
  area.authPolicy.size = static_cast<UINT16>(policy.size());
  TPMT_SYM_DEF_OBJECT symmetric{};
  symmetric.algorithm = TPM2_ALG_AES;
  symmetric.keyBits.aes = row.aes_bits;
  symmetric.mode.aes = TPM2_ALG_CFB;
  if (row.type == TPM2_ALG_RSA) {
    TPMS_RSA_PARMS& rsa = area.parameters.rsaDetail;
    rsa.symmetric = symmetric;
    rsa.scheme.scheme = TPM2_ALG_NULL;
    rsa.keyBits = 2048;
    area.unique.rsa.size = row.size;
  } else {
    TPMS_ECC_PARMS& ecc = area.parameters.eccDetail;
    ecc.symmetric = symmetric;
    ecc.scheme.scheme = TPM2_ALG_NULL;
    ecc.curveID = row.curve;
    ecc.kdf.scheme = TPM2_ALG_NULL;
    area.unique.ecc.x.size = row.size;
    area.unique.ecc.y.size = row.size;
  }
  return made;
}

// The same template gives the certified key: it is derived from the TPM's endorsement seed.
Status MakeEndorsementKey(Connection& tpm, const EkTemplate& row, Transient& key) {
  KC_ASSIGN(const TPM2B_PUBLIC wanted, EkArea(row));
  return MakePrimary(tpm, ESYS_TR_RH_ENDORSEMENT, wanted, "endorsement key", key);
}

// A session that may use the endorsement key once.
Status StartEndorsementSession(Connection& tpm, Transient& session) {
  KC_CHECK_OK(StartSession(tpm, SessionKind::kPolicy, ESYS_TR_NONE, kPlain, session));
  Made<TPM2B_TIMEOUT> timeout(tpm);
  Made<TPMT_TK_AUTH> ticket(tpm);
  return tpm.Check(
      tpm.tss2().Esys_PolicySecret(tpm.esys(), ESYS_TR_RH_ENDORSEMENT, session.get(),
                                   ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, nullptr, nullptr,
                                   nullptr, 0, timeout.Receive(), ticket.Receive()),
      "PolicySecret");
}

// By the policy, or the password, whichever the template has.
class EndorsementUse {
 public:
  explicit EndorsementUse(Connection& tpm) : tpm_(tpm), session_(tpm) {}
  Status Start(const EkTemplate& row) {
    return row.with_password ? Status(Done{}) : StartEndorsementSession(tpm_, session_);
  }
  ESYS_TR get() const {
    return session_.get() == ESYS_TR_NONE ? ESYS_TR{ESYS_TR_PASSWORD} : session_.get();
  }

 private:
  Connection& tpm_;
  Transient session_;
};

TPM2B_PUBLIC AttestationTemplate() {
  TPM2B_PUBLIC made{};
  TPMT_PUBLIC& area = made.publicArea;
  area.type = TPM2_ALG_ECC;
  area.nameAlg = TPM2_ALG_SHA256;
  area.objectAttributes = kEnrolledAttributes;
  TPMS_ECC_PARMS& ecc = area.parameters.eccDetail;
  ecc.symmetric.algorithm = TPM2_ALG_NULL;
  ecc.scheme.scheme = TPM2_ALG_ECDSA;
  ecc.scheme.details.ecdsa.hashAlg = TPM2_ALG_SHA256;
  ecc.curveID = TPM2_ECC_NIST_P256;
  ecc.kdf.scheme = TPM2_ALG_NULL;
  return made;
}

// Under the endorsement key, not the owner's hierarchy: there a TPM hides its counters and firmware
// version in what the key signs.
Status CreateAttestationKey(Connection& tpm, const EkTemplate& row, uint32_t handle) {
  const Tss2& tss2 = tpm.tss2();
  Transient endorsement_key(tpm);
  KC_CHECK_OK(MakeEndorsementKey(tpm, row, endorsement_key));
  const TPM2B_PUBLIC wanted = AttestationTemplate();
  const TPM2B_SENSITIVE_CREATE sensitive{};
  const TPM2B_DATA outside{};
  const TPML_PCR_SELECTION registers{};
  Made<TPM2B_PRIVATE> private_part(tpm);
  Made<TPM2B_PUBLIC> area(tpm);
  Made<TPM2B_CREATION_DATA> data(tpm);
  Made<TPM2B_DIGEST> hash(tpm);
  Made<TPMT_TK_CREATION> ticket(tpm);
  EndorsementUse creating(tpm);
  KC_CHECK_OK(creating.Start(row));
  KC_CHECK_OK(tpm.Check(tss2.Esys_Create(tpm.esys(), endorsement_key.get(), creating.get(),
                                         ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, &wanted, &outside,
                                         &registers, private_part.Receive(), area.Receive(),
                                         data.Receive(), hash.Receive(), ticket.Receive()),
                        "Create (attestation key)"));
  EndorsementUse loading(tpm);
  KC_CHECK_OK(loading.Start(row));
  Transient key(tpm);
  KC_CHECK_OK(
      tpm.Check(tss2.Esys_Load(tpm.esys(), endorsement_key.get(), loading.get(), ESYS_TR_NONE,
                               ESYS_TR_NONE, &*private_part, &*area, key.Receive()),
                "Load (attestation key)"));
  ESYS_TR persistent = ESYS_TR_NONE;
  return tpm.Check(tss2.Esys_EvictControl(tpm.esys(), ESYS_TR_RH_OWNER, key.get(), ESYS_TR_PASSWORD,
                                          ESYS_TR_NONE, ESYS_TR_NONE, handle, &persistent),
                   "EvictControl " + HexHandle(handle));
}

Result<Bytes> ReadAttestationKey(Connection& tpm, uint32_t handle) {
  KC_ASSIGN(const OpenedKey key, OpenKey(tpm, handle));
  const TPMS_ECC_POINT& point = key.area.unique.ecc;
  Bytes made;
  if (key.area.type == TPM2_ALG_ECC)
    made = EnrolledArea(ByteSpan(point.x.buffer, point.x.size),
                        ByteSpan(point.y.buffer, point.y.size));
  const auto parsed = ParseEnrolledArea(made);
  // The name tells a key of any other kind.
  if (!parsed.ok() || !Equal(parsed->name, key.name))
    return tpm.Fails(HexHandle(handle) +
                     " holds another key than enrolment makes: choose another "
                     "handle (tpm: key), or remove it (tpm2_evictcontrol)");
  return made;
}

// The certificate that the TPM's maker left there, and which of the kinds it is of.
Result<Endorsed> FindCertificate(Connection& tpm, std::optional<EkKind> kind) {
  std::string looked_for;
  for (const EkTemplate& row : kTemplates) {
    if (kind.value_or(row.kind) != row.kind) continue;
    looked_for.append(looked_for.empty() ? "" : ", ").append(HexHandle(row.certificate));
    KC_ASSIGN(const bool there, Exists(tpm, row.certificate));
    if (!there) continue;
    Endorsed found;
    found.kind = row.kind;
    KC_ASSIGN(found.certificate, ReadIndex(tpm, row.certificate));
    return found;
  }
  return tpm.Fails("it has no certificate of its endorsement key (NV " + looked_for + ")");
}

}  // namespace

std::string_view EkKindName(EkKind kind) { return TemplateOf(kind).name; }

Result<Endorsed> MakeAttestationKey(const DeviceConfig& config, std::optional<EkKind> kind) {
  auto made = WithTpm(config, [&](Connection& tpm) -> Result<Endorsed> {
    KC_ASSIGN(Endorsed endorsed, FindCertificate(tpm, kind));
    KC_ASSIGN(const bool there, Exists(tpm, config.key_handle));
    if (!there)
      KC_CHECK_OK(CreateAttestationKey(tpm, TemplateOf(endorsed.kind), config.key_handle));
    KC_ASSIGN(endorsed.area, ReadAttestationKey(tpm, config.key_handle));
    return endorsed;
  });
  return Because(Code::kEvidenceUnavailable, std::move(made));
}

Result<SecretBytes> ActivateCredential(const DeviceConfig& config, EkKind kind,
                                       const Credential& credential) {
  TPM2B_ID_OBJECT identity{};
  TPM2B_ENCRYPTED_SECRET secret{};
  if (credential.identity.size() > sizeof identity.credential ||
      credential.secret.size() > sizeof secret.secret)
    return Fail(Code::kEvidenceUnavailable, "the credential is too long");
  std::copy(credential.identity.begin(), credential.identity.end(), identity.credential);
  identity.size = static_cast<UINT16>(credential.identity.size());
  std::copy(credential.secret.begin(), credential.secret.end(), secret.secret);
  secret.size = static_cast<UINT16>(credential.secret.size());
  auto answer = WithTpm(config, [&](Connection& tpm) -> Result<SecretBytes> {
    ESYS_TR key = ESYS_TR_NONE;
    KC_CHECK_OK(OpenHandle(tpm, config.key_handle, key));
    const EkTemplate& row = TemplateOf(kind);
    Transient endorsement_key(tpm);
    KC_CHECK_OK(MakeEndorsementKey(tpm, row, endorsement_key));
    EndorsementUse use(tpm);
    KC_CHECK_OK(use.Start(row));
    Made<TPM2B_DIGEST> opened(tpm);
    const auto activated =
        tpm.Check(tpm.tss2().Esys_ActivateCredential(tpm.esys(), key, endorsement_key.get(),
                                                     ESYS_TR_PASSWORD, use.get(), ESYS_TR_NONE,
                                                     &identity, &secret, opened.Receive()),
                  "ActivateCredential");
    if (!activated.ok() && !tpm.busy())
      return activated.error().In(
          "the challenge was damaged, or made for another TPM or another attestation key");
    KC_CHECK_OK(activated);
    return SecretBytes::Take(
        std::span(opened->buffer, std::min<size_t>(opened->size, sizeof opened->buffer)));
  });
  return Because(Code::kEvidenceUnavailable, std::move(answer));
}

}  // namespace keyclave::attest::tpm
