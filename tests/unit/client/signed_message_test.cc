#include "enclave/client/signed_message.h"

#include <gtest/gtest.h>

namespace keyclave::client {
namespace {

Bytes Message(size_t size) {
  Bytes message(size);
  for (size_t i = 0; i < size; ++i) message[i] = static_cast<uint8_t>(i * 7);
  return message;
}

SignedMessage Create(size_t limit = kMaxWholeMessage) {
  return std::move(SignedMessage::Create(HashAlgorithm::kSha256, limit)).value();
}

void ExpectTaken(SignedMessage& signed_message, ByteSpan message, bool whole) {
  const auto taken = signed_message.Take();
  ASSERT_TRUE(taken.ok());
  EXPECT_EQ(taken->whole, whole);
  const ByteArray<32> digest = Sha256(message);
  EXPECT_TRUE(Equal(taken->bytes, whole ? message : ByteSpan(digest)));
}

TEST(SignedMessage, StaysWholeUpToTheLimit) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{99}, size_t{100}}) {
    SignedMessage signed_message = Create(100);
    ASSERT_TRUE(signed_message.Add(Message(size)).ok());
    ExpectTaken(signed_message, Message(size), true);
  }
  for (const size_t size : {size_t{101}, size_t{200}, size_t{100'000}}) {
    SignedMessage signed_message = Create(100);
    ASSERT_TRUE(signed_message.Add(Message(size)).ok());
    ExpectTaken(signed_message, Message(size), false);
  }
}

TEST(SignedMessage, PartsAreWhatTheyAreTogether) {
  const Bytes message = Message(kMaxWholeMessage + 1);
  for (const size_t part : {size_t{1000}, kMaxWholeMessage - 1, kMaxWholeMessage}) {
    for (const size_t size : {kMaxWholeMessage - 1, kMaxWholeMessage, kMaxWholeMessage + 1}) {
      SignedMessage signed_message = Create();
      for (size_t at = 0; at < size; at += part) {
        const ByteSpan rest = ByteSpan(message).first(size).subspan(at);
        ASSERT_TRUE(signed_message.Add(rest.first(std::min(part, rest.size()))).ok());
      }
      ExpectTaken(signed_message, ByteSpan(message).first(size), size <= kMaxWholeMessage);
    }
  }
}

TEST(SignedMessage, WithoutADigestItStaysWholeOrIsTooLarge) {
  SignedMessage signed_message = SignedMessage::Unhashed();
  const Bytes message = Message(kMaxUnhashedMessage);
  ASSERT_TRUE(signed_message.Add(ByteSpan(message).first(message.size() - 1)).ok());
  auto copy = signed_message.Clone();
  ASSERT_TRUE(copy.ok());
  ASSERT_TRUE(signed_message.Add(ByteSpan(message).last(1)).ok());
  EXPECT_EQ(signed_message.Add(ByteSpan(message).first(1)).code(), Code::kTooLarge);
  const auto taken = signed_message.Take();
  ASSERT_TRUE(taken.ok());
  EXPECT_TRUE(taken->whole);
  EXPECT_TRUE(Equal(taken->bytes, message));
  EXPECT_EQ(copy->Take()->bytes.size(), message.size() - 1);
}

TEST(SignedMessage, TheNextOneBeginsAnew) {
  SignedMessage signed_message = Create(100);
  for (const size_t size : {size_t{50}, size_t{500}, size_t{60}, size_t{0}}) {
    ASSERT_TRUE(signed_message.Add(Message(size)).ok());
    ExpectTaken(signed_message, Message(size), size <= 100);
  }
}

TEST(SignedMessage, WithoutALimitItIsAlwaysHashed) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{500}}) {
    SignedMessage signed_message = Create(0);
    ASSERT_TRUE(signed_message.Add(Message(size)).ok());
    ExpectTaken(signed_message, Message(size), false);
  }
}

TEST(SignedMessage, CopiesGoTheirOwnWay) {
  for (const size_t size : {size_t{50}, size_t{150}}) {
    SignedMessage one = Create(100);
    ASSERT_TRUE(one.Add(Message(size)).ok());
    auto other = one.Clone();
    ASSERT_TRUE(other.ok());
    ASSERT_TRUE(one.Add(Bytes{1}).ok());
    Bytes longer = Message(size);
    ExpectTaken(*other, longer, size <= 100);
    longer.push_back(1);
    ExpectTaken(one, longer, size <= 100);
  }
}

}  // namespace
}  // namespace keyclave::client
