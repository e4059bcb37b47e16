// Reports and certificate tables as bytes: what is well formed.

#include <gtest/gtest.h>

#include "attest/snp/certificate_table.h"
#include "attest/snp/product.h"
#include "attest/snp/report.h"
#include "tests/fakes/fake_snp.h"

namespace keyclave::attest {
namespace {

using test::FakeSnp;
using test::FakeSnpOptions;
using test::FakeTableEntry;

// Made once: RSA keys of 4096 bits take their time.
FakeSnp& Fake() {
  static auto& fake = *new FakeSnp;
  return fake;
}

Bytes Report(uint32_t version) {
  Fake().options() = FakeSnpOptions();
  Fake().options().version = version;
  return Fake().Report(ReportData{});
}

TEST(SnpReport, IsReadInEveryVersion) {
  for (const uint32_t version : {2U, 3U, 4U, 5U}) {
    FakeSnpOptions& options = Fake().options();
    options = FakeSnpOptions();
    options.version = version;
    options.launch_mit_vector = version >= 4 ? 11 : 0;
    const auto report = ParseSnpReport(Fake().Report(ReportData{}));
    ASSERT_TRUE(report.ok()) << report.error().Text();
    EXPECT_EQ(report->version, version);
    EXPECT_EQ(report->guest_svn, options.guest_svn);
    EXPECT_EQ(report->measurement, options.measurement);
    EXPECT_EQ(report->reported_tcb, options.reported_tcb);
    EXPECT_EQ(report->chip_id, options.chip_id);
    EXPECT_EQ(report->cpu.has_value(), version >= 3);
    EXPECT_EQ(report->launch_mit_vector.has_value(), version >= 4);
    EXPECT_EQ(report->current.major, 1);
    EXPECT_EQ(report->current.minor, 55);
    EXPECT_EQ(report->current.build, 29);
  }
}

TEST(SnpReport, OfAnotherSizeIsRefused) {
  const Bytes good = Report(3);
  ASSERT_EQ(good.size(), kSnpReportSize);
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_EQ(ParseSnpReport(ByteSpan(good).first(size)).code(), Code::kTruncated) << size;
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_EQ(ParseSnpReport(longer).code(), Code::kTrailingBytes);
}

TEST(SnpReport, OfAnotherVersionIsRefused) {
  for (const uint32_t version : {0U, 1U, 6U, 0x02000000U, 0xffffffffU})
    EXPECT_EQ(ParseSnpReport(Report(version)).code(), Code::kMalformed) << version;
}

// Offsets, and the versions in which they are reserved.
TEST(SnpReport, ReservedBytesMustBeZeroByVersion) {
  struct Range {
    size_t from;
    size_t to;
    uint32_t until;
  };
  constexpr Range kRanges[] = {{0x4c, 0x4f, 5},   {0x188, 0x18a, 2}, {0x18b, 0x19f, 5},
                               {0x1eb, 0x1eb, 5}, {0x1ef, 0x1ef, 5}, {0x1f8, 0x207, 3},
                               {0x208, 0x29f, 5}, {0x2d0, 0x2e7, 5}, {0x318, 0x32f, 5},
                               {0x330, 0x49f, 5}};
  for (const uint32_t version : {2U, 3U, 4U, 5U}) {
    const Bytes good = Report(version);
    for (const Range& range : kRanges) {
      for (size_t at = range.from; at <= range.to; ++at) {
        Bytes bad = good;
        bad[at] = static_cast<uint8_t>(bad[at] ^ 0x80);
        EXPECT_EQ(ParseSnpReport(bad).ok(), version > range.until) << version << " at " << at;
      }
    }
  }
}

TEST(SnpReport, ReservedBitsMustBeAsTheSpecificationSays) {
  FakeSnpOptions& options = Fake().options();
  const auto parses = [&] { return ParseSnpReport(Fake().Report(ReportData{})).ok(); };
  for (unsigned bit = 0; bit < 64; ++bit) {
    options = FakeSnpOptions();
    options.policy ^= uint64_t{1} << bit;
    EXPECT_EQ(parses(), bit != 17 && bit < 26) << bit;
  }
  options = FakeSnpOptions();
  for (uint32_t key = 0; key < 64; ++key) {
    options.signing_key = key;
    EXPECT_EQ(parses(), key <= 1 || key == 7) << key;
  }
  options = FakeSnpOptions();
  // Firmware has set bits here before a specification named them.
  options.platform_info = ~uint64_t{0};
  EXPECT_TRUE(parses());
  for (const uint32_t vmpl : {4U, 0x100U, 0xffffffffU}) {
    options.vmpl = vmpl;
    EXPECT_FALSE(parses()) << vmpl;
  }
}

TEST(SnpReport, OfAnotherSignatureAlgorithmIsRefused) {
  for (const uint8_t algorithm : {uint8_t{0}, uint8_t{2}, uint8_t{0xff}}) {
    Bytes bad = Report(3);
    bad[0x34] = algorithm;
    EXPECT_EQ(ParseSnpReport(bad).code(), Code::kMalformed);
  }
}

TEST(SnpReport, EveryFieldIsDescribedInTheSpecificationsWords) {
  const auto report = ParseSnpReport(Report(5));
  ASSERT_TRUE(report.ok());
  std::map<std::string, std::string> fields;
  for (const Field& field : DescribeSnpReport(*report)) fields[field.name] = field.value;
  EXPECT_EQ(fields["report.version"], "5");
  EXPECT_EQ(fields["report.policy"], "0x0000000000030000");
  EXPECT_EQ(fields["report.policy.debug"], "false");
  EXPECT_EQ(fields["report.policy.smt_allowed"], "true");
  EXPECT_EQ(fields["report.reported_tcb.microcode"], "213");
  EXPECT_EQ(fields["report.signing_key"], "vcek");
  EXPECT_EQ(fields["report.current_version"], "1.55.29");
  EXPECT_EQ(fields["report.platform_info.alias_check_complete"], "true");
  EXPECT_EQ(fields["report.chip_id"], ToHex(Fake().options().chip_id));
}

TEST(SnpProduct, IsToldByFamilyAndModel) {
  const auto of = [](uint8_t family, uint8_t model) {
    const auto product = SnpProductOfCpu({family, model, 0});
    return product.has_value() ? std::string(SnpProductName(*product)) : std::string();
  };
  EXPECT_EQ(of(0x19, 0x00), "Milan");
  EXPECT_EQ(of(0x19, 0x0f), "Milan");
  EXPECT_EQ(of(0x19, 0x10), "Genoa");
  EXPECT_EQ(of(0x19, 0x1f), "Genoa");
  EXPECT_EQ(of(0x19, 0x20), "");
  EXPECT_EQ(of(0x19, 0x9f), "");
  EXPECT_EQ(of(0x19, 0xa0), "Genoa");  // Bergamo, Siena
  EXPECT_EQ(of(0x19, 0xaf), "Genoa");
  EXPECT_EQ(of(0x19, 0xb0), "");
  EXPECT_EQ(of(0x1a, 0x02), "Turin");
  EXPECT_EQ(of(0x1a, 0x11), "Turin");
  EXPECT_EQ(of(0x1a, 0x50), "");
  EXPECT_EQ(of(0x17, 0x31), "");
  EXPECT_FALSE(SnpProductOfName("").has_value());
  EXPECT_FALSE(SnpProductOfName("Rome").has_value());
  EXPECT_FALSE(SnpProductOfName("MilanX").has_value());
  EXPECT_EQ(SnpProductOfName("Siena-B0"), SnpProduct::kGenoa);
}

class SnpTable : public testing::Test {
 protected:
  const Bytes content_ = Bytes(10, 0xcc);
  static FakeTableEntry Entry(std::string_view name, Bytes bytes,
                              std::optional<uint32_t> offset = std::nullopt,
                              std::optional<uint32_t> length = std::nullopt) {
    return {FakeSnp::Guid(name), std::move(bytes), offset, length};
  }
  static Result<std::vector<SnpTableEntry>> Parse(const std::vector<FakeTableEntry>& entries,
                                                  size_t padding = 0) {
    return ParseSnpTable(FakeSnp::Table(entries, padding));
  }
};

TEST_F(SnpTable, IsReadWithPaddingAndUnknownEntries) {
  const auto table = Parse({Entry("VCEK", content_), {Bytes(16, 0xab), content_}}, 4096);
  ASSERT_TRUE(table.ok()) << table.error().Text();
  ASSERT_EQ(table->size(), 2U);
  EXPECT_EQ((*table)[0].name, "VCEK");
  EXPECT_EQ((*table)[0].guid, "63da758d-e664-4564-adc5-f4b93be8accd");
  EXPECT_TRUE(Equal((*table)[0].bytes, content_));
  EXPECT_EQ((*table)[1].name, "");
  const auto empty = Parse({}, 100);
  ASSERT_TRUE(empty.ok());
  EXPECT_TRUE(empty->empty());
}

TEST_F(SnpTable, EveryTruncationIsRefused) {
  const Bytes good = FakeSnp::Table({Entry("VCEK", content_), Entry("ASK", content_)});
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(ParseSnpTable(ByteSpan(good).first(size)).ok()) << size;
  EXPECT_TRUE(ParseSnpTable(good).ok());
}

TEST_F(SnpTable, WithoutAnEndIsRefused) {
  Bytes endless;
  for (size_t i = 0; i < 100; ++i) endless.insert(endless.end(), 24, static_cast<uint8_t>(i + 1));
  EXPECT_EQ(ParseSnpTable(endless).code(), Code::kTooLarge);
  EXPECT_EQ(ParseSnpTable(ByteSpan(endless).first(48)).code(), Code::kTruncated);
}

TEST_F(SnpTable, OffsetsAndLengthsBeyondItAreRefused) {
  // One entry: header of 48 bytes, contents from 48 to 57.
  struct Place {
    uint32_t offset;
    uint32_t length;
  };
  for (const Place& place :
       {Place{48, 11}, Place{49, 10}, Place{58, 1}, Place{0, 10}, Place{24, 10}, Place{47, 11},
        Place{0xffffffff, 10}, Place{100, 0xfffffff0}, Place{0xffffffff, 0xffffffff},
        Place{48, 0xffffffff}}) {
    EXPECT_FALSE(Parse({Entry("VCEK", content_, place.offset, place.length)}).ok())
        << place.offset << " " << place.length;
  }
}

TEST_F(SnpTable, OverlapsAreRefused) {
  // Two entries: header of 72 bytes, contents from 72 to 91.
  EXPECT_TRUE(Parse({Entry("VCEK", content_), Entry("ASK", content_)}).ok());
  EXPECT_TRUE(Parse({Entry("VCEK", content_, 82), Entry("ASK", content_, 72)}).ok());
  EXPECT_FALSE(Parse({Entry("VCEK", content_, 72), Entry("ASK", content_, 72)}).ok());
  EXPECT_FALSE(Parse({Entry("VCEK", content_, 72), Entry("ASK", content_, 81)}).ok());
  EXPECT_FALSE(Parse({Entry("VCEK", content_, 81), Entry("ASK", content_, 72)}).ok());
  EXPECT_FALSE(Parse({Entry("VCEK", content_, 72, 20), Entry("ASK", content_, 82, 2)}).ok());
}

TEST_F(SnpTable, BytesThatNoEntryNamesMustBeZero) {
  EXPECT_FALSE(Parse({Entry("VCEK", content_, 49, 9)}).ok());
  EXPECT_FALSE(Parse({Entry("VCEK", content_, 48, 9)}).ok());
  Bytes tail = FakeSnp::Table({Entry("VCEK", content_)}, 4);
  tail.back() = 1;
  EXPECT_FALSE(ParseSnpTable(tail).ok());
}

TEST_F(SnpTable, AGuidThatComesTwiceIsRefused) {
  EXPECT_EQ(Parse({Entry("VCEK", content_), Entry("VCEK", content_)}).code(), Code::kMalformed);
}

}  // namespace
}  // namespace keyclave::attest
