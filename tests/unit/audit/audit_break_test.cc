// Logs that lost something, files that are full, disks that are.
#include <sys/resource.h>

#include <csignal>

#include "tests/unit/audit/audit_fixture.h"

namespace keyclave::audit {
namespace {

class AuditBreakTest : public AuditLogTest {
 protected:
  // Small files: some ten records each.
  static LogSettings Small() { return {.max_file = 2000, .checkpoint_every = 1000}; }
  std::unique_ptr<AuditLog> OpenKnowing(const std::optional<Mark>& known,
                                        const LogSettings& settings = {}) {
    auto log = AuditLog::Open(directory_, clock_, signer_.Sign(), known, settings);
    EXPECT_TRUE(log.ok()) << log.error().Text();
    return log.ok() ? std::move(log).value() : nullptr;
  }
  void ExpectBroken(const Mark& known, const std::string& part) {
    const auto log = AuditLog::Open(directory_, clock_, signer_.Sign(), known);
    ASSERT_FALSE(log.ok());
    EXPECT_EQ(CodeName(log.code()), CodeName(Code::kAuditBroken));
    EXPECT_NE(log.error().Text().find(part), std::string::npos) << log.error().Text();
  }
  static void WriteSome(AuditLog& log, int records) {
    for (int i = 0; i < records; ++i)
      ASSERT_TRUE(log.Write("denial", {{"key", std::to_string(i)}}).ok());
  }
  void CutTo(size_t lines) {
    std::ifstream in(NewestFile());
    std::string kept;
    std::string line;
    for (size_t i = 0; i < lines && std::getline(in, line); ++i) kept += line + "\n";
    std::ofstream(NewestFile(), std::ios::trunc) << kept;
  }
};

TEST_F(AuditBreakTest, ACutOffEndIsNoticedByWhatIsRemembered) {
  SampleLines();
  const Mark known = Open()->head().value();
  EXPECT_EQ(known.sequence, 6U);
  EXPECT_NE(OpenKnowing(known), nullptr);
  CutTo(5);
  EXPECT_NE(Open(), nullptr) << "by itself the chain is whole";
  ExpectBroken(known, "the log ends at record 5");
  std::filesystem::remove(NewestFile());
  ExpectBroken(known, "the log ends at record 0");
}

TEST_F(AuditBreakTest, AnotherLogInItsPlaceIsNoticed) {
  SampleLines();
  const Mark known = Open()->head().value();
  std::filesystem::remove(NewestFile());
  {
    auto other = Open();
    WriteSome(*other, 12);
  }
  ExpectBroken(known, "another record has its number");
}

TEST_F(AuditBreakTest, AnEndThatDoesNotFollowFromWhatIsRememberedIsNoticed) {
  Mark known;
  {
    auto log = OpenKnowing({}, Small());
    WriteSome(*log, 5);
    ASSERT_TRUE(log->Checkpoint().ok());
    known = log->head().value();
    WriteSome(*log, 40);
    ASSERT_GT(log->file_number(), 2U);
  }
  EXPECT_NE(OpenKnowing(known), nullptr);
  // Each file by itself is whole, and the newest one is untouched.
  std::filesystem::remove(directory_ + "/00000002.jsonl");
  ExpectBroken(known, "stands where record");
}

TEST_F(AuditBreakTest, AfterABreakItGoesOnInANewFileThatSaysSo) {
  SampleLines();
  const Mark known = Open()->head().value();
  CutTo(3);
  {
    auto log = AuditLog::OpenBroken(directory_, clock_, signer_.Sign(), known).value();
    WriteSome(*log, 1);
    EXPECT_EQ(log->next_sequence(), 10U) << "no number is given twice";
  }
  auto log = Open();
  const auto lines = log->Read(7, 100).value();
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_NE(lines[1].find("\"event\":\"break\""), std::string::npos) << lines[1];
  EXPECT_NE(lines[1].find("\"last_found\":\"3\""), std::string::npos) << lines[1];
  EXPECT_NE(lines[1].find("\"remembered\":\"6\""), std::string::npos) << lines[1];
  EXPECT_TRUE(Verify(lines, {}, /*from_checkpoint=*/true).ok());
  EXPECT_EQ(Verify(log->Read(1, 100).value()).code(), Code::kAuditBroken)
      << "a break stays visible to who checks it all";
  const Mark next = log->head().value();
  EXPECT_EQ(next.sequence, 7U);
  log.reset();
  EXPECT_NE(OpenKnowing(next), nullptr);
}

TEST_F(AuditBreakTest, ADamagedFileIsLeftAsItIs) {
  SampleLines();
  std::ofstream(NewestFile(), std::ios::app) << "garbage\n";
  const auto size = std::filesystem::file_size(NewestFile());
  EXPECT_EQ(AuditLog::Open(directory_, clock_, signer_.Sign()).code(), Code::kAuditBroken);
  ASSERT_TRUE(AuditLog::OpenBroken(directory_, clock_, signer_.Sign(), {}).ok());
  EXPECT_EQ(std::filesystem::file_size(NewestFile()), size);
  EXPECT_NE(Open(), nullptr);
}

TEST_F(AuditBreakTest, AnEmptyNewestFileIsWhatACrashLeaves) {
  SampleLines();
  std::ofstream(directory_ + "/00000002.jsonl").flush();
  {
    auto log = Open();
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(log->next_sequence(), 8U);
    WriteSome(*log, 1);
    EXPECT_TRUE(Verify(log->Read(1, 100).value()).ok());
  }
  std::ofstream(directory_ + "/00000003.jsonl").flush();
  std::ofstream(directory_ + "/00000002.jsonl", std::ios::trunc).flush();
  EXPECT_EQ(AuditLog::Open(directory_, clock_, signer_.Sign()).code(), Code::kAuditBroken);
}

TEST_F(AuditBreakTest, FilesBeginWithACheckpointSoThatOlderOnesMayGo) {
  auto log = OpenKnowing({}, Small());
  WriteSome(*log, 60);
  ASSERT_GT(log->file_number(), 3U);
  EXPECT_TRUE(Verify(log->Read(1, 100).value()).ok());
  std::filesystem::remove(directory_ + "/00000001.jsonl");
  std::filesystem::remove(directory_ + "/00000002.jsonl");
  auto lines = log->Read(1, 100).value();
  EXPECT_EQ(Verify(lines).code(), Code::kAuditBroken);
  const auto report = Verify(lines, {}, /*from_checkpoint=*/true);
  ASSERT_TRUE(report.ok()) << report.error().Text();
  EXPECT_GT(report->first, 1U);
  EXPECT_EQ(VerifyAuditLines(lines, {.from_checkpoint = true}).code(), Code::kInvalidArgument)
      << "without the key nothing vouches for the first line";
  lines.erase(lines.begin());
  EXPECT_EQ(Verify(lines, {}, true).code(), Code::kAuditBroken) << "no checkpoint";
}

TEST_F(AuditBreakTest, CheckpointsComeByCount) {
  auto log = OpenKnowing({}, {.max_file = 1 << 20, .checkpoint_every = 10});
  WriteSome(*log, 95);
  const auto report = Verify(log->Read(1, 1000).value());
  ASSERT_TRUE(report.ok()) << report.error().Text();
  EXPECT_GE(report->checkpoints, 8U);
  EXPECT_LE(report->unsigned_tail, 10U);
}

TEST_F(AuditBreakTest, ACopyIsHeldAgainstWhatWasSeenEarlier) {
  auto lines = SampleLines();
  auto log = Open();
  const Mark seen = log->head().value();
  EXPECT_TRUE(Verify(lines, {seen}).ok());
  EXPECT_EQ(ParseMark(MarkText(seen)).value(), seen);
  lines.resize(5);
  EXPECT_TRUE(Verify(lines).ok()) << "a cut-off end does not show by itself";
  EXPECT_EQ(Verify(lines, {seen}).code(), Code::kAuditBroken);
  Mark other = seen;
  other.hash[0] = other.hash[0] == 'a' ? 'b' : 'a';
  EXPECT_EQ(Verify(log->Read(1, 100).value(), {other}).code(), Code::kAuditBroken);
  for (const std::string& bad :
       std::vector<std::string>{"", "6", "6:", "x:y", "0:" + seen.hash, "6:" + seen.hash + "0",
                                "6:" + std::string(64, 'g'), "-1:" + seen.hash}) {
    EXPECT_EQ(ParseMark(bad).code(), Code::kInvalidArgument) << bad;
  }
}

TEST_F(AuditBreakTest, ManyRecordsAreWrittenAtOnceOrNotAtAll) {
  auto log = Open();
  std::vector<Record> many(100,
                           Record{"usage", {{"count", "1"}, {"claims", "", {{"tee", "tdx"}}}}});
  ASSERT_TRUE(log->WriteAll(many).ok());
  const auto lines = log->Read(1, 1000).value();
  EXPECT_EQ(lines.size(), 100U);
  EXPECT_NE(lines[0].find(R"("claims":{"tee":"tdx"})"), std::string::npos) << lines[0];
  EXPECT_TRUE(Verify(lines).ok());
}

// A disk that is full, for this process: no file may grow beyond what this one has.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(AuditBreakTest, WhatFoundNoRoomIsCountedAndSaidLater) {
  auto log = Open();
  WriteSome(*log, 3);
  EXPECT_TRUE(log->EnsureRoom().ok());
  EXPECT_EQ(log->trouble(), "");
  {
    const FileSizeLimit full(std::filesystem::file_size(NewestFile()) + 40);
    EXPECT_EQ(log->Write("grant", {}).code(), Code::kAuditUnavailable);
    EXPECT_EQ(log->Write("denial", {}).code(), Code::kAuditUnavailable);
    EXPECT_NE(log->trouble(), "");
  }
  WriteSome(*log, 1);
  EXPECT_EQ(log->trouble(), "");
  EXPECT_TRUE(log->EnsureRoom().ok());
  const auto lines = log->Read(1, 100).value();
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_NE(lines[3].find(R"("event":"lost","records":"2")"), std::string::npos) << lines[3];
  EXPECT_TRUE(Verify(lines).ok());
}

}  // namespace
}  // namespace keyclave::audit
