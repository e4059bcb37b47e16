#include "attest/tpm/quote.h"

#include "attest/tpm/handles.h"
#include "attest/tpm/public_area.h"
#include "attest/tpm/registers.h"
#include "enclave/base/byte_reader.h"

namespace keyclave::attest::tpm {
namespace {

constexpr int kMaxQuotes = 10;

void Put(ByteWriter& writer, ByteSpan bytes) {
  writer.PutBe(static_cast<uint16_t>(bytes.size()));
  writer.Put(bytes);
}

// TPMT_SIGNATURE as it stands on the wire.
Result<Bytes> SignatureBytes(const TPMT_SIGNATURE& signature) {
  ByteWriter writer;
  writer.PutBe(signature.sigAlg);
  if (signature.sigAlg == TPM2_ALG_ECDSA) {
    const TPMS_SIGNATURE_ECDSA& ecdsa = signature.signature.ecdsa;
    writer.PutBe(ecdsa.hash);
    Put(writer, ByteSpan(ecdsa.signatureR.buffer, ecdsa.signatureR.size));
    Put(writer, ByteSpan(ecdsa.signatureS.buffer, ecdsa.signatureS.size));
  } else if (signature.sigAlg == TPM2_ALG_RSASSA || signature.sigAlg == TPM2_ALG_RSAPSS) {
    const TPMS_SIGNATURE_RSA& rsa = signature.signature.rsassa;  // RSAPSS looks the same
    writer.PutBe(rsa.hash);
    Put(writer, ByteSpan(rsa.sig.buffer, rsa.sig.size));
  } else {
    return Fail(Code::kIo, "the attestation key's scheme is none of ECDSA, RSASSA, RSAPSS");
  }
  return std::move(writer).Finish();
}

Result<HashAlgorithm> HashOf(const TPMT_SIGNATURE& signature) {
  switch (signature.signature.any.hashAlg) {
    case TPM2_ALG_SHA256: return HashAlgorithm::kSha256;
    case TPM2_ALG_SHA384: return HashAlgorithm::kSha384;
    case TPM2_ALG_SHA512: return HashAlgorithm::kSha512;
    default: return Fail(Code::kIo, "the attestation key's hash is none of the SHA-2 family");
  }
}

// One quote; absent if its digest is not that of the values read before it.
Result<std::optional<Evidence>> QuoteOnce(Connection& tpm, ESYS_TR key, const PcrSelection& pcrs,
                                          ByteSpan qualifying_data) {
  Evidence evidence;
  KC_ASSIGN(evidence.pcrs, ReadRegisters(tpm, pcrs));
  TPM2B_DATA data{};
  data.size = static_cast<UINT16>(std::min(qualifying_data.size(), sizeof data.buffer));
  std::copy_n(qualifying_data.begin(), data.size, data.buffer);
  TPMT_SIG_SCHEME scheme{};
  scheme.scheme = TPM2_ALG_NULL;  // the key's own
  const TPML_PCR_SELECTION selection = AsTss2(pcrs);
  Made<TPM2B_ATTEST> attest(tpm);
  Made<TPMT_SIGNATURE> signature(tpm);
  KC_CHECK_OK(tpm.Check(
      tpm.tss2().Esys_Quote(tpm.esys(), key, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &data,
                            &scheme, &selection, attest.Receive(), signature.Receive()),
      "Quote"));
  evidence.attest = ToBytes(ByteSpan(attest->attestationData, attest->size));
  KC_ASSIGN(evidence.signature, SignatureBytes(*signature));
  KC_ASSIGN(const HashAlgorithm hash, HashOf(*signature));
  const auto parsed = ParseAttest(evidence.attest);
  if (!parsed.ok()) return tpm.Fails("Quote: " + parsed.error().Text());
  if (!Equal(parsed->extra_data, qualifying_data))
    return tpm.Fails("Quote: the quote carries other qualifying data");
  KC_ASSIGN(const Bytes digest, PcrDigest(parsed->selections, evidence.pcrs, hash));
  if (!Equal(digest, parsed->pcr_digest)) return std::optional<Evidence>();
  return std::optional(std::move(evidence));
}

Result<Evidence> Quote(Connection& tpm, uint32_t handle, const PcrSelection& pcrs,
                       ByteSpan qualifying_data) {
  KC_ASSIGN(const OpenedKey key, OpenKey(tpm, handle));
  if (!IsAttestationKey(key.area))
    return tpm.Fails(HexHandle(handle) +
                     " is no attestation key: it must be restricted to "
                     "signing, and fixed to this TPM");
  KC_ASSIGN(const PublicKey public_key, KeyOf(key.area));
  for (int i = 0; i < kMaxQuotes; ++i) {
    KC_ASSIGN(std::optional<Evidence> made, QuoteOnce(tpm, key.handle, pcrs, qualifying_data));
    if (!made.has_value()) continue;
    made->key = public_key.spki();
    return *std::move(made);
  }
  return tpm.Fails("Quote: the registers change all the time");
}

}  // namespace

Result<Evidence> MakeQuote(const DeviceConfig& config, ByteSpan qualifying_data) {
  auto made = WithTpm(config, [&](Connection& tpm) -> Result<Evidence> {
    KC_ASSIGN(const PcrSelection pcrs, Select(config.pcrs));
    KC_ASSIGN(const bool has_key, Exists(tpm, config.key_handle));
    if (has_key) return Quote(tpm, config.key_handle, pcrs, qualifying_data);
    KC_ASSIGN(const bool azure, Exists(tpm, kAzureReport));
    if (!azure)
      return tpm.Fails("no attestation key at " + HexHandle(config.key_handle) +
                       ": keyclave evidence enroll-tpm makes one, tpm: key names another");
    KC_ASSIGN(Evidence evidence, Quote(tpm, kAzureKey, pcrs, qualifying_data));
    evidence.key.clear();
    KC_ASSIGN(evidence.hcl_report, ReadIndex(tpm, kAzureReport));
    return evidence;
  });
  return Because(Code::kEvidenceUnavailable, std::move(made));
}

}  // namespace keyclave::attest::tpm
