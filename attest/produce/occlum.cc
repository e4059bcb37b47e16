#include "attest/produce/occlum.h"

#include "attest/evidence.h"
#include "attest/produce/abi.h"
#include "attest/produce/quote.h"

namespace keyclave::attest {
namespace {

constexpr std::string_view kMend =
    "is the host's aesmd running, with the DCAP quoting library, and was Occlum built with DCAP?";

}  // namespace

std::optional<OpenFile> OpenOcclum(Io& io) {
  auto device = io.Open(kOcclumDevice, O_RDONLY);
  if (!device.ok()) return std::nullopt;
  // A report of this enclave to itself: it needs nothing of the host, so it works wherever this is
  // Occlum.
  ByteArray<abi::kSgxReport> report{};
  abi::OcclumReportArgument argument{nullptr, nullptr, report.data()};
  if (!io.Ioctl(*device, abi::kOcclumCreateReport, argument).ok()) return std::nullopt;
  return std::move(*device);
}

Result<Bytes> OcclumQuote(Io& io, const OpenFile& device, const ReportData& report_data) {
  const std::string what = std::string(kOcclumDevice) + " (Occlum)";
  uint32_t size = 0;
  if (auto asked = io.Ioctl(device, abi::kOcclumQuoteSize, size); !asked.ok())
    return Unavailable(what + ": size of a quote", asked.error(), kMend);
  if (size == 0 || size > kMaxEvidence) {
    return Fail(Code::kEvidenceUnavailable,
                what + ": a quote of " + std::to_string(size) + " bytes is announced");
  }
  Bytes answer(size);
  abi::OcclumQuoteArgument argument{report_data.data(), &size, answer.data()};
  if (auto made = io.Ioctl(device, abi::kOcclumQuote, argument); !made.ok())
    return Unavailable(what + ": making a quote", made.error(), kMend);
  auto quote = CutQuote(answer);
  if (!quote.ok()) return Fail(Code::kEvidenceUnavailable, what + ": " + quote.error().Text());
  if (!CarriesReportData(*quote, report_data))
    return Fail(Code::kEvidenceUnavailable, what + ": the quote carries other report data");
  return quote;
}

}  // namespace keyclave::attest
