#include "attest/tpm/pcr_choice.h"

#include <algorithm>

namespace keyclave::attest {
namespace {

constexpr unsigned kRegisters = 24;  // of the PC Client platform

}  // namespace

Result<tpm::PcrChoice> ReadPcrChoice(const YamlValue& value) {
  KC_ASSIGN(YamlMap entries, value.AsMap());
  tpm::PcrChoice choice;
  if (const auto bank = entries.Take("bank")) {
    KC_ASSIGN(choice.bank, bank->AsText());
    if (tpm::FindBank(choice.bank) == nullptr || choice.bank == "sha1")
      return bank->Bad("must be sha256, sha384, sha512 or sm3_256");
  }
  if (const auto registers = entries.Take("registers")) {
    KC_ASSIGN(const std::vector<YamlValue> list, registers->AsList());
    choice.registers.clear();
    for (const YamlValue& one : list) {
      KC_ASSIGN(const int64_t number, one.AsInt(0, kRegisters - 1));
      choice.registers.push_back(static_cast<unsigned>(number));
    }
    std::sort(choice.registers.begin(), choice.registers.end());
    if (choice.registers.empty()) return registers->Bad("must name at least one register");
    if (std::adjacent_find(choice.registers.begin(), choice.registers.end()) !=
        choice.registers.end())
      return registers->Bad("names a register twice");
  }
  KC_CHECK_OK(entries.Finish());
  return choice;
}

}  // namespace keyclave::attest
