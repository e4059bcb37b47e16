#include "attest/tpm/registers.h"
#include "attest/tpm/sealed_secret.h"

namespace keyclave::attest::tpm {
namespace {

constexpr size_t kMaxSecret = 128;  // bytes: MAX_SYM_DATA, what every TPM seals

// Copies what must fit: its size was checked.
template <size_t N>
void Fill(BYTE (&buffer)[N], UINT16& size, ByteSpan bytes) {
  const size_t count = std::min(bytes.size(), N);
  std::copy_n(bytes.begin(), count, buffer);
  size = static_cast<UINT16>(count);
}

// The storage primary key (TCG TPM v2.0 Provisioning Guidance §7.5.1, ECC P-256). The same template
// gives the same key as long as nobody clears the TPM, so it need not be kept.
TPM2B_PUBLIC StorageTemplate() {
  TPM2B_PUBLIC made{};
  TPMT_PUBLIC& area = made.publicArea;
  area.type = TPM2_ALG_ECC;
  area.nameAlg = TPM2_ALG_SHA256;
  area.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                          TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
                          TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;
  TPMS_ECC_PARMS& ecc = area.parameters.eccDetail;
  ecc.symmetric.algorithm = TPM2_ALG_AES;
  ecc.symmetric.keyBits.aes = 128;
  ecc.symmetric.mode.aes = TPM2_ALG_CFB;
  ecc.scheme.scheme = TPM2_ALG_NULL;
  ecc.curveID = TPM2_ECC_NIST_P256;
  ecc.kdf.scheme = TPM2_ALG_NULL;
  area.unique.ecc.x.size = 32;
  area.unique.ecc.y.size = 32;
  return made;
}

// Without userWithAuth, the policy is the only way in; fixed, it leaves neither parent nor TPM.
TPM2B_PUBLIC SealedTemplate(ByteSpan policy) {
  TPM2B_PUBLIC made{};
  TPMT_PUBLIC& area = made.publicArea;
  area.type = TPM2_ALG_KEYEDHASH;
  area.nameAlg = TPM2_ALG_SHA256;
  area.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_NODA;
  Fill(area.authPolicy.buffer, area.authPolicy.size, policy);
  area.parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL;
  return made;
}

Status MakeStorageKey(Connection& tpm, Transient& key) {
  return MakePrimary(tpm, ESYS_TR_RH_OWNER, StorageTemplate(), "storage key", key);
}

// The secret goes to the TPM encrypted; neither does the library keep it longer than the call.
Status Create(Connection& tpm, const SecretBytes& secret, SealedSecret& sealed) {
  Transient storage_key(tpm);
  KC_CHECK_OK(MakeStorageKey(tpm, storage_key));
  Transient session(tpm);
  KC_CHECK_OK(StartSession(tpm, SessionKind::kHmac, storage_key.get(), kBothEncrypted, session));
  KC_ASSIGN(const ByteArray<32> policy, PolicyOf(sealed.selection, sealed.values));
  const TPM2B_PUBLIC wanted = SealedTemplate(policy);
  const TPM2B_DATA outside{};
  const TPML_PCR_SELECTION registers{};
  TPM2B_SENSITIVE_CREATE sensitive{};
  TPM2B_SENSITIVE_DATA& data = sensitive.sensitive.data;
  Fill(data.buffer, data.size, secret.Expose(SecretAccess{}));
  Made<TPM2B_PRIVATE> private_part(tpm);
  Made<TPM2B_PUBLIC> area(tpm);
  Made<TPM2B_CREATION_DATA> creation(tpm);
  Made<TPM2B_DIGEST> hash(tpm);
  Made<TPMT_TK_CREATION> ticket(tpm);
  const TSS2_RC answer = tpm.tss2().Esys_Create(
      tpm.esys(), storage_key.get(), session.get(), ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, &wanted,
      &outside, &registers, private_part.Receive(), area.Receive(), creation.Receive(),
      hash.Receive(), ticket.Receive());
  Wipe(data.buffer);
  KC_CHECK_OK(tpm.Check(answer, "Create"));
  const TPM2B_DIGEST& unique = area->publicArea.unique.keyedHash;
  if (area->publicArea.type != TPM2_ALG_KEYEDHASH || unique.size != sealed.unique.size())
    return tpm.Fails("Create: it made another object than it was asked for");
  std::copy_n(unique.buffer, sealed.unique.size(), sealed.unique.begin());
  sealed.private_part = ToBytes(ByteSpan(private_part->buffer, private_part->size));
  return Done{};
}

// Names each register that has another value now. The TPM checks for itself; this is for people.
Status CheckRegisters(Connection& tpm, const SealedSecret& sealed) {
  KC_ASSIGN(const PcrValues now, ReadRegisters(tpm, sealed.selection));
  const Bank* bank = FindBank(sealed.selection.bank);
  const std::string bank_name(bank == nullptr ? "?" : bank->name);
  std::string differing;
  for (const unsigned index : sealed.selection.registers) {
    const Bytes& wanted = sealed.values.at(sealed.selection.bank).at(index);
    const Bytes& got = now.at(sealed.selection.bank).at(index);
    if (Equal(wanted, got)) continue;
    differing.append(differing.empty() ? "" : "; ")
        .append("PCR " + std::to_string(index) + " (" + bank_name + "): wanted " + ToHex(wanted))
        .append(", got " + ToHex(got));
  }
  if (differing.empty()) return Done{};
  return Fail(Code::kSealingKeyUnavailable,
              "the machine is in another state than at sealing: " + differing);
}

Status StartPolicySession(Connection& tpm, ESYS_TR salt_key, const PcrSelection& selection,
                          Transient& session) {
  KC_CHECK_OK(StartSession(tpm, SessionKind::kPolicy, salt_key, TPMA_SESSION_ENCRYPT, session));
  const TPM2B_DIGEST as_they_are{};
  const TPML_PCR_SELECTION registers = AsTss2(selection);
  return tpm.Check(tpm.tss2().Esys_PolicyPCR(tpm.esys(), session.get(), ESYS_TR_NONE, ESYS_TR_NONE,
                                             ESYS_TR_NONE, &as_they_are, &registers),
                   "PolicyPCR");
}

Result<SecretBytes> Open(Connection& tpm, const SealedSecret& sealed) {
  KC_CHECK_OK(CheckRegisters(tpm, sealed));
  KC_ASSIGN(const ByteArray<32> policy, PolicyOf(sealed.selection, sealed.values));
  Transient storage_key(tpm);
  KC_CHECK_OK(MakeStorageKey(tpm, storage_key));
  TPM2B_PUBLIC area = SealedTemplate(policy);
  Fill(area.publicArea.unique.keyedHash.buffer, area.publicArea.unique.keyedHash.size,
       sealed.unique);
  TPM2B_PRIVATE private_part{};
  if (sealed.private_part.size() > sizeof private_part.buffer)
    return Fail(Code::kMalformed, "the private part is too long");
  Fill(private_part.buffer, private_part.size, sealed.private_part);
  Transient object(tpm);
  const Tss2& tss2 = tpm.tss2();
  const auto loaded =
      tpm.Check(tss2.Esys_Load(tpm.esys(), storage_key.get(), ESYS_TR_PASSWORD, ESYS_TR_NONE,
                               ESYS_TR_NONE, &private_part, &area, object.Receive()),
                "Load");
  if (!loaded.ok() && !tpm.busy())
    return loaded.error().In(
        "the sealed secret was damaged, or sealed by another TPM or before this one was cleared");
  KC_CHECK_OK(loaded);
  Transient session(tpm);
  KC_CHECK_OK(StartPolicySession(tpm, storage_key.get(), sealed.selection, session));
  Made<TPM2B_SENSITIVE_DATA> data(tpm);
  const auto opened = tpm.Check(tss2.Esys_Unseal(tpm.esys(), object.get(), session.get(),
                                                 ESYS_TR_NONE, ESYS_TR_NONE, data.Receive()),
                                "Unseal");
  if (!opened.ok()) {
    KC_CHECK_OK(CheckRegisters(tpm, sealed));  // they may have changed just now
    return opened.error();
  }
  return SecretBytes::Take(
      std::span(data->buffer, std::min<size_t>(data->size, sizeof data->buffer)));
}

}  // namespace

Result<Bytes> Seal(const DeviceConfig& config, const PcrChoice& pcrs, const SecretBytes& secret) {
  if (secret.empty() || secret.size() > kMaxSecret)
    return FailWanted(Code::kInvalidArgument, "secret to seal", "1 to 128 bytes",
                      std::to_string(secret.size()) + " bytes");
  SealedSecret sealed;
  KC_ASSIGN(sealed.selection, Select(pcrs));
  auto made = WithTpm(config, [&](Connection& tpm) -> Result<Bytes> {
    KC_ASSIGN(sealed.values, ReadRegisters(tpm, sealed.selection));
    KC_CHECK_OK(Create(tpm, secret, sealed));
    return EncodeSealedSecret(sealed);
  });
  return Because(Code::kSealingKeyUnavailable, std::move(made));
}

Result<SecretBytes> Unseal(const DeviceConfig& config, ByteSpan sealed) {
  auto parsed = ParseSealedSecret(sealed);
  if (!parsed.ok())
    return Fail(Code::kMalformed, "secret sealed by a TPM: " + parsed.error().Text());
  return Because(Code::kSealingKeyUnavailable,
                 WithTpm(config, [&](Connection& tpm) { return Open(tpm, *parsed); }));
}

}  // namespace keyclave::attest::tpm
