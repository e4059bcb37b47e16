#include "attest/produce/gramine.h"

#include "attest/evidence.h"
#include "attest/produce/quote.h"

namespace keyclave::attest {
namespace {

constexpr const char* kType = "/dev/attestation/attestation_type";
constexpr const char* kReportData = "/dev/attestation/user_report_data";
constexpr const char* kQuote = "/dev/attestation/quote";
constexpr size_t kMaxType = 64;
constexpr std::string_view kAbsent = "not inside a Gramine SGX enclave";
constexpr std::string_view kNoQuote =
    "is the host's aesmd running, with the DCAP quoting library and a way to its PCK certificate?";

Status CheckType(Io& io) {
  auto type = GramineAttestationType(io);
  if (!type.ok()) return Unavailable(kType, type.error(), kAbsent);
  if (*type == "dcap") return Done{};
  return Fail(Code::kEvidenceUnavailable,
              std::string(kType) + " says " + (*type).substr(0, kMaxType) +
                  "; put sgx.remote_attestation = \"dcap\" into the manifest and sign it anew");
}

Result<Bytes> QuoteOnce(Io& io, const ReportData& report_data) {
  // The file takes its content when it is closed, the quote is made when its file is opened: this
  // order, and no file open across it.
  if (auto written = io.WriteFile(kReportData, report_data); !written.ok())
    return Unavailable(kReportData, written.error(), "");
  auto answer = io.ReadFile(kQuote, kMaxEvidence);
  if (!answer.ok()) return Unavailable(kQuote, answer.error(), kNoQuote);
  auto quote = CutQuote(*answer);
  if (!quote.ok())
    return Fail(Code::kEvidenceUnavailable, std::string(kQuote) + ": " + quote.error().Text());
  return quote;
}

}  // namespace

Sys<std::string> GramineAttestationType(Io& io) {
  auto type = io.ReadFile(kType, kMaxType);
  if (!type.ok()) return Errno{type.error()};
  return std::string(Trimmed(AsText(*type)));
}

Result<Bytes> GramineQuote(Io& io, const ReportData& report_data) {
  KC_CHECK_OK(CheckType(io));
  // The report data are one variable of the process, without a lock: another thread may write its
  // own between our two steps.
  do {
    KC_ASSIGN(Bytes quote, QuoteOnce(io, report_data));
    if (CarriesReportData(quote, report_data)) return quote;
  } while (io.Pause());
  return Fail(Code::kEvidenceUnavailable,
              std::string(kQuote) +
                  ": the quote carries other report data each time; does another "
                  "thread of this process make quotes all the time?");
}

}  // namespace keyclave::attest
