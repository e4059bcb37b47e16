// Callers in Arm CCA realms, through the real daemon.
#include <gtest/gtest.h>

#include "tests/e2e/tee_lab.h"
#include "tests/fakes/fake_cca.h"

namespace keyclave::test {
namespace {

class CcaCallers : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    cca_ = new FakeCca;
    lab_ = new TeeLab({"cca"}, cca_->OwnTrust());
  }
  static void TearDownTestSuite() {
    delete lab_;
    delete cca_;
  }
  static Signer Of(const FakeCca& cca, bool debug = false) {
    return [cca, debug](const attest::ReportData& report_data) {
      return cca.Evidence(report_data, SystemClock().Now(), debug);
    };
  }
  static inline FakeCca* cca_ = nullptr;
  static inline TeeLab* lab_ = nullptr;
};

TEST_F(CcaCallers, TheRightRealmSignsAndAnotherIsToldWhy) {
  Machine machine(lab_->daemon(), "cca", Of(*cca_));
  EXPECT_TRUE(TeeLab::Sign(machine.caller(), lab_->MakeKey("cca", cca_->Measurement())).ok());
  const TeeLab::Key other = lab_->MakeKey("cca", std::string(64, '0'));
  EXPECT_EQ(TeeLab::Sign(machine.caller(), other).code(), Code::kDenied);
  EXPECT_EQ(lab_->Explain(other).permits.at(0).got, cca_->Measurement());
}

TEST_F(CcaCallers, EvidenceIsOfThisSession) {
  CheckThatEvidenceIsOfThisSession(*lab_, "cca", Of(*cca_));
}

// lesson 11: a policy that forgets debug mode does not admit it.
TEST_F(CcaCallers, DebugModeIsRefusedUnasked) {
  const TeeLab::Key key = lab_->MakeKey("cca", cca_->MeasurementInDebug());
  Machine machine(lab_->daemon(), "cca", Of(*cca_, true));
  EXPECT_EQ(TeeLab::Sign(machine.caller(), key).code(), Code::kDenied);
}

TEST_F(CcaCallers, APlatformThatNobodyEnrolledIsRefused) {
  CheckRefusal(*lab_, "cca", Of(FakeCca()), Code::kEvidenceChain, {});
}

}  // namespace
}  // namespace keyclave::test
