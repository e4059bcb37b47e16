#include "attest/tpm/sealed_secret.h"

#include "enclave/base/byte_reader.h"
#include "enclave/base/cbor.h"

namespace keyclave::attest::tpm {
namespace {

constexpr std::string_view kLabel = "keyclave/tpm-sealed/1";
constexpr uint64_t kFields = 5;
constexpr size_t kMaxPrivate = 1024;  // of a sealed secret it has some 200
constexpr unsigned kRegisters = 24;
constexpr size_t kMaxValue = 64;
constexpr uint32_t kPolicyPcr = 0x0000'017f;  // TPM_CC_PolicyPCR

Status ExpectKey(CborReader& reader, uint64_t wanted) {
  KC_ASSIGN(const uint64_t key, reader.Uint());
  if (key != wanted) return Fail(Code::kMalformed, "field " + std::to_string(wanted));
  return Done{};
}

Status TakeRegisters(CborReader& reader, const Bank& bank, SealedSecret& sealed) {
  KC_ASSIGN(const uint64_t count, reader.Map(kRegisters));
  if (count == 0) return Fail(Code::kMalformed, "no registers");
  sealed.selection = {.bank = bank.id, .registers = {}, .bits = Bytes(kRegisters / 8)};
  std::map<unsigned, Bytes>& values = sealed.values[bank.id];
  for (uint64_t i = 0; i < count; ++i) {
    KC_ASSIGN(const uint64_t number, reader.Uint());
    if (number >= kRegisters) return Fail(Code::kMalformed, "register");
    const auto index = static_cast<unsigned>(number);
    std::vector<unsigned>& registers = sealed.selection.registers;
    if (!registers.empty() && index <= registers.back())
      return Fail(Code::kMalformed, "registers out of order");
    KC_ASSIGN(const ByteSpan value, reader.ByteString(kMaxValue));
    if (value.size() != bank.size) return Fail(Code::kMalformed, "length of a register's value");
    registers.push_back(index);
    values[index] = ToBytes(value);
    uint8_t& bits = sealed.selection.bits[index / 8];
    bits = static_cast<uint8_t>(bits | 1U << (index % 8));
  }
  return Done{};
}

}  // namespace

Bytes EncodeSealedSecret(const SealedSecret& sealed) {
  CborWriter writer;
  writer.Map(kFields);
  writer.Uint(1);
  writer.Text(kLabel);
  writer.Uint(2);
  writer.ByteString(sealed.unique);
  writer.Uint(3);
  writer.ByteString(sealed.private_part);
  writer.Uint(4);
  writer.Uint(sealed.selection.bank);
  writer.Uint(5);
  const auto values = sealed.values.find(sealed.selection.bank);
  writer.Map(values == sealed.values.end() ? 0 : values->second.size());
  if (values == sealed.values.end()) return std::move(writer).Finish();
  for (const auto& [index, value] : values->second) {
    writer.Uint(index);
    writer.ByteString(value);
  }
  return std::move(writer).Finish();
}

Result<SealedSecret> ParseSealedSecret(ByteSpan bytes) {
  if (bytes.size() > kMaxSealedSecret) return Fail(Code::kTooLarge);
  CborReader reader(bytes);
  SealedSecret sealed;
  KC_ASSIGN(const uint64_t count, reader.Map(kFields));
  if (count != kFields) return Fail(Code::kMalformed, "a field is missing");
  KC_CHECK_OK(ExpectKey(reader, 1));
  KC_ASSIGN(const std::string_view label, reader.Text(kLabel.size()));
  if (label != kLabel) return Fail(Code::kMalformed, "label");
  KC_CHECK_OK(ExpectKey(reader, 2));
  KC_ASSIGN(const ByteSpan unique, reader.ByteString(sealed.unique.size()));
  if (unique.size() != sealed.unique.size()) return Fail(Code::kMalformed, "unique");
  std::copy(unique.begin(), unique.end(), sealed.unique.begin());
  KC_CHECK_OK(ExpectKey(reader, 3));
  KC_ASSIGN(const ByteSpan private_part, reader.ByteString(kMaxPrivate));
  if (private_part.empty()) return Fail(Code::kMalformed, "the private part is empty");
  sealed.private_part = ToBytes(private_part);
  KC_CHECK_OK(ExpectKey(reader, 4));
  KC_ASSIGN(const uint64_t id, reader.Uint());
  const Bank* bank = id > UINT16_MAX ? nullptr : FindBank(static_cast<uint16_t>(id));
  if (bank == nullptr) return Fail(Code::kMalformed, "PCR bank " + std::to_string(id));
  KC_CHECK_OK(ExpectKey(reader, 5));
  KC_CHECK_OK(TakeRegisters(reader, *bank, sealed));
  KC_CHECK_OK(reader.ExpectEnd());
  return sealed;
}

// Part 3, TPM2_PolicyPCR: H(0… | TPM_CC_PolicyPCR | TPML_PCR_SELECTION | H(values)).
Result<ByteArray<32>> PolicyOf(const PcrSelection& selection, const PcrValues& values) {
  KC_ASSIGN(const Bytes digest, PcrDigest({selection}, values, HashAlgorithm::kSha256));
  ByteWriter writer;
  writer.Put(ByteArray<32>{});
  writer.PutBe(kPolicyPcr);
  writer.PutBe(uint32_t{1});
  writer.PutBe(selection.bank);
  writer.PutBe(static_cast<uint8_t>(selection.bits.size()));
  writer.Put(selection.bits);
  writer.Put(digest);
  return Sha256(writer.bytes());
}

}  // namespace keyclave::attest::tpm
