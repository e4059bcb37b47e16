// Logins outlive the daemon, and end when the caller says so.
#include <gtest/gtest.h>

#include "tests/fakes/fake_daemon.h"
#include "tests/fakes/raw_peer.h"

namespace keyclave::test {
namespace {

using client::Client;
using wire::LoginState;
using wire::Op;

SecretBytes Pin(std::string_view text) { return SecretBytes::CopyOf(AsBytes(text)); }

// Only a logged-in session may list this daemon's tokens.
Code ListTokens(Client& client) {
  const auto reply = client.Call<Op::kListTokens>({});
  return reply.ok() ? Code{} : reply.code();
}

class LoginTest : public ::testing::Test {
 protected:
  void Restart() {
    daemon_.reset();
    daemon_ = std::make_unique<FakeDaemon>(folder_);
    ASSERT_TRUE(daemon_->started.ok());
  }

  const TestFolder folder_;
  std::unique_ptr<FakeDaemon> daemon_ = std::make_unique<FakeDaemon>(folder_);
  Client client_{folder_.ClientConfig()};
};

TEST_F(LoginTest, AWrongPinIsRefusedAndNotTriedAgain) {
  EXPECT_EQ(client_.Login(kToken, LoginState::kUser, Pin("0000")).code(), Code::kPinIncorrect);
  EXPECT_EQ(daemon_->handler.Count(Op::kLogin), 1U);
  EXPECT_EQ(ListTokens(client_), Code::kNotLoggedIn);
}

TEST_F(LoginTest, SurvivesARestartOfTheDaemonWithoutThePin) {
  ASSERT_TRUE(client_.Login(kToken, LoginState::kUser, Pin(kPin)).ok());
  EXPECT_EQ(ListTokens(client_), Code{});
  for (int run = 0; run < 3; ++run) {
    const uint64_t generation = client_.generation();
    Restart();
    EXPECT_EQ(ListTokens(client_), Code{});
    EXPECT_NE(client_.generation(), generation);
  }
}

TEST_F(LoginTest, SurvivesTheEndOfTheSession) {
  ASSERT_TRUE(client_.Login(kToken, LoginState::kUser, Pin(kPin)).ok());
  daemon_->clock.AdvanceSteady(7200);  // the connection is idle for too long
  ASSERT_TRUE(Eventually([&] { return daemon_->server->stats().connections == 0; }));
  daemon_->clock.AdvanceSteady(61);  // and the session has nobody any more
  ASSERT_TRUE(Eventually([&] { return daemon_->sessions().size() == 0; }));
  EXPECT_EQ(ListTokens(client_), Code{});
}

TEST_F(LoginTest, IsPresentedAgainWhenTheEnclaveForgotIt) {
  ASSERT_TRUE(client_.Login(kToken, LoginState::kUser, Pin(kPin)).ok());
  daemon_->sessions().ForEach([](session::Session& session) { session.ForgetLogins(kToken); });
  EXPECT_EQ(ListTokens(client_), Code{});
  EXPECT_EQ(daemon_->handler.Count(Op::kLogin), 2U);
}

TEST_F(LoginTest, ARefusedTicketIsForgotten) {
  ASSERT_TRUE(client_.Login(kToken, LoginState::kUser, Pin(kPin)).ok());
  Restart();
  daemon_->handler.RefuseNext(Op::kLogin, Code::kPinIncorrect);
  EXPECT_EQ(ListTokens(client_), Code::kNotLoggedIn);
  EXPECT_EQ(ListTokens(client_), Code::kNotLoggedIn);
  EXPECT_EQ(daemon_->handler.Count(Op::kLogin), 1U) << "presented once";
  ASSERT_TRUE(client_.Login(kToken, LoginState::kUser, Pin(kPin)).ok());
  EXPECT_EQ(ListTokens(client_), Code{});
}

TEST_F(LoginTest, LogoutForgetsTheTicket) {
  ASSERT_TRUE(client_.Login(kToken, LoginState::kUser, Pin(kPin)).ok());
  ASSERT_TRUE(client_.Logout(kToken).ok());
  EXPECT_EQ(ListTokens(client_), Code::kNotLoggedIn);
  Restart();
  EXPECT_EQ(ListTokens(client_), Code::kNotLoggedIn);
  EXPECT_EQ(daemon_->handler.Count(Op::kLogin), 0U);
}

TEST_F(LoginTest, LogoutForgetsTheTicketAlsoWithoutDaemon) {
  ASSERT_TRUE(client_.Login(kToken, LoginState::kUser, Pin(kPin)).ok());
  daemon_.reset();
  EXPECT_EQ(client_.Logout(kToken).code(), Code::kUnreachable);
  daemon_ = std::make_unique<FakeDaemon>(folder_);
  EXPECT_EQ(ListTokens(client_), Code::kNotLoggedIn);
}

// A ticket is worth nothing under another TLS key.
TEST_F(LoginTest, ATicketIsBoundToItsCaller) {
  wire::LoginRequest request;
  request.token = kToken;
  request.user = LoginState::kUser;
  request.pin = Pin(kPin);
  const auto reply = client_.Call<Op::kLogin>(request);
  ASSERT_TRUE(reply.ok());
  Client thief(folder_.ClientConfig());
  wire::LoginRequest stolen;
  stolen.token = kToken;
  stolen.user = LoginState::kUser;
  stolen.ticket = reply->ticket;
  EXPECT_EQ(thief.Call<Op::kLogin>(stolen).code(), Code::kPinIncorrect);
}

}  // namespace
}  // namespace keyclave::test
