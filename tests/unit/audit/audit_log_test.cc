#include "tests/unit/audit/audit_fixture.h"

namespace keyclave::audit {
namespace {

TEST_F(AuditLogTest, ChainContinuesAfterReopening) {
  Open()->Write("start", {}).ok();
  {
    auto log = Open();
    EXPECT_EQ(log->next_sequence(), 2U);
    EXPECT_TRUE(log->Write("start", {}).ok());
  }
  const auto lines = Open()->Read(1, 10).value();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_TRUE(VerifyAuditLines(lines, {}).ok());
}

TEST_F(AuditLogTest, VerifiesChainAndCheckpointSignature) {
  const auto report = Verify(SampleLines());
  ASSERT_TRUE(report.ok()) << report.error().Text();
  EXPECT_EQ(report->records, 7U);
  EXPECT_EQ(report->checkpoints, 1U);
  EXPECT_EQ(report->unsigned_tail, 1U);
}

TEST_F(AuditLogTest, FindsEveryTampering) {
  const auto good = SampleLines();
  const auto broken = [&](std::vector<std::string> lines) {
    const auto report = Verify(lines);
    return !report.ok() && report.code() == Code::kAuditBroken;
  };
  for (size_t i = 0; i + 1 < good.size(); ++i) {
    auto removed = good;
    removed.erase(removed.begin() + static_cast<ptrdiff_t>(i));
    EXPECT_TRUE(broken(removed)) << "removed " << i;
    auto swapped = good;
    std::swap(swapped[i], swapped[i + 1]);
    EXPECT_TRUE(broken(swapped)) << "swapped " << i;
  }
  for (size_t i = 0; i < good.size(); ++i) {
    for (size_t at = 0; at < good[i].size(); ++at) {
      auto edited = good;
      edited[i][at] = static_cast<char>(edited[i][at] ^ 1);
      EXPECT_TRUE(broken(edited)) << "line " << i << " byte " << at;
    }
  }
}

TEST_F(AuditLogTest, ALineIsReadToItsEnd) {
  const std::string good = SampleLines().front();
  ASSERT_TRUE(ParseLine(good).ok());
  // What stands behind a NUL would be hashed and not read.
  const std::string tail = good.substr(good.find(",\"hash\""));
  const auto bad = ParseLine(good + std::string(1, '\0') + "{\"more\":1" + tail);
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.code(), Code::kAuditBroken);
}

TEST_F(AuditLogTest, AnotherKeysCheckpointIsRefused) {
  Signer other;
  EXPECT_EQ(VerifyAuditLines(SampleLines(), {.public_key = other.Spki()}).code(),
            Code::kAuditBroken);
}

TEST_F(AuditLogTest, HalfLineOfACrashIsCutOff) {
  EXPECT_TRUE(Open()->Write("start", {}).ok());
  std::ofstream(NewestFile(), std::ios::app) << R"({"seq":2,"ti)";
  auto log = Open();
  ASSERT_NE(log, nullptr);
  EXPECT_TRUE(log->Write("start", {}).ok());
  EXPECT_TRUE(VerifyAuditLines(log->Read(1, 10).value(), {}).ok());
}

TEST_F(AuditLogTest, EditedFileIsRefusedAtOpen) {
  SampleLines();
  {
    std::fstream file(NewestFile());
    file.seekp(20);
    file.put('X');
  }
  const auto log = AuditLog::Open(directory_, clock_, signer_.Sign());
  ASSERT_FALSE(log.ok());
  EXPECT_EQ(log.code(), Code::kAuditBroken);
}

TEST_F(AuditLogTest, ReadsPagesFromASequenceNumber) {
  SampleLines();
  const auto lines = Open()->Read(3, 2).value();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_NE(lines[0].find("\"seq\":3"), std::string::npos);
}

}  // namespace
}  // namespace keyclave::audit
