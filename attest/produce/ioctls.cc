#include "attest/produce/abi.h"
#include "attest/produce/produce.h"

namespace keyclave::attest {

std::span<const unsigned long> ProducerIoctls(std::string_view type) {
  // The derived key: the root secret is sealed anew when it gets another generation.
  static constexpr unsigned long kSevSnp[] = {abi::kSnpGetReport, abi::kSnpGetExtendedReport,
                                              abi::kSnpGetDerivedKey};
  static constexpr unsigned long kNitro[] = {abi::kNsmRaw};
  if (type == "sev-snp") return kSevSnp;
  if (type == "nitro") return kNitro;
  return {};
}

}  // namespace keyclave::attest
