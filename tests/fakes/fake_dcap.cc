// SGX and TDX machines.
#include "tests/fakes/fake_intel.h"
#include "tests/fakes/fake_tee.h"

namespace keyclave::test {
namespace {

using attest::dcap::Tee;

class FakeDcap final : public FakeTee {
 public:
  explicit FakeDcap(Tee tee) : tee_(tee), intel_(tee) {}

  std::string_view type() const override { return attest::dcap::TypeName(tee_); }
  attest::Trust OwnTrust() const override { return intel_.Trust(); }
  Bytes Evidence(const attest::ReportData& report_data, UnixTime /*issued*/,
                 bool debug) const override {
    return intel_.Quote(SampleQuote(tee_, report_data, debug));
  }
  std::string Measurement() const override {
    const ByteArray<48> bytes = [] {
      ByteArray<48> filled;
      filled.fill(0x5a);
      return filled;
    }();
    return ToHex(ByteSpan(bytes).first(tee_ == Tee::kSgx ? 32 : 48));
  }
  // A quote says no time; its PCK certificate does.
  Window ValidAt(UnixTime /*issued*/) const override {
    return {intel_.platform().not_before, intel_.platform().not_after};
  }
  bool IsUncovered(ByteSpan evidence, size_t at) const override {
    return intel_.IsUncovered(evidence, at);
  }
  bool AllowsTrailingBytes() const override { return true; }
  std::vector<std::string> Claims() const override {
    std::vector<std::string> names = {"tee",      "measurement", "debug",       "tcb_status",
                                      "tcb_date", "advisories",  "platform_id", "host_data"};
    if (tee_ == Tee::kSgx) {
      names.insert(names.end(), {"signer", "product_id", "svn", "sgx.mr_enclave", "sgx.mr_signer",
                                 "sgx.config_id", "sgx.fmspc", "sgx.smt_enabled"});
    } else {
      names.insert(names.end(), {"tdx.mrtd", "tdx.rtmr0", "tdx.rtmr3", "tdx.mrconfigid",
                                 "tdx.tdattributes", "tdx.fmspc", "tdx.tee_tcb_svn"});
    }
    return names;
  }

 private:
  Tee tee_;
  FakeIntel intel_;
};

}  // namespace

std::unique_ptr<FakeTee> MakeFakeSgx() { return std::make_unique<FakeDcap>(Tee::kSgx); }
std::unique_ptr<FakeTee> MakeFakeTdx() { return std::make_unique<FakeDcap>(Tee::kTdx); }

}  // namespace keyclave::test
