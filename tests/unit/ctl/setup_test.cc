// What init and dev write must be what the daemon, the client and the policy parser accept.
#include "enclave/ctl/setup.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "attest/simulated_root.h"
#include "enclave/authz/policy.h"
#include "enclave/base/file.h"
#include "enclave/client/config.h"
#include "enclave/config/daemon_config.h"

namespace keyclave::ctl {
namespace {

namespace fs = std::filesystem;

class Setup : public testing::Test {
 protected:
  void SetUp() override {
    std::string path = testing::TempDir() + "keyclave-setup.XXXXXX";
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    directory_ = path;
    plan_.places = {directory_ + "/etc", directory_ + "/state", directory_ + "/run/k.sock"};
    installation_.provider = "/lib/keyclave.so";
    installation_.pkcs11_module = "/lib/keyclave-pkcs11.so";
  }
  void TearDown() override { fs::remove_all(directory_); }

  static unsigned ModeOf(const std::string& path) {
    return static_cast<unsigned>(fs::status(path).permissions());
  }

  std::string directory_;
  SetupPlan plan_;
  Installation installation_;
};

TEST_F(Setup, WritesWhatDaemonAndClientRead) {
  plan_.listen = {"tcp:127.0.0.1:7700"};
  const auto written = WriteSetup(plan_, installation_);
  ASSERT_TRUE(written.ok()) << written.error().Text();
  EXPECT_EQ(written->size(), 7U);
  const auto daemon = config::LoadDaemonConfig(plan_.places.DaemonConfig());
  ASSERT_TRUE(daemon.ok()) << daemon.error().Text();
  EXPECT_EQ(daemon->state, plan_.places.state_dir);
  EXPECT_EQ(daemon->listen.size(), 2U);
  EXPECT_TRUE(daemon->IsSimulated());
  EXPECT_FALSE(daemon->allow_unlocked_memory);
  EXPECT_FALSE(daemon->default_policy.empty());
  const auto client = client::LoadClientConfig(plan_.places.ClientConfig());
  ASSERT_TRUE(client.ok()) << client.error().Text();
  EXPECT_EQ(client->endpoints.front().path, plan_.places.socket);
  EXPECT_EQ(client->socket_owner, getuid());
  EXPECT_EQ(client->evidence_type, "simulated");
}

TEST_F(Setup, PathsWithQuotesAndSpacesSurvive) {
  plan_.places.config_dir = directory_ + "/a \"quoted\" b\\c: #d";
  ASSERT_TRUE(WriteSetup(plan_, installation_).ok());
  const auto daemon = config::LoadDaemonConfig(plan_.places.DaemonConfig());
  ASSERT_TRUE(daemon.ok()) << daemon.error().Text();
  EXPECT_EQ(daemon->producer.simulated_key_file, plan_.places.SimulatedKey());
}

TEST_F(Setup, ConfigurationIsWritableByItsOwnerOnly) {
  const auto written = WriteSetup(plan_, installation_);
  ASSERT_TRUE(written.ok()) << written.error().Text();
  for (const std::string& path : *written) EXPECT_EQ(ModeOf(path) & 0022U, 0U) << path;
}

TEST_F(Setup, TheCallerGroupKeepsTheRootsKeyFromOthers) {
  plan_.caller_group = getgid();
  ASSERT_TRUE(WriteSetup(plan_, installation_).ok());
  EXPECT_EQ(ModeOf(plan_.places.SimulatedKey()), 0640U);
}

TEST_F(Setup, OverwritesNothingAndLeavesNothingHalfDone) {
  fs::create_directories(plan_.places.config_dir);
  ASSERT_TRUE(WriteNewFile(plan_.places.ClientConfig(), AsBytes("mine"), 0600).ok());
  const auto written = WriteSetup(plan_, installation_);
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.code(), Code::kStoreExists);
  EXPECT_FALSE(fs::exists(plan_.places.SimulatedKey()));
  const auto kept = ReadFile(plan_.places.ClientConfig(), 100);
  ASSERT_TRUE(kept.ok());
  EXPECT_EQ(AsText(*kept), "mine");
}

TEST_F(Setup, RefusesPathsThatCannotWork) {
  SetupPlan relative = plan_;
  relative.places.state_dir = "state";
  EXPECT_EQ(CheckPlan(relative).code(), Code::kInvalidArgument);
  SetupPlan control = plan_;
  control.places.config_dir = "/etc/a\nb";
  EXPECT_EQ(CheckPlan(control).code(), Code::kInvalidArgument);
  SetupPlan longest = plan_;
  longest.places.socket = "/" + std::string(106, 's');
  EXPECT_TRUE(CheckPlan(longest).ok());
  longest.places.socket += "s";
  EXPECT_EQ(CheckPlan(longest).code(), Code::kInvalidArgument);
}

TEST_F(Setup, PoliciesParseAndWarn) {
  for (const std::string& text : {DefaultPolicyText(0), DevelopmentPolicyText()}) {
    const auto policy = authz::Policy::Parse(text, "policy");
    ASSERT_TRUE(policy.ok()) << policy.error().Text();
    EXPECT_FALSE(policy->Warnings().empty());
  }
}

TEST_F(Setup, TheDefaultPolicyIsForOneUserOnly) {
  const auto policy = authz::Policy::Parse(DefaultPolicyText(1000), "policy");
  ASSERT_TRUE(policy.ok());
  attest::ClaimSet claims;
  claims.Set("tee", std::string("simulated"));
  claims.Set("peer.uid", int64_t{1000}, attest::Origin::kTransport);
  EXPECT_TRUE(policy->permits().front().when.Satisfied(claims, 0));
  claims.Set("peer.uid", int64_t{33}, attest::Origin::kTransport);
  EXPECT_FALSE(policy->permits().front().when.Satisfied(claims, 0));
}

}  // namespace
}  // namespace keyclave::ctl
