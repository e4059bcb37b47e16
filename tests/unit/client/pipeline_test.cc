// Many callers on one connection, at whose other end a test answers as it likes.
#include "enclave/client/pipeline.h"

#include <gtest/gtest.h>

#include <future>

#include "tests/fakes/raw_peer.h"

namespace keyclave::test {
namespace {

using client::Pipeline;
using wire::Op;

Bytes Text(std::string_view text) { return ToBytes(text); }

// Blocks in poll, as a program does that runs jobs, and sees only what its descriptor shows.
std::atomic<int> overlooked{0};
const client::Pausing kPolling = {.can = [] { return true; },
                                  .until_readable =
                                      [](int fd) {
                                        if (!WaitReadable(fd, kPatience / 2)) ++overlooked;
                                        return true;
                                      },
                                  .for_a_moment = [] { return true; }};

class PipelineTest : public ::testing::Test {
 protected:
  PipelineTest()
      : enclave_(wire::TlsEnd::kServer, std::move(pair_.first)),
        caller_(wire::TlsEnd::kClient, std::move(pair_.second)) {
    auto other = std::async([this] { return enclave_.Handshake(); });
    EXPECT_TRUE(caller_.Handshake() && other.get());
    pipeline_.emplace(caller_.stream());
    overlooked = 0;
  }
  ~PipelineTest() override { EXPECT_EQ(overlooked, 0) << "a descriptor stayed silent"; }

  struct Outcome {
    Result<Pipeline::Reply> reply = Fail(Code::kInternal);
    bool may_have_run = false;
  };
  // A caller in a thread of its own, and the fields of its request.
  std::future<Outcome> Ask(Bytes fields, std::chrono::milliseconds patience = kPatience,
                           const client::Pausing* pausing = nullptr) {
    return std::async(std::launch::async, [this, fields = std::move(fields), patience, pausing] {
      Outcome outcome;
      outcome.reply = pipeline_->Exchange(
          Op::kSign, fields,
          {.deadline = std::chrono::steady_clock::now() + patience, .pausing = pausing},
          outcome.may_have_run);
      return outcome;
    });
  }
  // The next request: its id and its fields.
  std::pair<uint64_t, Bytes> Next() {
    const auto received = enclave_.Receive();
    if (!received.has_value()) return {};
    const auto body = wire::ParseRequest(received->body);
    return {received->id, body.ok() ? ToBytes(body->fields) : Bytes()};
  }
  bool Answer(uint64_t id, ByteSpan fields) {
    return enclave_.Send(wire::BuildReply(id, 1, fields));
  }
  static void ExpectReply(std::future<Outcome>& caller, ByteSpan fields) {
    const Outcome outcome = caller.get();
    ASSERT_TRUE(outcome.reply.ok()) << outcome.reply.error().Text();
    EXPECT_EQ(outcome.reply->fields, ToBytes(fields));
  }

