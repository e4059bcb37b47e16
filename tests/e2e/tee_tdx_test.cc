// Callers in TDs, through the real daemon: every claim that a policy can name, and every way in
// which a quote is not genuine, or not of this session.
#include <gtest/gtest.h>

#include "tests/e2e/intel_machines.h"

namespace keyclave::test {
namespace {

using attest::dcap::TdReport;

class TdxCallers : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    machines_ = new IntelMachines(attest::dcap::Tee::kTdx);
    lab_ = new TeeLab({"tdx"}, machines_->Trust());
  }
  static void TearDownTestSuite() {
    delete lab_;
    delete machines_;
  }
  static Signer With(const std::function<void(TdReport&)>& change) {
    return machines_->With([change](FakeQuote& quote) { change(std::get<TdReport>(quote.body)); });
  }
  static Signer InDebugMode() {
    return With([](TdReport& report) { report.tdattributes[0] |= 1; });
  }
  static Variation OfRtmr(size_t index) {
    return {{"tdx.rtmr" + std::to_string(index)},
            With([index](TdReport& r) { r.rtmr.at(index)[47] ^= 1; })};
  }
  static std::vector<Variation> OfTd() {
    return {{{"measurement", "tdx.mrtd"}, With([](TdReport& r) { r.mrtd[0] ^= 1; })},
            {{"host_data", "tdx.mrconfigid"}, With([](TdReport& r) { r.mrconfigid[0] ^= 1; })},
            {{"debug", "tdx.tdattributes"}, InDebugMode()},
            {{"tdx.sept_ve_disable", "tdx.tdattributes"},
             With([](TdReport& r) { r.tdattributes[3] ^= 0x10; })},
            {{"tdx.mrseam"}, With([](TdReport& r) { r.mrseam[0] ^= 1; })},
            {{"tdx.xfam"}, With([](TdReport& r) { r.xfam[0] ^= 0x80; })},
            {{"tdx.mrowner"}, With([](TdReport& r) { r.mrowner[0] ^= 1; })},
            {{"tdx.mrownerconfig"}, With([](TdReport& r) { r.mrownerconfig[0] ^= 1; })},
            OfRtmr(0),
            OfRtmr(1),
            OfRtmr(2),
            OfRtmr(3),
            {{"tdx.tee_tcb_svn"}, With([](TdReport& r) { r.tee_tcb_svn[2] ^= 1; })},
            {{"tdx.tee_tcb_svn2"}, With([](TdReport& r) { r.of_15->tee_tcb_svn2[2] ^= 1; })},
            {{"tdx.mrservicetd"}, With([](TdReport& r) { r.of_15->mrservicetd[0] ^= 1; })},
            // Launched on an old module, which was updated under it since.
            {{"tdx.relaunch_advised", "tdx.module_tcb_status", "tcb_status", "tcb_date",
              "tdx.tee_tcb_svn"},
             With([](TdReport& r) { r.tee_tcb_svn[0] = 2; })},
            {{"tdx.current_tcb_status", "tdx.tee_tcb_svn2"},
             With([](TdReport& r) { r.of_15->tee_tcb_svn2[0] = 2; })},
            // TDX 1.0 says less.
            {{"tdx.quote_version", "tdx.tee_tcb_svn2", "tdx.mrservicetd", "tdx.relaunch_advised",
              "tdx.current_tcb_status"},
             machines_->With([](FakeQuote& quote) {
               quote.version = 4;
               std::get<TdReport>(quote.body).of_15.reset();
             })}};
  }

  static inline IntelMachines* machines_ = nullptr;
  static inline TeeLab* lab_ = nullptr;
};

TEST_F(TdxCallers, EveryClaimDecides) {
  std::vector<Variation> variations = OfTd();
  const std::vector<Variation> more = machines_->PlatformVariations();
  variations.insert(variations.end(), more.begin(), more.end());
  CheckThatEveryClaimDecides(*lab_, {"tdx",
                                     machines_->Good(),
                                     std::move(variations),
                                     {{"tdx.report_data", "the session's"},
                                      {"tdx.mrsignerseam", "the module identity's, or refused"},
                                      {"tdx.seamattributes", "the module identity's, or refused"},
                                      {"tdx.qe_mr_signer", "the QE identity's, or refused"}}});
}

TEST_F(TdxCallers, EvidenceIsOfThisSession) {
  CheckThatEvidenceIsOfThisSession(*lab_, "tdx", machines_->Good());
}

TEST_F(TdxCallers, OnlyGenuineQuotesAreAccepted) {
  CheckThatOnlyGenuineQuotesAreAccepted(*lab_, *machines_);
  CheckRefusal(*lab_, "tdx", With([](TdReport& r) { r.mrsignerseam[0] ^= 1; }),
               Code::kEvidenceIdentity, {"wanted", "got"});
  CheckRefusal(*lab_, "tdx", With([](TdReport& r) { r.seamattributes[0] ^= 1; }),
               Code::kEvidenceIdentity, {"wanted", "got"});
}

// Intel's word about the machine has run out, and no newer one was brought.
TEST_F(TdxCallers, LateCollateralIsForPoliciesThatSaySo) {
  const std::string when =
      "{tee: {is: tdx}, measurement: {is: \"" + ToHex(Bytes(48, 0x5a)) + "\"}}";
  const TeeLab::Key strict = lab_->MakeKeyOf(when, "on_verifier_trouble: deny");
  const TeeLab::Key patient = lab_->MakeKeyOf(when, "on_verifier_trouble: use_cached(2h)");
  const TeeLab::Key hasty = lab_->MakeKeyOf(when, "on_verifier_trouble: use_cached(10m)");
  Machine late(lab_->daemon(), "tdx", machines_->OnLate());
  EXPECT_TRUE(TeeLab::Sign(late.caller(), patient).ok());
  for (const TeeLab::Key& key : {strict, hasty}) {
    EXPECT_EQ(TeeLab::Sign(late.caller(), key).code(), Code::kDenied);
    const auto why = lab_->Explain(key).permits.at(0);
    EXPECT_EQ(why.term, "collateral");
    EXPECT_NE(why.got.find(FormatTime(machines_->late_since())), std::string::npos) << why.got;
  }
  // What says nothing is not lenient, and current collateral is good for all of them.
  EXPECT_EQ(TeeLab::Sign(late.caller(), lab_->MakeKey(when)).code(), Code::kDenied);
  Machine good(lab_->daemon(), "tdx", machines_->Good());
  for (const TeeLab::Key& key : {strict, patient, hasty})
    EXPECT_TRUE(TeeLab::Sign(good.caller(), key).ok());
}

// lesson 11: a policy that forgets debug mode does not admit it.
TEST_F(TdxCallers, DebugModeIsRefusedUnasked) {
  const TeeLab::Key key = lab_->MakeKey("tdx", ToHex(Bytes(48, 0x5a)));
  Machine good(lab_->daemon(), "tdx", machines_->Good());
  EXPECT_TRUE(TeeLab::Sign(good.caller(), key).ok());
  Machine machine(lab_->daemon(), "tdx", InDebugMode());
  EXPECT_EQ(TeeLab::Sign(machine.caller(), key).code(), Code::kDenied);
  EXPECT_EQ(lab_->Explain(key).permits.at(0).got, "true");
}

}  // namespace
}  // namespace keyclave::test
