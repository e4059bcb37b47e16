#include "attest/produce/configfs_tsm.h"
#include "attest/produce/produce.h"
#include "attest/produce/sev_guest.h"

namespace keyclave::attest {
namespace {

// configfs-tsm gives the report without the response's header, and the table cut to its length.
Result<SnpReport> ByConfigfs(Io& io, const ReportData& report_data) {
  KC_ASSIGN(const TsmReport made, MakeTsmReport(io, kSevGuestProvider, report_data));
  if (made.report.size() != kSnpReportSize) {
    return FailWanted(Code::kEvidenceUnavailable, "configfs-tsm: size of the report",
                      std::to_string(kSnpReportSize), std::to_string(made.report.size()));
  }
  if (!SnpCarriesReportData(made.report, report_data))
    return Fail(Code::kEvidenceUnavailable, "configfs-tsm: the report carries other report data");
  return SnpReport{made.report, CutCertificates(made.auxiliary)};
}

Result<SnpReport> ByDevice(Io& io, const ReportData& report_data) {
  KC_ASSIGN(const OpenFile device, OpenSevGuest(io));
  return RequestSnpReport(io, device, report_data);
}

Result<SnpReport> ByEither(Io& io, const ReportData& report_data) {
  auto by_configfs = ByConfigfs(io, report_data);
  if (by_configfs.ok()) return by_configfs;
  auto by_device = ByDevice(io, report_data);
  if (by_device.ok()) return by_device;
  return Fail(Code::kEvidenceUnavailable,
              by_configfs.error().detail() + "; " + by_device.error().detail());
}

}  // namespace

Result<Bytes> ProduceSevSnp(const ReportData& report_data, const ProducerConfig& config) {
  Io io(HostOf(config));
  KC_ASSIGN(SnpReport made, ByEither(io, report_data));
  // A table that leaves no room for itself is of no use: the verifier has the certificates from its
  // collateral then, or asks for them by name.
  if (made.certificates.size() <= kMaxEvidence - made.report.size()) {
    made.report.insert(made.report.end(), made.certificates.begin(), made.certificates.end());
  }
  return std::move(made.report);
}

}  // namespace keyclave::attest
