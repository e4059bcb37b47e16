#include "attest/tpm/registers.h"

namespace keyclave::attest::tpm {
namespace {

constexpr int kMaxReadings = 10;

std::string Text(const PcrSelection& selection) { return SelectionText({selection}); }

// One reading: the TPM gives eight values at most at once. Whether no register changed meanwhile.
Result<bool> ReadOnce(Connection& tpm, const PcrSelection& selection,
                      std::map<unsigned, Bytes>& values) {
  std::optional<uint32_t> first_count;
  PcrSelection rest = selection;
  while (!rest.registers.empty()) {
    const TPML_PCR_SELECTION wanted = AsTss2(rest);
    uint32_t update_count = 0;
    Made<TPML_PCR_SELECTION> given(tpm);
    Made<TPML_DIGEST> digests(tpm);
    KC_CHECK_OK(tpm.Check(
        tpm.tss2().Esys_PCR_Read(tpm.esys(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &wanted,
                                 &update_count, given.Receive(), digests.Receive()),
        "PCR_Read"));
    if (first_count.value_or(update_count) != update_count) return false;
    first_count = update_count;
    // In the order of their numbers, as many as it gave.
    const size_t count = std::min<size_t>(digests->count, std::size(digests->digests));
    if (count == 0 || count > rest.registers.size() || given->count != 1)
      return tpm.Fails("it has no registers " + Text(rest) + " (another bank?)");
    for (size_t i = 0; i < count; ++i) {
      const TPM2B_DIGEST& digest = digests->digests[i];
      const unsigned index = rest.registers[i];
      if ((given->pcrSelections[0].pcrSelect[index / 8] >> (index % 8) & 1) == 0)
        return tpm.Fails("it has no register " + std::to_string(index));
      values[index] = ToBytes(ByteSpan(digest.buffer, digest.size));
    }
    rest.registers.erase(rest.registers.begin(),
                         rest.registers.begin() + static_cast<ptrdiff_t>(count));
  }
  return true;
}

}  // namespace

Result<PcrSelection> Select(const PcrChoice& choice) {
  const Bank* bank = FindBank(choice.bank);
  if (bank == nullptr)
    return FailWanted(Code::kInvalidArgument, "PCR bank", "a name as sha256", choice.bank);
  PcrSelection selection{.bank = bank->id, .registers = choice.registers, .bits = Bytes(3)};
  std::sort(selection.registers.begin(), selection.registers.end());
  const auto end = std::unique(selection.registers.begin(), selection.registers.end());
  selection.registers.erase(end, selection.registers.end());
  if (selection.registers.empty() || selection.registers.back() >= kRegisters)
    return Fail(Code::kInvalidArgument, "PCR registers: needs one or more of 0 to 23");
  for (const unsigned index : selection.registers)
    selection.bits[index / 8] = static_cast<uint8_t>(selection.bits[index / 8] | 1U << (index % 8));
  return selection;
}

TPML_PCR_SELECTION AsTss2(const PcrSelection& selection) {
  TPML_PCR_SELECTION list{};
  list.count = 1;
  list.pcrSelections[0].hash = selection.bank;
  list.pcrSelections[0].sizeofSelect = kRegisters / 8;
  for (const unsigned index : selection.registers) {
    BYTE& bits = list.pcrSelections[0].pcrSelect[index / 8];
    bits = static_cast<BYTE>(bits | 1U << (index % 8));
  }
  return list;
}

Result<PcrValues> ReadRegisters(Connection& tpm, const PcrSelection& selection) {
  for (int i = 0; i < kMaxReadings; ++i) {
    std::map<unsigned, Bytes> values;
    KC_ASSIGN(const bool whole, ReadOnce(tpm, selection, values));
    if (whole) return PcrValues{{selection.bank, std::move(values)}};
  }
  return tpm.Fails("its registers change all the time");
}

}  // namespace keyclave::attest::tpm
