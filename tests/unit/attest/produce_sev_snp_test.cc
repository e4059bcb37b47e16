// SEV-SNP reports, by configfs-tsm and by /dev/sev-guest.

#include "attest/produce/sev_guest.h"
#include "enclave/base/byte_reader.h"
#include "tests/fakes/fake_guests.h"
#include "tests/unit/attest/produce_fixture.h"

namespace keyclave::attest {
namespace {

using fakes::Call;
using fakes::FakeTsm;
using fakes::FormOfSnpReport;
using fakes::SnpCertificates;

Bytes Joined(Bytes report, const Bytes& certificates) {
  report.insert(report.end(), certificates.begin(), certificates.end());
  return report;
}

class ProduceSnpTest : public ProduceTest {
 protected:
  ProduceSnpTest() {
    tsm_.floor = "0";
    tsm_.make = [](const FakeTsm::Item& item) {
      ReportData carried{};
      std::copy(item.inblob.begin(), item.inblob.end(), carried.begin());
      return FormOfSnpReport(carried, static_cast<uint32_t>(std::stoul(item.privlevel)));
    };
  }
  void TearDown() override {
    EXPECT_TRUE(tsm_.items.empty());
    ProduceTest::TearDown();
  }
  FakeTsm tsm_;
  fakes::FakeSevGuest guest_;
};

TEST_F(ProduceSnpTest, ByConfigfsWithItsCertificates) {
  host_.Add(tsm_);
  tsm_.auxblob = SnpCertificates(3000);
  const auto evidence = ProduceSevSnp(report_data_, Config());
  ASSERT_TRUE(evidence.ok()) << evidence.error().Text();
  EXPECT_EQ(*evidence, Joined(FormOfSnpReport(report_data_, 0), SnpCertificates(3000)));
}

TEST_F(ProduceSnpTest, ByConfigfsWithoutCertificates) {
  host_.Add(tsm_);
  EXPECT_EQ(*ProduceSevSnp(report_data_, Config()), FormOfSnpReport(report_data_, 0));
  tsm_.auxblob = Bytes();
  EXPECT_EQ(*ProduceSevSnp(report_data_, Config()), FormOfSnpReport(report_data_, 0));
  tsm_.auxblob = SnpCertificates(100);
  host_.FailNext(Call::kRead, "auxblob", EIO);
  EXPECT_EQ(*ProduceSevSnp(report_data_, Config()), FormOfSnpReport(report_data_, 0));
}

TEST_F(ProduceSnpTest, ConfigfsIsAskedForTheGuestsOwnLevel) {
  host_.Add(tsm_);
  tsm_.floor = "2";
  const auto evidence = ProduceSevSnp(report_data_, Config());
  ASSERT_TRUE(evidence.ok()) << evidence.error().Text();
  EXPECT_EQ(*evidence, FormOfSnpReport(report_data_, 2));
  EXPECT_EQ(tsm_.made, 1);  // the second write is expected, too
}

TEST_F(ProduceSnpTest, AConfigfsReportOfAnotherSizeIsRefused) {
  host_.Add(tsm_);
  for (const size_t size : {1u, 1183u, 1185u, 1216u, 4000u}) {
    tsm_.make = [size](const FakeTsm::Item&) { return Bytes(size, 1); };
    ExpectUnavailable(ProduceSevSnp(report_data_, Config()),
                      {"wanted 1184", std::to_string(size), "/dev/sev-guest"});
  }
}

TEST_F(ProduceSnpTest, AConfigfsReportOfOtherDataIsRefused) {
  host_.Add(tsm_);
  tsm_.make = [](const FakeTsm::Item&) { return FormOfSnpReport({}, 0); };
  ExpectUnavailable(ProduceSevSnp(report_data_, Config()), {"other report data"});
}

TEST_F(ProduceSnpTest, TheDeviceStandsInWhereConfigfsFails) {
  host_.Add(guest_);
  EXPECT_EQ(*ProduceSevSnp(report_data_, Config()), FormOfSnpReport(report_data_, 0));
  host_.Add(tsm_);
  host_.FailNext(Call::kMakeFolder, "", EACCES);
  EXPECT_EQ(*ProduceSevSnp(report_data_, Config()), FormOfSnpReport(report_data_, 0));
  EXPECT_EQ(guest_.extended_reports, 2);
}

TEST_F(ProduceSnpTest, TheDevicesCertificatesComeWithTheReport) {
  host_.Add(guest_);
  guest_.certificates = SnpCertificates(9000);
  EXPECT_EQ(*ProduceSevSnp(report_data_, Config()),
            Joined(FormOfSnpReport(report_data_, 0), SnpCertificates(9000)));
  EXPECT_EQ(guest_.extended_reports, 1);
}

TEST_F(ProduceSnpTest, TheBufferGrowsToWhatTheHostHas) {
  host_.Add(guest_);
  guest_.certificates = SnpCertificates(30000);
  guest_.most_certificates = 0x10000;
  EXPECT_EQ(*ProduceSevSnp(report_data_, Config()),
            Joined(FormOfSnpReport(report_data_, 0), SnpCertificates(30000)));
  EXPECT_EQ(guest_.extended_reports, 2);
}

TEST_F(ProduceSnpTest, WithoutCertificatesWhereTheirBufferCannotBeHad) {
  host_.Add(guest_);
  guest_.certificates = SnpCertificates(30000);
  // The driver says how much it needs, and takes less; or what it says makes no sense.
  for (const uint32_t needed : {0u, 1u, 4096u, 16384u, 20481u, 65536u, 1u << 30, UINT32_MAX}) {
    guest_.needed = needed;
    guest_.plain_reports = 0;
    guest_.extended_reports = 0;
    EXPECT_EQ(*ProduceSevSnp(report_data_, Config()), FormOfSnpReport(report_data_, 0)) << needed;
    EXPECT_EQ(guest_.plain_reports, 1);
    EXPECT_LE(guest_.extended_reports, 2);
  }
}

TEST_F(ProduceSnpTest, ADriverWithoutExtendedReports) {
  host_.Add(guest_);
  guest_.has_extended = false;
  EXPECT_EQ(*ProduceSevSnp(report_data_, Config()), FormOfSnpReport(report_data_, 0));
}

TEST_F(ProduceSnpTest, TheDeviceIsAskedForTheGuestsOwnLevel) {
  host_.Add(guest_);
  for (const uint32_t vmpl : {1u, 2u, 3u}) {
    guest_.own_vmpl = vmpl;
    EXPECT_EQ(*ProduceSevSnp(report_data_, Config()), FormOfSnpReport(report_data_, vmpl));
  }
  guest_.own_vmpl = 4;  // no level is good enough
  ExpectUnavailable(ProduceSevSnp(report_data_, Config()), {"refuses a report", "0x16"});
}

TEST_F(ProduceSnpTest, ABusyDeviceIsWaitedFor) {
  host_.Add(guest_);
  host_.FailNext(Call::kIoctl, "sev-guest", EAGAIN, 3);
  host_.FailNext(Call::kIoctl, "sev-guest", EINTR, 3);
  EXPECT_TRUE(ProduceSevSnp(report_data_, Config()).ok());
  host_.FailNext(Call::kIoctl, "sev-guest", EAGAIN, 1000);
  ExpectUnavailable(ProduceSevSnp(report_data_, Config()), {"Resource temporarily unavailable"});
}

TEST_F(ProduceSnpTest, EachMissingPieceIsNamed) {
  ExpectUnavailable(ProduceSevSnp(report_data_, Config()),
                    {"/sys/kernel/config/tsm/report", "/dev/sev-guest", "No such file",
                     "Linux 5.19", "modprobe sev-guest"});
  host_.Add(guest_);
  host_.FailNext(Call::kOpen, "/dev/sev-guest", EACCES);
  ExpectUnavailable(ProduceSevSnp(report_data_, Config()), {"Permission denied", "udev"});
  guest_.vmpck_lost = true;
  ExpectUnavailable(ProduceSevSnp(report_data_, Config()), {"VMPCK", "restart this guest"});
}

TEST_F(ProduceSnpTest, TheDriversAndTheFirmwaresErrorsAreTold) {
  host_.Add(guest_);
  host_.FailNext(Call::kIoctl, "sev-guest", EIO);
  ExpectUnavailable(ProduceSevSnp(report_data_, Config()),
                    {"Input/output error", "hypervisor's error 0x0", "firmware's"});
  guest_.status = 0x27;
  ExpectUnavailable(ProduceSevSnp(report_data_, Config()), {"refuses a report", "status 0x27"});
}

TEST_F(ProduceSnpTest, AResponseThatMakesNoSenseIsRefused) {
  host_.Add(guest_);
  for (const uint32_t size : {1u, 1183u, 1185u, 4000u, UINT32_MAX}) {
    guest_.report_size = size;
    ExpectUnavailable(ProduceSevSnp(report_data_, Config()), {"wanted 1184", std::to_string(size)});
  }
  guest_.report_size = 0;
  guest_.diverted = {1};
  ExpectUnavailable(ProduceSevSnp(report_data_, Config()), {"other report data"});
}

TEST_F(ProduceSnpTest, ATableThatIsTooLargeIsLeftOut) {
  host_.Add(tsm_);
  tsm_.auxblob = SnpCertificates(kMaxEvidence - kSnpReportSize - 48);
  EXPECT_EQ(ProduceSevSnp(report_data_, Config())->size(), kMaxEvidence);
  tsm_.auxblob = SnpCertificates(kMaxEvidence - kSnpReportSize - 47);
  EXPECT_EQ(ProduceSevSnp(report_data_, Config())->size(), kSnpReportSize);
}

Bytes Table(uint32_t offset, uint32_t length, bool terminated, size_t size) {
  ByteWriter writer;
  writer.Put(ByteArray<16>{9});
  writer.PutLe(offset);
  writer.PutLe(length);
  Bytes table = std::move(writer).Finish();
  if (!terminated) return table;
  table.resize(size);
  return table;
}

TEST(SnpCertificateTable, IsCutBehindItsLastCertificate) {
  EXPECT_EQ(CutCertificates(Table(48, 10, true, 4096)).size(), 58u);
  EXPECT_EQ(CutCertificates(Table(48, 10, true, 58)).size(), 58u);
  EXPECT_TRUE(CutCertificates(Table(48, 10, true, 57)).empty());
}

TEST(SnpCertificateTable, ThatIsNoneIsLeftOut) {
  EXPECT_TRUE(CutCertificates({}).empty());
  EXPECT_TRUE(CutCertificates(Bytes(23)).empty());
  EXPECT_TRUE(CutCertificates(Bytes(4096)).empty());
  EXPECT_TRUE(CutCertificates(Table(0, 4, false, 0)).empty());  // no entry that ends it
  EXPECT_TRUE(CutCertificates(Bytes(4096, 0xff)).empty());
  // The sum does not fit into 32 bits.
  EXPECT_TRUE(CutCertificates(Table(100, 0xFFFFFFF0, true, 4096)).empty());
  EXPECT_TRUE(CutCertificates(Table(UINT32_MAX, UINT32_MAX, true, 4096)).empty());
}

}  // namespace
}  // namespace keyclave::attest
