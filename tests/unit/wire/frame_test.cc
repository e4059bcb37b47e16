#include "enclave/wire/frame.h"

#include <gtest/gtest.h>

namespace keyclave::wire {
namespace {

Bytes Header(uint32_t length, uint8_t version = kFrameVersion, uint64_t id = 1) {
  ByteWriter out;
  out.PutBe(length);
  out.PutBe(version);
  out.PutBe(id);
  return std::move(out).Finish();
}

Bytes SampleRequest() {
  return BuildRequest(0x0102030405060708, Op::kRandom, Encode(RandomRequest{16, std::nullopt}));
}

TEST(TakeFrame, ReturnsWhatBuildRequestMade) {
  const Bytes bytes = SampleRequest();
  ByteSpan rest(bytes);
  const auto frame = TakeFrame(rest);
  ASSERT_TRUE(frame.ok() && frame->has_value());
  EXPECT_TRUE(rest.empty());
  EXPECT_EQ((*frame)->id, 0x0102030405060708U);
  const auto request = ParseRequest((*frame)->body);
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->op, Op::kRandom);
  const auto fields = Decode<RandomRequest>(request->fields);
  ASSERT_TRUE(fields.ok());
  EXPECT_EQ(fields->size, 16U);
}

TEST(TakeFrame, WaitsForEveryMissingByte) {
  const Bytes bytes = SampleRequest();
  for (size_t n = 0; n < bytes.size(); ++n) {
    ByteSpan rest = ByteSpan(bytes).first(n);
    const auto frame = TakeFrame(rest);
    ASSERT_TRUE(frame.ok()) << n;
    EXPECT_FALSE(frame->has_value()) << n;
    EXPECT_EQ(rest.size(), n) << "nothing may be consumed";
  }
}

TEST(TakeFrame, LeavesWhatFollows) {
  Bytes bytes = SampleRequest();
  const size_t first = bytes.size();
  const Bytes second = BuildRequest(9, Op::kStatus, Encode(Empty()));
  bytes.insert(bytes.end(), second.begin(), second.end());
  ByteSpan rest(bytes);
  ASSERT_TRUE(TakeFrame(rest).value().has_value());
  EXPECT_EQ(rest.size(), bytes.size() - first);
  const auto frame = TakeFrame(rest);
  ASSERT_TRUE(frame.ok() && frame->has_value());
  EXPECT_EQ((*frame)->id, 9U);
}

TEST(TakeFrame, ChecksTheLength) {
  const struct {
    uint32_t length;
    std::optional<Code> refusal;
  } cases[] = {{0, Code::kTruncated},
               {8, Code::kTruncated},
               {9, std::nullopt},
               {10, std::nullopt},
               {kMaxFrame - 1, std::nullopt},
               {kMaxFrame, std::nullopt},
               {kMaxFrame + 1, Code::kFrameTooLarge},
               {0xffffffff, Code::kFrameTooLarge}};
  for (const auto& one : cases) {
    const Bytes bytes = Header(one.length);
    ByteSpan rest(bytes);
    const auto frame = TakeFrame(rest);
    ASSERT_EQ(frame.ok(), !one.refusal.has_value()) << one.length;
    if (!frame.ok()) {
      EXPECT_EQ(frame.code(), *one.refusal) << one.length;
    }
  }
}

TEST(TakeFrame, RefusesTheLengthBeforeTheRestHasCome) {
  ByteWriter out;
  out.PutBe(uint32_t{kMaxFrame + 1});
  ByteSpan rest(out.bytes());
  EXPECT_EQ(TakeFrame(rest).code(), Code::kFrameTooLarge);
}

TEST(TakeFrame, RefusesAnotherVersionBeforeTheRestHasCome) {
  for (const uint8_t version : {uint8_t{0}, uint8_t{2}, uint8_t{255}}) {
    const Bytes bytes = Header(100, version);
    ByteSpan rest = ByteSpan(bytes).first(5);
    EXPECT_EQ(TakeFrame(rest).code(), Code::kBadVersion);
  }
}

TEST(ParseRequest, RefusesEveryTruncation) {
  const Bytes bytes = SampleRequest();
  const ByteSpan body = ByteSpan(bytes).subspan(kFrameHeader);
  for (size_t n = 0; n < body.size(); ++n) {
    const auto request = ParseRequest(body.first(n));
    if (!request.ok()) {
      EXPECT_EQ(request.code(), Code::kBadMessage) << n;
      continue;
    }
    EXPECT_FALSE(Decode<RandomRequest>(request->fields).ok()) << n;
  }
}

TEST(ParseRequest, RefusesUnknownOperations) {
  for (const uint64_t number : {uint64_t{0}, uint64_t{5}, uint64_t{99}, UINT64_MAX}) {
    CborWriter out;
    out.Array(2);
    out.Uint(number);
    out.Map(0);
    EXPECT_EQ(ParseRequest(out.bytes()).code(), Code::kUnknownOperation) << number;
  }
}

TEST(ParseRequest, RefusesOtherShapes) {
  for (const uint64_t count : {0U, 1U, 3U}) {
    CborWriter out;
    out.Array(count);
    out.Uint(3);
    out.Map(0);
    EXPECT_EQ(ParseRequest(out.bytes()).code(), Code::kBadMessage) << count;
  }
  CborWriter negative;
  negative.Array(2);
  negative.Int(-1);
  negative.Map(0);
  EXPECT_EQ(ParseRequest(negative.bytes()).code(), Code::kBadMessage);
}

TEST(ParseRequest, TrailingBytesDoNotDecode) {
  Bytes bytes = SampleRequest();
  bytes.push_back(0);
  const auto request = ParseRequest(ByteSpan(bytes).subspan(kFrameHeader));
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(Decode<RandomRequest>(request->fields).code(), Code::kBadMessage);
}

TEST(ParseReply, ReturnsWhatBuildReplyMade) {
  const Bytes bytes = BuildReply(5, 77, Encode(OutputReply{Bytes{1, 2, 3}}));
  const auto reply = ParseReply(ByteSpan(bytes).subspan(kFrameHeader));
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->code, 0U);
  EXPECT_EQ(reply->epoch, 77U);
  EXPECT_EQ(Decode<OutputReply>(reply->fields)->output, (Bytes{1, 2, 3}));
}

