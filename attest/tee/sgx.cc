// Intel SGX: DCAP quotes of enclaves.
#include "attest/dcap/tee.h"
#include "attest/produce/produce.h"

namespace keyclave::attest {
namespace {

using dcap::Tee;

bool Recognises(ByteSpan bytes) { return dcap::LooksLikeQuote(bytes, Tee::kSgx); }

Result<std::any> Parse(ByteSpan bytes) { return dcap::ParseAny(bytes, Tee::kSgx); }

Result<Bytes> Produce(const ReportData& report_data, const ProducerConfig& config,
                      UnixTime /*now*/) {
  return ProduceSgx(report_data, config);
}

}  // namespace

extern const TeeType kSgxTee;
const TeeType kSgxTee = {"sgx",   Recognises,      Parse, dcap::VerifyAny, dcap::DescribeAny,
                         Produce, dcap::NeedsOfAny};

}  // namespace keyclave::attest
