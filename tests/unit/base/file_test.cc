#include "enclave/base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

namespace keyclave {
namespace {

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "kc-file-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string Path(const char* name) const { return directory_ + "/" + name; }
  std::string directory_;
};

TEST_F(FileTest, WritesOnceAndReadsBack) {
  const Bytes content = ToBytes("content");
  ASSERT_TRUE(WriteNewFile(Path("a"), content, 0640).ok());
  EXPECT_EQ(ReadFile(Path("a"), 7).value(), content);
  struct stat info {};
  ASSERT_EQ(stat(Path("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0640U);
  EXPECT_FALSE(WriteNewFile(Path("a"), content, 0640).ok());
}

TEST_F(FileTest, ReplacesWholeAndLeavesNoTemporary) {
  ASSERT_TRUE(WriteNewFile(Path("a"), ToBytes("old"), 0600).ok());
  ASSERT_TRUE(ReplaceFile(Path("a"), ToBytes("new"), 0600).ok());
  EXPECT_EQ(ReadFile(Path("a"), 100).value(), ToBytes("new"));
  EXPECT_FALSE(std::filesystem::exists(Path("a.new")));
}

TEST_F(FileTest, NamesPathAndReason) {
  const auto missing = ReadFile(Path("missing"), 10);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.code(), Code::kNotFound);
  EXPECT_NE(missing.error().Text().find(Path("missing")), std::string::npos);
  ASSERT_TRUE(WriteNewFile(Path("b"), ToBytes("12345678"), 0600).ok());
  EXPECT_EQ(ReadFile(Path("b"), 7).code(), Code::kTooLarge);
}

}  // namespace
}  // namespace keyclave
