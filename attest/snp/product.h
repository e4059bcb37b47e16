// Product lines of AMD's processors: which CPU belongs to which, and what the bytes of a TCB
// version mean there (AMD documents 56860, TCB_VERSION, and 57230).
#pragma once

#include <array>
#include <functional>

#include "attest/snp/report.h"

namespace keyclave::attest {

// Each has a root and a signing key of its own. Bergamo and Siena belong to Genoa.
enum class SnpProduct : uint8_t { kMilan, kGenoa, kTurin };

std::string_view SnpProductName(SnpProduct product);
// nullopt for a CPU or a name of no known line. A name is that of a certificate: "Milan-B0",
// "Genoa".
std::optional<SnpProduct> SnpProductOfCpu(const SnpCpu& cpu);
std::optional<SnpProduct> SnpProductOfName(std::string_view name);

// A byte of a TCB version.
struct SnpTcbByte {
  std::string_view name;  // empty: reserved
  unsigned oid;           // last arc of its extension, 1.3.6.1.4.1.3704.1.3.<oid>
};
using SnpTcbLayout = std::array<SnpTcbByte, 8>;
const SnpTcbLayout& SnpTcbLayoutOf(SnpProduct product);

// Calls for each component that has a name, in the layout's order.
void ForEachTcbPart(SnpProduct product, const SnpTcb& tcb,
                    const std::function<void(std::string_view name, uint8_t value)>& call);
// "bootloader 3, tee 0, snp 8, microcode 115"
std::string SnpTcbText(SnpProduct product, const SnpTcb& tcb);

// How many bytes of CHIP_ID the line uses; the others are zero.
size_t SnpChipIdSize(SnpProduct product);

}  // namespace keyclave::attest
