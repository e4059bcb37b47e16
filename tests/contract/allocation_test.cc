// No parser asks for memory that its input does not justify: sizes and counts that a stranger wrote
// are compared with what is there before anything is made for them. Every operator new of this
// program is looked at.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "attest/collateral.h"
#include "tests/fakes/fake_tee.h"

namespace {

size_t largest = 0;  // bytes of one request
size_t together = 0;

}  // namespace

// Found by the other forms of new and delete, which call these, or (where a sanitizer brings its
// own) stand below. Not inlined, or GCC sees malloc and free through them and takes them for a pair
// that does not match.
[[gnu::noinline]] void* operator new(size_t size) {
  largest = std::max(largest, size);
  together += size;
  void* memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return operator new(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t /*size*/) noexcept {
  std::free(memory);
}

namespace keyclave::attest {
namespace {

// What a parser may take: it keeps each byte in more than one form, and a certificate or a JSON
// document becomes objects.
constexpr size_t kFixed = size_t{128} << 10;  // bytes
constexpr size_t kPerByte = 64;

class Allocations : public testing::TestWithParam<std::string> {
 protected:
  static void Check(ByteSpan evidence) {
    largest = together = 0;
    { static_cast<void>(ParseEvidence(GetParam(), evidence).ok()); }
    ASSERT_LE(largest, kFixed + 2 * evidence.size());
    ASSERT_LE(together, kFixed + kPerByte * evidence.size());
  }
};

TEST_P(Allocations, FollowTheInputWhateverItsSizesAndCountsSay) {
  const auto tee = test::FakeTee::Create(GetParam());
  ASSERT_NE(tee, nullptr);
  const Bytes whole = tee->Evidence(ReportData{}, 1'790'000'000, false);
  Check(whole);
  EXPECT_GT(together, whole.size() / 2) << "nothing was counted";
  for (const size_t width : {1U, 2U, 4U, 8U}) {
    for (const uint8_t value : {uint8_t{0x7f}, uint8_t{0xff}, uint8_t{0x9b}, uint8_t{0xbb}}) {
      for (size_t at = 0; at + width <= whole.size(); ++at) {
        Bytes changed = whole;
        std::fill_n(changed.begin() + static_cast<ptrdiff_t>(at), width, value);
        Check(changed);
        if (HasFatalFailure()) FAIL() << width << " bytes at " << at;
      }
    }
  }
  for (size_t size = 0; size < whole.size(); ++size) Check(ByteSpan(whole).first(size));
}

TEST_P(Allocations, TheLargestInputIsNoExcuse) {
  for (const uint8_t value : {uint8_t{0}, uint8_t{'['}, uint8_t{'{'}, uint8_t{0x9f}, uint8_t{0xff}})
    Check(Bytes(kMaxEvidence, value));
  largest = 0;
  static_cast<void>(ParseEvidence(GetParam(), Bytes(kMaxEvidence + 1)).ok());
  EXPECT_LE(largest, kFixed + kMaxEvidence);
}

TEST(CollateralAllocations, FollowTheInput) {
  for (const std::string_view piece :
       {"[", "{\"tcbInfo\":", "-----BEGIN CERTIFICATE-----\n", "\x30\x84\x7f\xff\xff\xff", "30"}) {
    Bytes input;
    while (input.size() + piece.size() <= kMaxCollateralFile)
      input.insert(input.end(), piece.begin(), piece.end());
    Collateral collateral;
    largest = together = 0;
    EXPECT_FALSE(collateral.Add(input, "file").ok());
    // The JSON reader remembers every level that it is in, also of what is nested too deep.
    EXPECT_LE(largest, kFixed + 8 * input.size()) << piece;
    EXPECT_LE(together, kFixed + kPerByte * input.size()) << piece;
  }
}

std::vector<std::string> Types() {
  std::vector<std::string> names;
  for (const TeeType* type : AllTeeTypes()) {
    // What a co-resident caller presents is its binding and no more.
    if (type->name != "co-resident") names.emplace_back(type->name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Types, Allocations, testing::ValuesIn(Types()), [](const auto& row) {
  std::string name = row.param;
  std::erase(name, '-');
  return name;
});

}  // namespace
}  // namespace keyclave::attest
