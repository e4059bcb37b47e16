#include "attest/produce/gramine.h"
#include "attest/produce/occlum.h"
#include "attest/produce/produce.h"

namespace keyclave::attest {

Result<Bytes> ProduceSgx(const ReportData& report_data, const ProducerConfig& config) {
  Io io(HostOf(config));
  // Occlum first: newer ones have files with Gramine's names, too, which answer a second read with
  // the same bytes again and so never end.
  if (auto device = OpenOcclum(io)) return OcclumQuote(io, *device, report_data);
  auto quote = GramineQuote(io, report_data);
  if (quote.ok()) return quote;
  return Fail(Code::kEvidenceUnavailable,
              quote.error().detail() + "; " + kOcclumDevice + " is no device of Occlum");
}

}  // namespace keyclave::attest
