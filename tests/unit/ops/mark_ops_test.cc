// Marks that are kept for other enclaves, and compared with those of other members.
#include <filesystem>

#include "tests/unit/ops/enclave_fixture.h"

namespace keyclave::ops {
namespace {

attest::Expression Parsed(const std::string& text) {
  return attest::Expression::Parse(ParseYaml(text, "test").value()).value();
}

class MarkOps : public EnclaveFixture {
 protected:
  void SetUp() override {
    EnclaveFixture::SetUp();
    config_.state = directory_ + "/state";
    std::filesystem::create_directory(config_.state);
    config_.keep_marks = config::KeepMarksConfig{.of = Parsed("tee: {is: simulated}"), .most = 2};
    caller_ = Connect(1000);
  }
  static wire::StoreMark Mark(uint64_t epoch, uint8_t head) {
    wire::StoreMark mark{.epoch = epoch};
    mark.head.fill(head);
    return mark;
  }
  static ByteArray<32> Name(uint8_t number) {
    ByteArray<32> name{};
    name.fill(number);
    return name;
  }
  // What is remembered then.
  std::pair<uint64_t, uint8_t> Keep(uint8_t name, const std::optional<wire::StoreMark>& mark) {
    const auto reply = Run<wire::Op::kKeepMark>(*caller_, {Name(name), mark});
    EXPECT_TRUE(reply.ok()) << reply.error().Text();
    if (!reply.ok() || !reply->newest.has_value()) return {};
    return {reply->newest->epoch, reply->newest->head[0]};
  }
  void Restart() {
    service_ =
        std::make_unique<Service>(config_, clock_, *store_, *sessions_, *handshake_, *audit_);
    service_->server_stats = &server_stats_;
    dispatcher_ = std::make_unique<Dispatcher>(*service_);
  }
  using Newest = std::pair<uint64_t, uint8_t>;
  std::unique_ptr<Caller> caller_;
};

TEST_F(MarkOps, NeverGoBackAndNeverBecomeAnotherOfTheSameEpoch) {
  EXPECT_EQ(Keep(1, std::nullopt), Newest());
  EXPECT_EQ(Keep(1, Mark(5, 'a')), Newest(5, 'a'));
  EXPECT_EQ(Keep(1, Mark(4, 'b')), Newest(5, 'a'));
  EXPECT_EQ(Keep(1, Mark(5, 'b')), Newest(5, 'a'));
  EXPECT_EQ(Keep(1, Mark(5, 'a')), Newest(5, 'a'));
  EXPECT_EQ(Keep(1, Mark(9, 'c')), Newest(9, 'c'));
  EXPECT_EQ(Keep(2, std::nullopt), Newest()) << "each name has its own";
  Restart();
  EXPECT_EQ(Keep(1, std::nullopt), Newest(9, 'c')) << "on disk";
}

TEST_F(MarkOps, OfOneEnclaveDoNotPassForThoseOfAnother) {
  Keep(1, Mark(5, 'a'));
  Keep(2, Mark(7, 'b'));
  const std::string folder = config_.state + "/marks";
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry);
  ASSERT_EQ(files.size(), 2U);
  std::filesystem::copy_file(files[0], folder + "/x");
  std::filesystem::copy_file(files[1], files[0], std::filesystem::copy_options::overwrite_existing);
  std::filesystem::copy_file(folder + "/x", files[1],
                             std::filesystem::copy_options::overwrite_existing);
  Restart();
  for (const uint8_t name : {uint8_t{1}, uint8_t{2}})
    EXPECT_EQ(Run<wire::Op::kKeepMark>(*caller_, {Name(name), std::nullopt}).code(),
              Code::kWitnessInvalid);
}

TEST_F(MarkOps, AreOfAsManyEnclavesAsTheConfigurationSays) {
  Keep(1, Mark(1, 'a'));
  Keep(2, Mark(1, 'a'));
  EXPECT_EQ(Keep(3, std::nullopt), Newest()) << "asking makes nothing";
  EXPECT_EQ(Run<wire::Op::kKeepMark>(*caller_, {Name(3), Mark(1, 'a')}).code(), Code::kObjectLimit);
  EXPECT_EQ(Keep(2, Mark(2, 'b')), Newest(2, 'b'));
  Restart();
  EXPECT_EQ(Run<wire::Op::kKeepMark>(*caller_, {Name(3), Mark(1, 'a')}).code(), Code::kObjectLimit);
}

TEST_F(MarkOps, AreForThoseThatTheConfigurationNames) {
  const auto nobody = Connect(1000, /*attest=*/false);
  EXPECT_EQ(Run<wire::Op::kKeepMark>(*nobody, {Name(1), std::nullopt}).code(), Code::kNotAttested);
  config_.keep_marks->of = Parsed("measurement: {is: \"" + std::string(64, 'a') + "\"}");
  EXPECT_EQ(Run<wire::Op::kKeepMark>(*caller_, {Name(1), std::nullopt}).code(), Code::kDenied);
  // Simulated evidence counts only where it is named.
  config_.keep_marks->of = Parsed("measurement: {is: \"" + OwnMeasurement() + "\"}");
  EXPECT_EQ(Run<wire::Op::kKeepMark>(*caller_, {Name(1), std::nullopt}).code(), Code::kDenied);
  config_.keep_marks.reset();
  EXPECT_EQ(Run<wire::Op::kKeepMark>(*caller_, {Name(1), std::nullopt}).code(), Code::kWrongState);
  EXPECT_FALSE(std::filesystem::exists(config_.state + "/marks"));
}

class OneMember final : public FleetView {
 public:
  keyclave::Status MayServe() const override { return Done{}; }
  wire::FleetStatus Status() const override { return {}; }
};

TEST_F(MarkOps, AreComparedWithTheHistoryOfAMember) {
  const wire::CompareMarksRequest asked{Mark(1, 'x')};
  EXPECT_EQ(Run<wire::Op::kCompareMarks>(*caller_, asked).code(), Code::kWrongState);
  const OneMember member;
  service_->fleet = &member;
  MakeToken(PolicyText("p", "sign", OwnMeasurement()));
  const auto nobody = Connect(1000, /*attest=*/false);
  EXPECT_EQ(Run<wire::Op::kCompareMarks>(*nobody, asked).code(), Code::kNotAttested);
  const auto reply = Run<wire::Op::kCompareMarks>(*caller_, asked);
  ASSERT_TRUE(reply.ok()) << reply.error().Text();
  EXPECT_EQ(reply->mine.epoch, store_->commits());
  EXPECT_EQ(reply->mine.epoch, store_->mark().epoch);
  EXPECT_EQ(reply->mine.head, store_->mark().head_digest);
  ASSERT_TRUE(reply->then.has_value()) << "it has seen its first commit";
  EXPECT_NE(*reply->then, asked.mine.head);
  EXPECT_NE(*reply->then, reply->mine.head);
  const auto later = Run<wire::Op::kCompareMarks>(*caller_, {Mark(1000, 'x')});
  EXPECT_FALSE(later->then.has_value());
}

}  // namespace
}  // namespace keyclave::ops
