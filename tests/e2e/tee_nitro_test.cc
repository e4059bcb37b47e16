// Callers in Nitro enclaves, through the real daemon: every claim that a policy can name, and every
// way in which a document is not genuine, or not of this session.
#include <gtest/gtest.h>

#include "tests/e2e/tee_lab.h"
#include "tests/fakes/fake_nitro.h"

namespace keyclave::test {
namespace {

class NitroCallers : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    FakeNitroOptions options;
    options.pcrs[16] = Bytes(48, 0x66);
    options.public_key = Bytes(8, 0x0c);
    options.nonce = Bytes(8, 0x0e);
    nitro_ = new FakeNitro(std::move(options));
    lab_ = new TeeLab({"nitro"}, nitro_->OwnTrust());
  }
  static void TearDownTestSuite() {
    delete lab_;
    delete nitro_;
  }
  // A document of the same security module with something changed.
  static Signer With(const std::function<void(FakeNitroOptions&)>& change) {
    FakeNitro other = *nitro_;
    change(other.options());
    return Of(other, false);
  }
  static Signer Of(const FakeNitro& nitro, bool debug) {
    return [nitro, debug](const attest::ReportData& report_data) {
      return nitro.Evidence(report_data, SystemClock().Now(), debug);
    };
  }
  static Signer Good() { return Of(*nitro_, false); }
  static Variation OfPcr(uint64_t index, std::vector<std::string> claims) {
    claims.push_back("nitro.pcr" + std::to_string(index));
    return {claims, With([&](FakeNitroOptions& options) { options.pcrs[index][47] ^= 1; })};
  }

  static inline FakeNitro* nitro_ = nullptr;
  static inline TeeLab* lab_ = nullptr;
};

TEST_F(NitroCallers, EveryClaimDecides) {
  std::vector<Variation> variations = {
      OfPcr(0, {"measurement"}),
      OfPcr(1, {}),
      OfPcr(2, {}),
      OfPcr(3, {}),
      OfPcr(4, {}),
      OfPcr(8, {"signer"}),
      OfPcr(16, {}),
      {{"platform_id", "nitro.module_id"},
       With([](FakeNitroOptions& o) { o.module_id = "i-0aa1-enc02"; })},
      {{"nitro.public_key"}, With([](FakeNitroOptions& o) { o.public_key = Bytes(8, 0x0d); })},
      {{"nitro.nonce"}, With([](FakeNitroOptions& o) { o.nonce.reset(); })},
      // In debug mode nothing is measured.
      {{"debug", "measurement", "nitro.pcr0", "nitro.pcr1", "nitro.pcr2"}, Of(*nitro_, true)}};
  CheckThatEveryClaimDecides(*lab_, {"nitro",
                                     Good(),
                                     std::move(variations),
                                     {{"tcb_status", "AWS rates no platform"},
                                      {"nitro.digest", "there is one only"},
                                      {"nitro.timestamp", "the time of each document"},
                                      {"nitro.user_data", "the session's report data"}}});
}

TEST_F(NitroCallers, EvidenceIsOfThisSession) {
  CheckThatEvidenceIsOfThisSession(*lab_, "nitro", Good());
}

// lesson 11: a policy that forgets debug mode does not admit it.
TEST_F(NitroCallers, DebugModeIsRefusedUnasked) {
  const TeeLab::Key key = lab_->MakeKey("nitro", nitro_->MeasurementInDebug());
  Machine machine(lab_->daemon(), "nitro", Of(*nitro_, true));
  EXPECT_EQ(TeeLab::Sign(machine.caller(), key).code(), Code::kDenied);
  EXPECT_EQ(lab_->Explain(key).permits.at(0).got, "true");
}

TEST_F(NitroCallers, WhatIsNotGenuineIsRefused) {
  const auto at = [](int64_t seconds) {
    return [seconds](const attest::ReportData& report_data) {
      return nitro_->Evidence(report_data, SystemClock().Now() + seconds, false);
    };
  };
  CheckRefusal(*lab_, "nitro", Of(FakeNitro(), false), Code::kEvidenceChain, {"CN=enclave"});
  CheckRefusal(*lab_, "nitro", at(-4 * 3600), Code::kEvidenceTime, {"certificate", "wanted"});
  CheckRefusal(*lab_, "nitro", at(3600), Code::kEvidenceTime, {"certificate", "wanted"});
  CheckRefusal(*lab_, "nitro", With([](FakeNitroOptions& o) { o.made_after = 86400; }),
               Code::kEvidenceTime, {"timestamp against certificate"});
  CheckRefusal(*lab_, "nitro", With([](FakeNitroOptions& o) { o.algorithm = -7; }),
               Code::kEvidenceMalformed, {"algorithm"});
  CheckRefusal(*lab_, "nitro", With([](FakeNitroOptions& o) { o.user_data = Bytes(64, 1); }),
               Code::kEvidenceBinding, {});
}

// lesson 5: a field that is empty is not a field that need not be checked.
TEST_F(NitroCallers, ADocumentWithoutTheReportDataIsRefused) {
  CheckRefusal(*lab_, "nitro", With([](FakeNitroOptions& o) { o.user_data = Bytes(); }),
               Code::kEvidenceBinding, {});
}

}  // namespace
}  // namespace keyclave::test