TEST(ParseReply, CarriesCodeAndDetail) {
  const Bytes bytes = BuildErrorReply(5, 77, Code::kDenied, "term tee");
  const auto reply = ParseReply(ByteSpan(bytes).subspan(kFrameHeader));
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->code, static_cast<uint64_t>(Code::kDenied));
  EXPECT_EQ(ErrorDetail(*reply).value(), "term tee");
}

TEST(ParseReply, AnEmptyDetailIsLeftOut) {
  const Bytes bytes = BuildErrorReply(5, 77, Code::kDenied, "");
  const auto reply = ParseReply(ByteSpan(bytes).subspan(kFrameHeader));
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->fields.size(), 1U) << "an empty map";
  EXPECT_EQ(ErrorDetail(*reply).value(), "");
}

TEST(ParseReply, RefusesEveryTruncation) {
  const Bytes bytes = BuildReply(5, 77, Encode(OutputReply{Bytes{1, 2, 3}}));
  const ByteSpan body = ByteSpan(bytes).subspan(kFrameHeader);
  for (size_t n = 0; n < body.size(); ++n) {
    const auto reply = ParseReply(body.first(n));
    EXPECT_FALSE(reply.ok() && Decode<OutputReply>(reply->fields).ok()) << n;
  }
}

TEST(Frame, BitFlipsNeverCrossTheFrame) {
  const Bytes good = SampleRequest();
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes bytes = good;
    bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] ^ (1U << (bit % 8)));
    ByteSpan rest(bytes);
    const auto frame = TakeFrame(rest);
    if (!frame.ok() || !frame->has_value()) continue;
    EXPECT_LE((*frame)->body.size(), good.size() - kFrameHeader);
    const auto request = ParseRequest((*frame)->body);
    if (request.ok() && request->op == Op::kRandom) {
      static_cast<void>(Decode<RandomRequest>(request->fields).ok());
    }
  }
}

}  // namespace
}  // namespace keyclave::wire
