#include "attest/produce/abi.h"
#include "attest/produce/produce.h"

namespace keyclave::attest {

std::span<const unsigned long> ProducerIoctls(std::string_view type) {
  static constexpr unsigned long kSevSnp[] = {abi::kSnpGetReport, abi::kSnpGetExtendedReport};
  static constexpr unsigned long kNitro[] = {abi::kNsmRaw};
  if (type == "sev-snp") return kSevSnp;
  if (type == "nitro") return kNitro;
  return {};
}

}  // namespace keyclave::attest