  SocketPair pair_;
  RawPeer enclave_;
  RawPeer caller_;
  std::optional<Pipeline> pipeline_;
};

TEST_F(PipelineTest, EachGetsItsOwnReplyWhateverTheOrder) {
  for (const client::Pausing* pausing : {static_cast<const client::Pausing*>(nullptr), &kPolling}) {
    std::map<std::string, std::future<Outcome>> callers;
    for (int i = 0; i < 12; ++i) {
      const std::string name = "caller " + std::to_string(i);
      callers.emplace(name, Ask(Text(name), kPatience, pausing));
    }
    std::map<std::string, uint64_t> requests;
    while (requests.size() < callers.size()) {
      const auto [id, fields] = Next();
      ASSERT_NE(id, 0U);
      requests[std::string(AsText(fields))] = id;
    }
    // All but one in one go; whoever reads them reads for the others.
    Bytes replies;
    for (auto one = std::next(requests.rbegin()); one != requests.rend(); ++one) {
      const Bytes reply = wire::BuildReply(one->second, 1, AsBytes(one->first));
      replies.insert(replies.end(), reply.begin(), reply.end());
    }
    ASSERT_TRUE(enclave_.Send(replies));
    for (auto& [name, caller] : callers) {
      if (name != requests.rbegin()->first) ExpectReply(caller, AsBytes(name));
    }
    const auto& [last, id] = *requests.rbegin();
    ASSERT_TRUE(Answer(id, AsBytes(last)));
    ExpectReply(callers.at(last), AsBytes(last));
  }
}

// Sleepers and pausers beside each other, with replies one by one: whoever watches leaves, and
// another must take its place.
TEST_F(PipelineTest, SomebodyAlwaysWatches) {
  for (int round = 0; round < 50; ++round) {
    std::vector<std::future<Outcome>> callers;
    for (int i = 0; i < 6; ++i) {
      const bool pauses = (i + round) % 3 == 0;
      callers.push_back(Ask(Text("x"), kPatience, pauses ? &kPolling : nullptr));
    }
    for (size_t i = 0; i < callers.size(); ++i) {
      const auto [id, fields] = Next();
      ASSERT_TRUE(Answer(id, fields));
    }
    for (auto& caller : callers) ExpectReply(caller, AsBytes("x"));
  }
}

TEST_F(PipelineTest, OneWhoGivesUpLeavesTheOthersAlone) {
  auto hasty = Ask(Text("hasty"), 50ms);
  const auto [late_id, hasty_fields] = Next();
  auto patient = Ask(Text("patient"));
  const auto [id, fields] = Next();
  const Outcome outcome = hasty.get();
  EXPECT_EQ(outcome.reply.code(), Code::kDeadline);
  EXPECT_TRUE(outcome.may_have_run);
  ASSERT_TRUE(Answer(late_id, hasty_fields) && Answer(id, fields));
  ExpectReply(patient, AsBytes("patient"));
  auto next = Ask(Text("next"));
  const auto [next_id, next_fields] = Next();
  ASSERT_TRUE(Answer(next_id, next_fields));
  ExpectReply(next, AsBytes("next"));
}

TEST_F(PipelineTest, WhatNobodyAskedForEndsItForAll) {
  std::vector<std::future<Outcome>> callers;
  uint64_t last = 0;
  for (int i = 0; i < 3; ++i) {
    callers.push_back(Ask(Text("x")));
    last = Next().first;
  }
  // A good reply with a second one to the same request behind it is no reply either.
  Bytes twice = wire::BuildReply(last, 1, AsBytes("x"));
  const Bytes once = twice;
  twice.insert(twice.end(), once.begin(), once.end());
  ASSERT_TRUE(enclave_.Send(twice));
  for (auto& caller : callers) {
    const Outcome outcome = caller.get();
    EXPECT_EQ(outcome.reply.code(), Code::kReplyMismatch);
    EXPECT_TRUE(outcome.may_have_run);
  }
  const Outcome outcome = Ask(Text("y")).get();
  EXPECT_EQ(outcome.reply.code(), Code::kReplyMismatch);
  EXPECT_FALSE(outcome.may_have_run) << "it was not sent";
}

TEST_F(PipelineTest, AReplyMayNotComeBeforeItsRequest) {
  auto caller = Ask(Text("x"));
  const auto [id, fields] = Next();
  ASSERT_TRUE(Answer(id + 1, fields));
  EXPECT_EQ(caller.get().reply.code(), Code::kReplyMismatch);
}

TEST_F(PipelineTest, WhatTheEnclaveSaysOfTheStreamIsHeardByAll) {
  auto first = Ask(Text("x"));
  Next();
  auto second = Ask(Text("x"), kPatience, &kPolling);
  Next();
  ASSERT_TRUE(enclave_.Send(wire::BuildErrorReply(0, 1, Code::kTooManyConnections, {})));
  EXPECT_EQ(first.get().reply.code(), Code::kTooManyConnections);
  EXPECT_EQ(second.get().reply.code(), Code::kTooManyConnections);
}

TEST_F(PipelineTest, ARepliedRequestCountsThoughTheStreamEnds) {
  auto answered = Ask(Text("answered"));
  const auto [id, fields] = Next();
  auto other = Ask(Text("other"));
  Next();
  ASSERT_TRUE(Answer(id, fields));
  enclave_.stream().SayGoodbye();
  ExpectReply(answered, AsBytes("answered"));
  EXPECT_EQ(other.get().reply.code(), Code::kChannelClosed);
}

// More than the sockets hold, in both directions at once.
TEST_F(PipelineTest, LargeRequestsAndRepliesDoNotWaitForEachOther) {
  constexpr size_t kLarge = size_t{1} << 20;
  std::vector<std::future<Outcome>> callers;
  for (uint8_t i = 0; i < 4; ++i) callers.push_back(Ask(Bytes(kLarge, i)));
  for (size_t i = 0; i < callers.size(); ++i) {
    const auto [id, fields] = Next();
    ASSERT_EQ(fields.size(), kLarge);
    ASSERT_TRUE(Answer(id, fields));
  }
  for (uint8_t i = 0; i < 4; ++i) ExpectReply(callers[i], Bytes(kLarge, i));
}

TEST_F(PipelineTest, AnEnclaveThatReadsNothingCostsTheDeadline) {
  EXPECT_EQ(Ask(Bytes(size_t{1} << 20, 1), 100ms).get().reply.code(), Code::kDeadline);
}

TEST_F(PipelineTest, WhatIsTooLargeIsNotSent) {
  const Outcome outcome = Ask(Bytes(wire::kMaxFrame, 1)).get();
  EXPECT_EQ(outcome.reply.code(), Code::kFrameTooLarge);
  EXPECT_FALSE(outcome.may_have_run);
  auto next = Ask(Text("next"));
  const auto [id, fields] = Next();
  ASSERT_TRUE(Answer(id, fields));
  ExpectReply(next, AsBytes("next"));
}

}  // namespace
}  // namespace keyclave::test
