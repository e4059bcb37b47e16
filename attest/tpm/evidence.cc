#include "attest/tpm/evidence.h"

#include "attest/tpm/padded.h"
#include "enclave/base/cbor.h"

namespace keyclave::attest::tpm {
namespace {

constexpr std::string_view kLabel = "keyclave/tpm/1";
constexpr uint64_t kLabelField = 1;
constexpr uint64_t kFields = 10;
constexpr size_t kMaxKey = 1024;
constexpr size_t kMaxCertificate = 8192;
constexpr uint64_t kMaxChain = 8;
constexpr size_t kMaxQuote = size_t{32} << 10;
constexpr uint64_t kMaxBanks = 16;
constexpr uint64_t kMaxRegisters = 32;
constexpr size_t kMaxValue = 64;

Status TakeBytes(CborReader& reader, size_t max, Bytes* bytes) {
  KC_ASSIGN(const ByteSpan taken, reader.ByteString(max));
  if (taken.empty()) return Fail(Code::kMalformed, "a field is there, but empty");
  *bytes = ToBytes(taken);
  return Done{};
}

Status TakeList(CborReader& reader, std::vector<Bytes>* list) {
  KC_ASSIGN(const uint64_t count, reader.Array(kMaxChain));
  if (count == 0) return Fail(Code::kMalformed, "a list is there, but empty");
  for (uint64_t i = 0; i < count; ++i) {
    Bytes one;
    KC_CHECK_OK(TakeBytes(reader, kMaxCertificate, &one));
    list->push_back(std::move(one));
  }
  return Done{};
}

// A key of a map that is above the one before it.
Result<uint64_t> NextKey(CborReader& reader, std::optional<uint64_t>& last, uint64_t max) {
  KC_ASSIGN(const uint64_t key, reader.Uint());
  if (key > max || (last.has_value() && key <= *last))
    return Fail(Code::kMalformed, "unexpected field " + std::to_string(key));
  last = key;
  return key;
}

Status TakeRegisters(CborReader& reader, const Bank& bank, std::map<unsigned, Bytes>* registers) {
  KC_ASSIGN(const uint64_t count, reader.Map(kMaxRegisters));
  std::optional<uint64_t> last;
  for (uint64_t i = 0; i < count; ++i) {
    KC_ASSIGN(const uint64_t index, NextKey(reader, last, kMaxRegisters - 1));
    Bytes value;
    KC_CHECK_OK(TakeBytes(reader, kMaxValue, &value));
    if (value.size() != bank.size)
      return Fail(Code::kMalformed, "a PCR value of another length than its bank's");
    registers->emplace(static_cast<unsigned>(index), std::move(value));
  }
  return Done{};
}

Status TakePcrs(CborReader& reader, PcrValues* pcrs) {
  KC_ASSIGN(const uint64_t count, reader.Map(kMaxBanks));
  if (count == 0) return Fail(Code::kMalformed, "PCR values are there, but empty");
  std::optional<uint64_t> last;
  for (uint64_t i = 0; i < count; ++i) {
    KC_ASSIGN(const uint64_t id, NextKey(reader, last, UINT16_MAX));
    const Bank* bank = FindBank(static_cast<uint16_t>(id));
    if (bank == nullptr) return Fail(Code::kMalformed, "a PCR bank is not known");
    KC_CHECK_OK(TakeRegisters(reader, *bank, &(*pcrs)[bank->id]));
  }
  return Done{};
}

Status TakeField(CborReader& reader, uint64_t field, Evidence* evidence) {
  switch (field) {
    case 2: return TakeBytes(reader, kMaxAttest, &evidence->attest);
    case 3: return TakeBytes(reader, kMaxSignature, &evidence->signature);
    case 4: return TakePcrs(reader, &evidence->pcrs);
    case 5: return TakeBytes(reader, kMaxKey, &evidence->key);
    case 6: return TakeBytes(reader, kMaxCertificate, &evidence->certificate);
    case 7: return TakeList(reader, &evidence->chain);
    case 8: return TakeBytes(reader, kMaxHclReport, &evidence->hcl_report);
    case 9: return TakeList(reader, &evidence->hardware_chain);
    case 10: return TakeBytes(reader, kMaxQuote, &evidence->td_quote);
    default: return Fail(Code::kMalformed, "unexpected field " + std::to_string(field));
  }
}

Result<Evidence> Decode(ByteSpan bytes) {
  CborReader reader(bytes);
  KC_ASSIGN(const uint64_t count, reader.Map(kFields));
  std::optional<uint64_t> last;
  Evidence evidence;
  for (uint64_t i = 0; i < count; ++i) {
    KC_ASSIGN(const uint64_t field, NextKey(reader, last, kFields));
    if ((i == 0) != (field == kLabelField)) return Fail(Code::kMalformed, "the label is missing");
    if (field != kLabelField) {
      KC_CHECK_OK(TakeField(reader, field, &evidence));
      continue;
    }
    KC_ASSIGN(const std::string_view label, reader.Text(kLabel.size()));
    if (label != kLabel) return Fail(Code::kMalformed, "not evidence of this version");
  }
  KC_CHECK_OK(reader.ExpectEnd());
  if (evidence.attest.empty() || evidence.signature.empty())
    return Fail(Code::kMalformed, "quote or signature is missing");
  return evidence;
}

Result<std::vector<Certificate>> ParseAll(const std::vector<Bytes>& list) {
  std::vector<Certificate> certificates;
  for (const Bytes& one : list) {
    KC_ASSIGN(Certificate certificate, ParsePadded(one));
    certificates.push_back(std::move(certificate));
  }
  return certificates;
}

// What belongs to one way of trusting the key, and not to the others.
Status CheckParts(const Evidence& raw) {
  const bool azure = !raw.hcl_report.empty();
  if (azure && !raw.certificate.empty())
    return Fail(Code::kMalformed, "both a certificate and an HCL report for the key");
  if (raw.certificate.empty() && !raw.chain.empty())
    return Fail(Code::kMalformed, "a chain without a certificate");
  if (!azure && (!raw.hardware_chain.empty() || !raw.td_quote.empty()))
    return Fail(Code::kMalformed, "a hardware report's parts without an HCL report");
  if (!azure && raw.certificate.empty() && raw.key.empty())
    return Fail(Code::kMalformed, "nothing names the attestation key");
  return Done{};
}

Result<ParsedEvidence> Understand(Evidence raw) {
  KC_CHECK_OK(CheckParts(raw));
  ParsedEvidence parsed;
  KC_ASSIGN(parsed.attest, ParseAttest(raw.attest));
  KC_ASSIGN(parsed.signature, ParseSignature(raw.signature));
  if (!raw.key.empty()) {
    KC_ASSIGN(parsed.key, PublicKey::FromSpki(raw.key));
  }
  if (!raw.certificate.empty()) {
    KC_ASSIGN(parsed.certificate, ParsePadded(raw.certificate));
  }
  KC_ASSIGN(parsed.chain, ParseAll(raw.chain));
  if (!raw.hcl_report.empty()) {
    KC_ASSIGN(parsed.hcl_report, ParseHclReport(raw.hcl_report));
  }
  KC_ASSIGN(parsed.hardware_chain, ParseAll(raw.hardware_chain));
  parsed.raw = std::move(raw);
  return parsed;
}

void PutList(CborWriter& writer, uint64_t field, const std::vector<Bytes>& list) {
  if (list.empty()) return;
  writer.Uint(field);
  writer.Array(list.size());
  for (const Bytes& one : list) writer.ByteString(one);
}

void PutBytes(CborWriter& writer, uint64_t field, const Bytes& bytes) {
  if (bytes.empty()) return;
  writer.Uint(field);
  writer.ByteString(bytes);
}

void PutPcrs(CborWriter& writer, const PcrValues& pcrs) {
  if (pcrs.empty()) return;
  writer.Uint(4);
  writer.Map(pcrs.size());
  for (const auto& [bank, registers] : pcrs) {
    writer.Uint(bank);
    writer.Map(registers.size());
    for (const auto& [index, value] : registers) {
      writer.Uint(index);
      writer.ByteString(value);
    }
  }
}

constexpr ByteArray<4> kAttestMagic = {0xff, 'T', 'C', 'G'};

bool StartsWith(ByteSpan bytes, ByteSpan start) {
  return bytes.size() >= start.size() && Equal(bytes.first(start.size()), start);
}

}  // namespace

Bytes EncodeEvidence(const Evidence& evidence) {
  uint64_t fields = evidence.pcrs.empty() ? 1 : 2;
  for (const Bytes* one : {&evidence.attest, &evidence.signature, &evidence.key,
                           &evidence.certificate, &evidence.hcl_report, &evidence.td_quote}) {
    if (!one->empty()) ++fields;
  }
  for (const auto* list : {&evidence.chain, &evidence.hardware_chain}) {
    if (!list->empty()) ++fields;
  }
  CborWriter writer;
  writer.Map(fields);
  writer.Uint(kLabelField);
  writer.Text(kLabel);
  PutBytes(writer, 2, evidence.attest);
  PutBytes(writer, 3, evidence.signature);
  PutPcrs(writer, evidence.pcrs);
  PutBytes(writer, 5, evidence.key);
  PutBytes(writer, 6, evidence.certificate);
  PutList(writer, 7, evidence.chain);
  PutBytes(writer, 8, evidence.hcl_report);
  PutList(writer, 9, evidence.hardware_chain);
  PutBytes(writer, 10, evidence.td_quote);
  return std::move(writer).Finish();
}

Result<ParsedEvidence> ParseTpmEvidence(ByteSpan bytes) {
  ParsedEvidence alone;
  if (StartsWith(bytes, kAttestMagic)) {
    KC_ASSIGN(alone.attest, ParseAttest(bytes));
    return alone;
  }
  if (LooksLikeHclReport(bytes)) {
    KC_ASSIGN(alone.hcl_report, ParseHclReport(bytes));
    return alone;
  }
  KC_ASSIGN(Evidence raw, Decode(bytes));
  return Understand(std::move(raw));
}

bool LooksLikeTpmEvidence(ByteSpan bytes) {
  if (StartsWith(bytes, kAttestMagic) || LooksLikeHclReport(bytes)) return true;
  // A map, key 1, and the label with its length.
  return bytes.size() > 3 + kLabel.size() && (bytes[0] & 0xe0) == 0xa0 && bytes[1] == kLabelField &&
         bytes[2] == (0x60 | kLabel.size()) && AsText(bytes.subspan(3, kLabel.size())) == kLabel;
}

}  // namespace keyclave::attest::tpm
