#include "attest/produce/quote.h"

#include "enclave/base/byte_reader.h"

namespace keyclave::attest {
namespace {

constexpr size_t kHeaderRest = 46;  // behind the version
constexpr size_t kSgxBody = 384;
constexpr size_t kTdx10Body = 584;
constexpr size_t kTdx15Body = 648;
constexpr size_t kReportData = std::tuple_size_v<ReportData>;
constexpr size_t kSgxReportData = 320;  // in the body
constexpr size_t kTdxReportData = 520;  // in both bodies
constexpr uint32_t kTeeTdx = 0x81;

struct Layout {
  size_t body = 0;
  size_t report_data = 0;  // in the body
};

Result<Layout> ReadLayout(ByteReader& reader) {
  KC_ASSIGN(const uint16_t version, reader.TakeLe<uint16_t>());
  KC_ASSIGN(ByteReader header, reader.Sub(kHeaderRest));
  if (version == 3) return Layout{kSgxBody, kSgxReportData};
  if (version != 4 && version != 5)
    return FailWanted(Code::kMalformed, "quote version", "3, 4 or 5", std::to_string(version));
  KC_CHECK_OK(header.Take(sizeof(uint16_t)));  // the attestation key's type
  KC_ASSIGN(const uint32_t tee, header.TakeLe<uint32_t>());
  Layout layout =
      tee == kTeeTdx ? Layout{kTdx10Body, kTdxReportData} : Layout{kSgxBody, kSgxReportData};
  if (version == 4) return layout;
  KC_CHECK_OK(reader.Take(sizeof(uint16_t)));  // the body's type, which its size shows as well
  KC_ASSIGN(const uint32_t body, reader.TakeLe<uint32_t>());
  if (tee == kTeeTdx && body == kTdx15Body) layout.body = kTdx15Body;
  if (body != layout.body) {
    return FailWanted(Code::kMalformed, "size of the quote's body", std::to_string(layout.body),
                      std::to_string(body));
  }
  return layout;
}

}  // namespace

Result<Bytes> CutQuote(ByteSpan answer) {
  ByteReader reader(answer);
  KC_ASSIGN(const Layout layout, ReadLayout(reader));
  KC_CHECK_OK(reader.Take(layout.body));
  KC_CHECK_OK(reader.TakePrefixedLe<uint32_t>(answer.size()));
  return ToBytes(answer.first(answer.size() - reader.remaining()));
}

bool CarriesReportData(ByteSpan quote, const ReportData& report_data) {
  ByteReader reader(quote);
  const auto layout = ReadLayout(reader);
  if (!layout.ok() || !reader.Take(layout->report_data).ok()) return false;
  const auto field = reader.Take(kReportData);
  return field.ok() && Equal(*field, report_data);
}

}  // namespace keyclave::attest
