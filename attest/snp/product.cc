#include "attest/snp/product.h"

namespace keyclave::attest {
namespace {

constexpr SnpTcbLayout kBeforeTurin = {{{"bootloader", 1},
                                        {"tee", 2},
                                        {"", 4},
                                        {"", 5},
                                        {"", 6},
                                        {"", 7},
                                        {"snp", 3},
                                        {"microcode", 8}}};
constexpr SnpTcbLayout kTurinLayout = {{{"fmc", 9},
                                        {"bootloader", 1},
                                        {"tee", 2},
                                        {"snp", 3},
                                        {"", 5},
                                        {"", 6},
                                        {"", 7},
                                        {"microcode", 8}}};

constexpr uint8_t kZen3And4 = 0x19;
constexpr uint8_t kZen5 = 0x1a;

struct NameRow {
  std::string_view name;
  SnpProduct product;
};
constexpr NameRow kNames[] = {{"Milan", SnpProduct::kMilan},
                              {"Genoa", SnpProduct::kGenoa},
                              {"Bergamo", SnpProduct::kGenoa},
                              {"Siena", SnpProduct::kGenoa},
                              {"Turin", SnpProduct::kTurin}};

}  // namespace

std::string_view SnpProductName(SnpProduct product) {
  switch (product) {
    case SnpProduct::kMilan: return "Milan";
    case SnpProduct::kGenoa: return "Genoa";
    case SnpProduct::kTurin: return "Turin";
  }
  return "";
}

std::optional<SnpProduct> SnpProductOfCpu(const SnpCpu& cpu) {
  if (cpu.family == kZen3And4) {
    if (cpu.model <= 0x0f) return SnpProduct::kMilan;
    if (cpu.model <= 0x1f || (cpu.model >= 0xa0 && cpu.model <= 0xaf)) return SnpProduct::kGenoa;
  }
  if (cpu.family == kZen5 && cpu.model <= 0x1f) return SnpProduct::kTurin;
  return std::nullopt;
}

std::optional<SnpProduct> SnpProductOfName(std::string_view name) {
  // Behind a hyphen stands the stepping.
  const std::string_view line = name.substr(0, name.find('-'));
  for (const NameRow& row : kNames) {
    if (row.name == line) return row.product;
  }
  return std::nullopt;
}

const SnpTcbLayout& SnpTcbLayoutOf(SnpProduct product) {
  return product == SnpProduct::kTurin ? kTurinLayout : kBeforeTurin;
}

void ForEachTcbPart(SnpProduct product, const SnpTcb& tcb,
                    const std::function<void(std::string_view name, uint8_t value)>& call) {
  const SnpTcbLayout& layout = SnpTcbLayoutOf(product);
  for (size_t i = 0; i < layout.size(); ++i) {
    if (!layout.at(i).name.empty()) call(layout.at(i).name, tcb.at(i));
  }
}

std::string SnpTcbText(SnpProduct product, const SnpTcb& tcb) {
  std::string text;
  ForEachTcbPart(product, tcb, [&](std::string_view name, uint8_t value) {
    text.append(text.empty() ? "" : ", ").append(name).append(" ").append(std::to_string(value));
  });
  return text;
}

size_t SnpChipIdSize(SnpProduct product) { return product == SnpProduct::kTurin ? 8 : 64; }

}  // namespace keyclave::attest
