// What producers must know of the quotes that they hand on: where they end and where the report
// data are (Intel's "SGX DCAP ECDSA Quote Library API", appendix A, versions 3 and 4; "TDX DCAP
// Quoting Library API", version 5).
#pragma once

#include "attest/binding.h"

namespace keyclave::attest {

// The quote alone: several quoting services pad their answer with zeros. kMalformed if it is no
// whole quote of version 3, 4 or 5.
Result<Bytes> CutQuote(ByteSpan answer);
// Whether it carries these report data; `quote` is one that CutQuote returned.
bool CarriesReportData(ByteSpan quote, const ReportData& report_data);

}  // namespace keyclave::attest
