#include "enclave/base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <type_traits>

namespace keyclave {
namespace {

// An error never becomes a truth, a number or a pointer.
static_assert(!std::is_convertible_v<Result<int>, bool>);
static_assert(!std::is_convertible_v<Result<int>, int>);
static_assert(!std::is_convertible_v<Status, bool>);
static_assert(!std::is_convertible_v<Error, bool>);
static_assert(!std::is_constructible_v<bool, Result<int>>);
static_assert(!std::is_constructible_v<bool, Status>);

struct Row {
  int number;
  Code code;
  std::string_view name;
  std::string_view sentence;
};
constexpr Row kRows[] = {
#define KC_CODE(number, name, sentence) {number, Code::name, #name, sentence},
#include "enclave/base/error_codes.inc"
#undef KC_CODE
};

TEST(Codes, EveryRowHasItsNumberNameAndSentence) {
  std::set<std::string_view> sentences;
  for (const Row& row : kRows) {
    EXPECT_EQ(static_cast<int>(row.code), row.number);
    EXPECT_EQ(CodeFromNumber(static_cast<uint64_t>(row.number)), row.code);
    EXPECT_EQ("k" + std::string(CodeName(row.code)), row.name);
    EXPECT_EQ(Sentence(row.code), row.sentence);
    EXPECT_FALSE(row.sentence.empty());
    EXPECT_FALSE(row.sentence.ends_with('.')) << row.sentence;
    EXPECT_TRUE(sentences.insert(row.sentence).second) << "twice: " << row.sentence;
  }
}

TEST(Codes, NumbersThatAreNotThereAreNoCodes) {
  for (const uint64_t number : {uint64_t{0}, uint64_t{99}, uint64_t{199}, uint64_t{65535},
                                uint64_t{65536} + 100, UINT64_MAX})
    EXPECT_FALSE(CodeFromNumber(number).has_value()) << number;
  EXPECT_EQ(Sentence(static_cast<Code>(1)), "unknown error");
  EXPECT_EQ(CodeName(static_cast<Code>(1)), "Unknown");
}

TEST(Error, SaysWhatAndWhere) {
  const int line = __LINE__ + 1;
  const Error error = Fail(Code::kTruncated, "frame");
  EXPECT_EQ(error.code(), Code::kTruncated);
  EXPECT_EQ(error.detail(), "frame");
  EXPECT_EQ(error.line(), line);
  EXPECT_TRUE(std::string_view(error.file()).ends_with("result_test.cc"));
  EXPECT_EQ(error.Text(), std::string(Sentence(Code::kTruncated)) + ": frame");
  EXPECT_EQ(Fail(Code::kTruncated).Text(), Sentence(Code::kTruncated));
}

TEST(Error, InPutsAPlaceBeforeTheDetail) {
  const Error inner = Fail(Code::kTruncated, "frame");
  const Error outer = inner.In("connection 3");
  EXPECT_EQ(outer.detail(), "connection 3: frame");
  EXPECT_EQ(outer.code(), inner.code());
  EXPECT_EQ(outer.line(), inner.line());
  EXPECT_EQ(Fail(Code::kTruncated).In("here").detail(), "here");
}

TEST(Error, MakingOneIsCounted) {
  const uint64_t before = ErrorCount(Code::kAuditBroken);
  const uint64_t other = ErrorCount(Code::kAuditUnavailable);
  (void)Fail(Code::kAuditBroken);
  (void)Fail(Code::kAuditBroken).In("copied, not made anew");
  EXPECT_EQ(ErrorCount(Code::kAuditBroken), before + 2);
  EXPECT_EQ(ErrorCount(Code::kAuditUnavailable), other);
  EXPECT_EQ(ErrorCount(static_cast<Code>(1)), 0U);
}

Result<int> Half(int number) {
  if (number % 2 != 0) return Fail(Code::kInvalidArgument, "odd");
  return number / 2;
}

Result<int> Quarter(int number) {
  KC_ASSIGN(const int half, Half(number));
  KC_ASSIGN(const int quarter, Half(half));
  return quarter;
}

Status CheckEven(int number, bool& after) {
  KC_CHECK_OK(Half(number));
  after = true;
  return Done{};
}

TEST(Result, AssignGoesOnOrReturnsTheError) {
  EXPECT_EQ(Quarter(12).value(), 3);
  EXPECT_EQ(Quarter(6).code(), Code::kInvalidArgument);
  EXPECT_EQ(Quarter(5).error().detail(), "odd");
  bool after = false;
  EXPECT_TRUE(CheckEven(2, after).ok());
  EXPECT_TRUE(after);
  after = false;
  EXPECT_EQ(CheckEven(3, after).code(), Code::kInvalidArgument);
  EXPECT_FALSE(after);
}

Result<std::unique_ptr<int>> MakeMoveOnly() { return std::make_unique<int>(7); }

TEST(Result, CarriesWhatOnlyMoves) {
  auto result = MakeMoveOnly();
  ASSERT_TRUE(result.ok());
  const std::unique_ptr<int> value =
      *std::move(result).value() == 7 ? std::make_unique<int>(7) : nullptr;
  EXPECT_NE(value, nullptr);
}

}  // namespace
}  // namespace keyclave
