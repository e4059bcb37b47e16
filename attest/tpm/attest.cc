#include "attest/tpm/attest.h"

#include "enclave/base/byte_reader.h"

namespace keyclave::attest::tpm {
namespace {

constexpr uint32_t kMagic = 0xff544347;  // TPM_GENERATED_VALUE: "\xffTCG"
constexpr size_t kMaxName = 68;          // TPMU_NAME: an algorithm and a SHA-512, or a handle
constexpr size_t kMaxData = 66;          // TPMT_HA
constexpr size_t kMaxDigest = 64;        // TPMU_HA
constexpr uint32_t kMaxBanks = 16;       // TPML_PCR_SELECTION
constexpr uint8_t kMaxSelect = 4;        // bytes of pcrSelect: 32 registers

// Part 2 §6.9, TPM_ST.
std::string StructureName(uint16_t type) {
  switch (type) {
    case 0x8014: return "TPM_ST_ATTEST_NV";
    case 0x8015: return "TPM_ST_ATTEST_COMMAND_AUDIT";
    case 0x8016: return "TPM_ST_ATTEST_SESSION_AUDIT";
    case 0x8017: return "TPM_ST_ATTEST_CERTIFY";
    case kAttestQuote: return "TPM_ST_ATTEST_QUOTE";
    case 0x8019: return "TPM_ST_ATTEST_TIME";
    case 0x801a: return "TPM_ST_ATTEST_CREATION";
    case 0x801c: return "TPM_ST_ATTEST_NV_DIGEST";
    default: return "structure " + std::to_string(type);
  }
}

Result<PcrSelection> TakeSelection(ByteReader& reader) {
  PcrSelection selection;
  KC_ASSIGN(selection.bank, reader.TakeBe<uint16_t>());
  if (FindBank(selection.bank) == nullptr)
    return Fail(Code::kMalformed, "PCR bank " + std::to_string(selection.bank) + " is not known");
  KC_ASSIGN(const ByteSpan bits, reader.TakePrefixedBe<uint8_t>(kMaxSelect));
  selection.bits = ToBytes(bits);
  for (unsigned i = 0; i < bits.size() * 8; ++i) {
    if ((bits[i / 8] >> (i % 8) & 1) != 0) selection.registers.push_back(i);
  }
  return selection;
}

Result<std::vector<PcrSelection>> TakeSelections(ByteReader& reader) {
  KC_ASSIGN(const uint32_t count, reader.TakeBe<uint32_t>());
  if (count > kMaxBanks) return Fail(Code::kTooLarge, "PCR banks");
  std::vector<PcrSelection> selections;
  size_t registers = 0;
  for (uint32_t i = 0; i < count; ++i) {
    KC_ASSIGN(PcrSelection selection, TakeSelection(reader));
    for (const PcrSelection& other : selections) {
      if (other.bank == selection.bank) return Fail(Code::kMalformed, "a PCR bank stands twice");
    }
    registers += selection.registers.size();
    selections.push_back(std::move(selection));
  }
  // Such a quote is genuine, but says nothing about what runs.
  if (registers == 0) return Fail(Code::kMalformed, "the quote selects no PCR");
  return selections;
}

// TPMS_CLOCK_INFO and what follows it in TPMS_ATTEST.
Status TakeClock(ByteReader& reader, Attest& attest) {
  KC_ASSIGN(attest.clock, reader.TakeBe<uint64_t>());
  // It becomes a claim, which is signed. 2^63 ms is three hundred million years away.
  if (attest.clock > uint64_t{INT64_MAX}) return Fail(Code::kTooLarge, "clock");
  KC_ASSIGN(attest.reset_count, reader.TakeBe<uint32_t>());
  KC_ASSIGN(attest.restart_count, reader.TakeBe<uint32_t>());
  KC_ASSIGN(const uint8_t safe, reader.TakeBe<uint8_t>());
  if (safe > 1) return Fail(Code::kMalformed, "safe is neither YES nor NO");
  attest.safe = safe == 1;
  KC_ASSIGN(attest.firmware_version, reader.TakeBe<uint64_t>());
  return Done{};
}

}  // namespace

std::span<const Bank> AllBanks() {
  static constexpr Bank kBanks[] = {
      {0x000d, "sha512", 64},   {0x0029, "sha3_512", 64}, {0x000c, "sha384", 48},
      {0x0028, "sha3_384", 48}, {0x000b, "sha256", 32},   {0x0027, "sha3_256", 32},
      {0x0012, "sm3_256", 32},  {0x0004, "sha1", 20},
  };
  return kBanks;
}

const Bank* FindBank(uint16_t id) {
  for (const Bank& bank : AllBanks()) {
    if (bank.id == id) return &bank;
  }
  return nullptr;
}

const Bank* FindBank(std::string_view name) {
  for (const Bank& bank : AllBanks()) {
    if (bank.name == name) return &bank;
  }
  return nullptr;
}

Result<Attest> ParseAttest(ByteSpan bytes) {
  if (bytes.size() > kMaxAttest) return Fail(Code::kTooLarge, "TPMS_ATTEST");
  ByteReader reader(bytes);
  // First of all: a restricted key signs nothing from outside that begins like this, and so the
  // magic is what makes the rest the TPM's own word.
  KC_ASSIGN(const uint32_t magic, reader.TakeBe<uint32_t>());
  if (magic != kMagic) return Fail(Code::kMalformed, "not made by a TPM (TPM_GENERATED_VALUE)");
  KC_ASSIGN(const uint16_t type, reader.TakeBe<uint16_t>());
  if (type != kAttestQuote)
    return FailWanted(Code::kMalformed, "type", StructureName(kAttestQuote), StructureName(type));
  Attest attest;
  KC_ASSIGN(const ByteSpan signer, reader.TakePrefixedBe<uint16_t>(kMaxName));
  attest.qualified_signer = ToBytes(signer);
  KC_ASSIGN(const ByteSpan extra, reader.TakePrefixedBe<uint16_t>(kMaxData));
  attest.extra_data = ToBytes(extra);
  KC_CHECK_OK(TakeClock(reader, attest));
  attest.quote_info = ToBytes(reader.rest());
  KC_ASSIGN(attest.selections, TakeSelections(reader));
  KC_ASSIGN(const ByteSpan digest, reader.TakePrefixedBe<uint16_t>(kMaxDigest));
  attest.pcr_digest = ToBytes(digest);
  KC_CHECK_OK(reader.ExpectEnd());
  return attest;
}

std::string SelectionText(const std::vector<PcrSelection>& selections) {
  std::string text;
  for (const PcrSelection& selection : selections) {
    if (selection.registers.empty()) continue;
    const Bank* bank = FindBank(selection.bank);
    text.append(text.empty() ? "" : "+").append(bank == nullptr ? "?" : bank->name).append(":");
    for (const unsigned index : selection.registers)
      text.append(index == selection.registers.front() ? "" : ",").append(std::to_string(index));
  }
  return text;
}

Result<Bytes> PcrDigest(const std::vector<PcrSelection>& selections, const PcrValues& values,
                        HashAlgorithm hash) {
  Bytes all;
  for (const PcrSelection& selection : selections) {
    if (selection.registers.empty()) continue;
    const auto bank = values.find(selection.bank);
    for (const unsigned index : selection.registers) {
      const auto missing = [&] {
        return Fail(Code::kMalformed, "no value of PCR " + std::to_string(index));
      };
      if (bank == values.end()) return missing();
      const auto value = bank->second.find(index);
      if (value == bank->second.end()) return missing();
      all.insert(all.end(), value->second.begin(), value->second.end());
    }
  }
  return Hash(hash, all);
}

PcrValues OnlySelected(const std::vector<PcrSelection>& selections, const PcrValues& values) {
  PcrValues selected;
  for (const PcrSelection& selection : selections) {
    const auto bank = values.find(selection.bank);
    if (bank == values.end()) continue;
    for (const unsigned index : selection.registers) {
      const auto value = bank->second.find(index);
      if (value != bank->second.end()) selected[selection.bank][index] = value->second;
    }
  }
  return selected;
}

}  // namespace keyclave::attest::tpm
