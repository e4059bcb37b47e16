// Intel TDX: DCAP quotes of trust domains.
#include "attest/dcap/tee.h"
#include "attest/produce/produce.h"

namespace keyclave::attest {
namespace {

using dcap::Tee;

bool Recognises(ByteSpan bytes) { return dcap::LooksLikeQuote(bytes, Tee::kTdx); }

Result<std::any> Parse(ByteSpan bytes) { return dcap::ParseAny(bytes, Tee::kTdx); }

Result<Bytes> Produce(const ReportData& report_data, const ProducerConfig& config,
                      UnixTime /*now*/) {
  return ProduceTdx(report_data, config);
}

}  // namespace

extern const TeeType kTdxTee;
const TeeType kTdxTee = {"tdx",   Recognises,      Parse, dcap::VerifyAny, dcap::DescribeAny,
                         Produce, dcap::NeedsOfAny};

}  // namespace keyclave::attest
