#include "pkcs11/out_buffer.h"

#include <gtest/gtest.h>

namespace keyclave::pkcs11 {
namespace {

// A call whose output is five bytes; counts how often it is made.
struct Maker {
  int made = 0;
  std::optional<Bytes> pending;
  Result<Delivery> Ask(const std::optional<OutputSize>& size, CK_BYTE* data, CK_ULONG* length) {
    return Deliver(OutBuffer(data, length), size, pending, [&]() -> Result<Bytes> {
      ++made;
      return Bytes{1, 2, 3, 4, 5};
    });
  }
};
const std::optional<OutputSize> kExact = OutputSize{5, true};
const std::optional<OutputSize> kBound = OutputSize{9, false};

TEST(OutBuffer, NeedsAPlaceForTheLength) {
  CK_BYTE byte = 0;
  EXPECT_EQ(OutBuffer(&byte, nullptr).Check().code(), Code::kP11ArgumentsBad);
  CK_ULONG size = 1;
  EXPECT_TRUE(OutBuffer(nullptr, &size).Check().ok());
}

TEST(Deliver, AnswersALengthQueryWithoutMakingTheOutput) {
  for (const auto& size : {kExact, kBound}) {
    Maker maker;
    CK_ULONG length = 0;
    const auto delivery = maker.Ask(size, nullptr, &length);
    ASSERT_TRUE(delivery.ok());
    EXPECT_EQ(*delivery, Delivery::kLengthOnly);
    EXPECT_EQ(length, size->bytes);
    EXPECT_EQ(maker.made, 0);
  }
}

TEST(Deliver, RefusesABufferThatIsSurelyTooSmallWithoutMakingTheOutput) {
  Maker maker;
  std::array<CK_BYTE, 5> room{};
  CK_ULONG length = 4;
  EXPECT_EQ(maker.Ask(kExact, room.data(), &length).code(), Code::kP11BufferTooSmall);
  EXPECT_EQ(length, 5U);
  EXPECT_EQ(maker.made, 0);
  EXPECT_EQ(room[0], 0);
}

TEST(Deliver, MakesTheOutputOnceHoweverOftenItDoesNotFit) {
  for (const auto& size : {kBound, std::optional<OutputSize>()}) {
    Maker maker;
    std::array<CK_BYTE, 8> room{};
    CK_ULONG length = 4;
    EXPECT_EQ(maker.Ask(size, room.data(), &length).code(), Code::kP11BufferTooSmall);
    EXPECT_EQ(length, 5U);
    length = 0;
    EXPECT_EQ(maker.Ask(size, room.data(), &length).code(), Code::kP11BufferTooSmall);
    const auto query = maker.Ask(size, nullptr, &length);
    EXPECT_EQ(*query, Delivery::kLengthOnly);
    EXPECT_EQ(length, 5U);
    length = 5;
    EXPECT_EQ(*maker.Ask(size, room.data(), &length), Delivery::kDelivered);
    EXPECT_EQ(ToHex(room), "0102030405000000");
    EXPECT_EQ(maker.made, 1);
    EXPECT_FALSE(maker.pending.has_value());
  }
}

TEST(Deliver, AcceptsAnExactFitAndReportsTheTrueLength) {
  Maker maker;
  std::array<CK_BYTE, 9> room{};
  CK_ULONG length = 9;
  EXPECT_EQ(*maker.Ask(kBound, room.data(), &length), Delivery::kDelivered);
  EXPECT_EQ(length, 5U);
}

TEST(Deliver, PassesOnWhyTheOutputCannotBeMade) {
  std::optional<Bytes> pending;
  CK_ULONG length = 5;
  std::array<CK_BYTE, 5> room{};
  const auto delivery = Deliver(OutBuffer(room.data(), &length), kExact, pending,
                                []() -> Result<Bytes> { return Fail(Code::kDenied); });
  EXPECT_EQ(delivery.code(), Code::kDenied);
  EXPECT_FALSE(pending.has_value());
}

}  // namespace
}  // namespace keyclave::pkcs11
