#include "attest/produce/configfs_tsm.h"
#include "attest/produce/produce.h"
#include "attest/produce/quote.h"

namespace keyclave::attest {
namespace {

constexpr const char* kDevice = "/dev/tdx_guest";
constexpr const char* kFormerDevice = "/dev/tdx-guest";  // of drivers before Linux 6.2

// The ioctl of the device gives a TDREPORT, which only this machine can check. To have it made into
// a quote was left to user space once, over vsock and a protocol of Intel's; since Linux 6.7 the
// driver does it.
std::string AboutDevice(Io& io) {
  for (const char* device : {kDevice, kFormerDevice}) {
    auto opened = io.Open(device, O_RDWR);
    if (opened.ok() || opened.failed_with(EACCES) || opened.failed_with(EPERM)) {
      return std::string(device) +
             " is there, but gives no quotes by itself: configfs-tsm must make them (Linux 6.7 or "
             "later)";
    }
  }
  return std::string(kDevice) + " is not there, either: is this an Intel TDX guest?";
}

}  // namespace

Result<Bytes> ProduceTdx(const ReportData& report_data, const ProducerConfig& config) {
  Io io(HostOf(config));
  const auto report = MakeTsmReport(io, kTdxGuestProvider, report_data);
  if (!report.ok()) {
    return Fail(Code::kEvidenceUnavailable, report.error().detail() + "; " + AboutDevice(io));
  }
  auto quote = CutQuote(report->report);
  if (!quote.ok()) return Fail(Code::kEvidenceUnavailable, "configfs-tsm: " + quote.error().Text());
  if (!CarriesReportData(*quote, report_data))
    return Fail(Code::kEvidenceUnavailable, "configfs-tsm: the quote carries other report data");
  return quote;
}

}  // namespace keyclave::attest
