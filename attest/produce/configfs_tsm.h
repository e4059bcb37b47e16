// Linux's common interface to the TEE that a machine is a guest of: /sys/kernel/config/tsm/report
// (Documentation/ABI/testing/configfs-tsm-report, since Linux 6.7).
#pragma once

#include "attest/produce/io.h"

namespace keyclave::attest {

inline constexpr std::string_view kSevGuestProvider = "sev_guest";
inline constexpr std::string_view kTdxGuestProvider = "tdx_guest";
inline constexpr std::string_view kCcaGuestProvider = "arm_cca_guest";

struct TsmReport {
  Bytes report;     // outblob
  Bytes auxiliary;  // auxblob; empty where there is none
};

// A report that the named provider made of these report data and of nothing that anybody else wrote
// beside us. The folder that it takes is gone afterwards, whatever happened.
Result<TsmReport> MakeTsmReport(Io& io, std::string_view provider, ByteSpan report_data);

// The provider of this machine; what making a folder or reading failed with, if it has none or we
// may not ask.
Sys<std::string> TsmProvider(Io& io);

}  // namespace keyclave::attest
