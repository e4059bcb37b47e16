// SGX quotes inside Gramine and Occlum.

#include "attest/produce/quote.h"
#include "tests/fakes/fake_enclaves.h"
#include "tests/unit/attest/produce_fixture.h"

namespace keyclave::attest {
namespace {

using fakes::Call;

class ProduceSgxTest : public ProduceTest {
 protected:
  fakes::FakeGramine gramine_;
  fakes::FakeOcclum occlum_;
};

TEST_F(ProduceSgxTest, GramineGivesAQuoteOfOurReportData) {
  host_.Add(gramine_);
  const auto quote = ProduceSgx(report_data_, Config());
  ASSERT_TRUE(quote.ok()) << quote.error().Text();
  EXPECT_EQ(*quote, fakes::FormOfSgxQuote(report_data_));
  EXPECT_EQ(gramine_.report_data, report_data_);
}

TEST_F(ProduceSgxTest, GramineByShortReadsAndWritesAndInterruptions) {
  host_.Add(gramine_);
  host_.most_at_once = 5;
  host_.FailNext(Call::kRead, "quote", EINTR, 3);
  host_.FailNext(Call::kWrite, "user_report_data", EINTR, 3);
  host_.FailNext(Call::kOpen, "quote", EAGAIN, 2);
  const auto quote = ProduceSgx(report_data_, Config());
  ASSERT_TRUE(quote.ok()) << quote.error().Text();
  EXPECT_EQ(*quote, fakes::FormOfSgxQuote(report_data_));
}

TEST_F(ProduceSgxTest, PaddingIsCutOff) {
  host_.Add(gramine_);
  gramine_.padding = 4000;
  EXPECT_EQ(*ProduceSgx(report_data_, Config()), fakes::FormOfSgxQuote(report_data_));
}

TEST_F(ProduceSgxTest, AnotherThreadsReportDataAreNotHandedOn) {
  host_.Add(gramine_);
  int disturbances = 3;
  gramine_.before_quote = [&] {
    if (disturbances-- > 0) gramine_.report_data[0] ^= 1;
  };
  EXPECT_EQ(*ProduceSgx(report_data_, Config()), fakes::FormOfSgxQuote(report_data_));
  gramine_.before_quote = [&] { gramine_.report_data[63] ^= 1; };
  ExpectUnavailable(ProduceSgx(report_data_, Config()), {"other report data", "thread"});
  EXPECT_LE(host_.slept(), 2 * std::chrono::seconds(5));
}

TEST_F(ProduceSgxTest, GramineWithoutAttestationSaysWhatTheManifestLacks) {
  host_.Add(gramine_);
  for (const char* type : {"none", "epid", ""}) {
    gramine_.type = type;
    ExpectUnavailable(ProduceSgx(report_data_, Config()),
                      {"attestation_type", type, "sgx.remote_attestation = \"dcap\""});
  }
}

TEST_F(ProduceSgxTest, GramineWithoutQuotingService) {
  host_.Add(gramine_);
  gramine_.quoting_works = false;
  ExpectUnavailable(ProduceSgx(report_data_, Config()),
                    {"/dev/attestation/quote", "Permission denied", "aesmd"});
}

TEST_F(ProduceSgxTest, GramineThatDoesNotTakeTheReportData) {
  host_.Add(gramine_);
  host_.FailNext(Call::kClose, "user_report_data", EACCES);
  ExpectUnavailable(ProduceSgx(report_data_, Config()), {"user_report_data", "Permission denied"});
}

TEST_F(ProduceSgxTest, OutsideOfAnyEnclave) {
  ExpectUnavailable(
      ProduceSgx(report_data_, Config()),
      {"/dev/attestation/attestation_type", "No such file", "Gramine", "/dev/sgx", "Occlum"});
}

TEST_F(ProduceSgxTest, OcclumGivesAQuoteOfOurReportData) {
  host_.Add(occlum_);
  const auto quote = ProduceSgx(report_data_, Config());
  ASSERT_TRUE(quote.ok()) << quote.error().Text();
  EXPECT_EQ(*quote, fakes::FormOfSgxQuote(report_data_));
}

TEST_F(ProduceSgxTest, OcclumIsAskedBeforeItsEndlessFiles) {
  host_.Add(occlum_);
  occlum_.has_files = true;
  EXPECT_TRUE(ProduceSgx(report_data_, Config()).ok());
  // And if it were not, a file without end is no trap.
  occlum_.is_occlum = false;
  ExpectUnavailable(ProduceSgx(report_data_, Config()), {"File too large"});
}

TEST_F(ProduceSgxTest, OcclumMayAnnounceMoreThanTheQuoteHas) {
  host_.Add(occlum_);
  occlum_.quote_size = 5000;
  EXPECT_EQ(*ProduceSgx(report_data_, Config()), fakes::FormOfSgxQuote(report_data_));
}

TEST_F(ProduceSgxTest, OcclumAnnouncesNonsense) {
  host_.Add(occlum_);
  for (const uint32_t size : {uint32_t{kMaxEvidence} + 1, UINT32_MAX}) {
    occlum_.quote_size = size;
    ExpectUnavailable(ProduceSgx(report_data_, Config()), {"/dev/sgx", std::to_string(size)});
  }
  occlum_.quote_size = 10;  // too small for the ioctl
  ExpectUnavailable(ProduceSgx(report_data_, Config()), {"/dev/sgx", "aesmd"});
}

TEST_F(ProduceSgxTest, OcclumThatIsBusyIsWaitedFor) {
  host_.Add(occlum_);
  host_.FailNext(Call::kIoctl, "/dev/sgx", EBUSY, 4);
  EXPECT_TRUE(ProduceSgx(report_data_, Config()).ok());
  EXPECT_GT(host_.slept().count(), 0);
}

TEST_F(ProduceSgxTest, OcclumWithoutQuotingService) {
  host_.Add(occlum_);
  occlum_.quoting_works = false;
  ExpectUnavailable(ProduceSgx(report_data_, Config()), {"/dev/sgx", "size of a quote", "aesmd"});
}

TEST_F(ProduceSgxTest, OcclumsQuoteOfOtherReportDataIsRefused) {
  host_.Add(occlum_);
  occlum_.diverted = report_data_;
  occlum_.diverted[63] ^= 0x80;
  ExpectUnavailable(ProduceSgx(report_data_, Config()), {"other report data"});
}

TEST_F(ProduceSgxTest, ASgxDriversOwnDeviceIsNoOcclum) {
  host_.Add(occlum_);
  host_.Add(gramine_);
  occlum_.is_occlum = false;
  EXPECT_TRUE(ProduceSgx(report_data_, Config()).ok());
  EXPECT_EQ(gramine_.report_data, report_data_);
}

TEST(Quote, IsCutToItsOwnLength) {
  const ReportData report_data = {1, 2, 3};
  for (const Bytes& whole :
       {fakes::FormOfSgxQuote(report_data), fakes::FormOfTdxQuote(4, report_data),
        fakes::FormOfTdxQuote(5, report_data)}) {
    for (size_t size = 0; size < whole.size(); ++size)
      ASSERT_FALSE(CutQuote(ByteSpan(whole).first(size)).ok()) << size;
    EXPECT_EQ(*CutQuote(whole), whole);
    Bytes padded = whole;
    padded.resize(padded.size() + 1);
    EXPECT_EQ(*CutQuote(padded), whole);
    EXPECT_TRUE(CarriesReportData(whole, report_data));
    EXPECT_FALSE(CarriesReportData(whole, {}));
    EXPECT_FALSE(CarriesReportData(ByteSpan(whole).first(100), report_data));
  }
}

TEST(Quote, OtherVersionsAndBodiesAreRefused) {
  Bytes quote = fakes::FormOfTdxQuote(5, {});
  for (const uint8_t version : std::initializer_list<uint8_t>{0, 1, 2, 6, 255}) {
    quote[0] = version;
    EXPECT_FALSE(CutQuote(quote).ok()) << int{version};
  }
  quote[0] = 5;
  ASSERT_TRUE(CutQuote(quote).ok());
  quote[50] ^= 1;  // the body's size
  EXPECT_FALSE(CutQuote(quote).ok());
}

}  // namespace
}  // namespace keyclave::attest
