#include "attest/produce/configfs_tsm.h"
#include "attest/produce/produce.h"

namespace keyclave::attest {

Result<Bytes> ProduceCca(const ReportData& report_data, const ProducerConfig& config) {
  Io io(HostOf(config));
  auto report = MakeTsmReport(io, kCcaGuestProvider, report_data);
  if (report.ok()) return std::move(report->report);
  return Fail(Code::kEvidenceUnavailable,
              report.error().detail() + "; is this an Arm CCA realm (Linux 6.13 or later)?");
}

}  // namespace keyclave::attest
