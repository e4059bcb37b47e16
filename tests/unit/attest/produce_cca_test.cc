// Arm CCA tokens by configfs-tsm.

#include "tests/fakes/fake_cca.h"
#include "tests/fakes/fake_guests.h"
#include "tests/unit/attest/produce_fixture.h"

namespace keyclave::attest {
namespace {

class ProduceCcaTest : public ProduceTest {
 protected:
  ProduceCcaTest() {
    tsm_.provider = "arm_cca_guest";
    tsm_.make = [this](const fakes::FakeTsm::Item& item) {
      ReportData carried{};
      if (item.inblob.size() == carried.size())
        std::copy(item.inblob.begin(), item.inblob.end(), carried.begin());
      return cca_.Evidence(carried, 0, false);
    };
  }
  fakes::FakeTsm tsm_;
  test::FakeCca cca_;
};

TEST_F(ProduceCcaTest, GivesATokenOfOurReportData) {
  host_.Add(tsm_);
  const auto evidence = ProduceCca(report_data_, Config());
  ASSERT_TRUE(evidence.ok()) << evidence.error().Text();
  const auto parsed = ParseEvidence("cca", *evidence);
  ASSERT_TRUE(parsed.ok()) << parsed.error().Text();
  const Trust trust = cca_.OwnTrust();
  const auto verified = VerifyEvidence(*parsed, {trust, 0, report_data_});
  EXPECT_TRUE(verified.ok()) << verified.error().Text();
  EXPECT_TRUE(tsm_.items.empty());
}

TEST_F(ProduceCcaTest, AnotherGuestIsNoRealm) {
  host_.Add(tsm_);
  tsm_.provider = "tdx_guest";
  ExpectUnavailable(ProduceCca(report_data_, Config()),
                    {"wanted arm_cca_guest", "got tdx_guest", "Arm CCA realm"});
}

TEST_F(ProduceCcaTest, OutsideOfAnyGuest) {
  ExpectUnavailable(ProduceCca(report_data_, Config()),
                    {"/sys/kernel/config/tsm/report", "modprobe arm-cca-guest", "Linux 6.13"});
}

}  // namespace
}  // namespace keyclave::attest
