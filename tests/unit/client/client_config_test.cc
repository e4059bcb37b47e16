#include <gtest/gtest.h>

#include "enclave/client/config.h"
#include "tests/fakes/fake_daemon.h"

namespace keyclave::test {
namespace {

using client::ClientConfig;
using client::ParseClientConfig;

constexpr std::string_view kGood =
    "endpoint: unix:/run/keyclave/keyclaved.sock\n"
    "expect: {tee: {is: simulated}}\n";

Result<ClientConfig> Parse(const std::string& text) { return ParseClientConfig(text, "c.yaml"); }
std::string Good() { return std::string(kGood); }

bool Accepts(const ClientConfig& config, std::string_view type) {
  const auto& types = config.trust.accepted_types;
  return std::find(types.begin(), types.end(), type) != types.end();
}

TEST(ClientConfig, DefaultsAreAsDocumented) {
  const auto config = Parse(Good());
  ASSERT_TRUE(config.ok()) << config.error().Text();
  ASSERT_EQ(config->endpoints.size(), 1U);
  EXPECT_EQ(config->endpoints[0].path, "/run/keyclave/keyclaved.sock");
  EXPECT_FALSE(config->IsFleet());
  EXPECT_FALSE(config->socket_owner.has_value());
  EXPECT_TRUE(config->evidence_type.empty());
  EXPECT_FALSE(Accepts(*config, "simulated")) << "it must be asked for";
  EXPECT_FALSE(Accepts(*config, "co-resident"));
  EXPECT_TRUE(Accepts(*config, "sev-snp")) << "`expect` decides";
  EXPECT_EQ(config->deadline, std::chrono::seconds(5));
  EXPECT_EQ(config->renew_before, std::chrono::seconds(60));
  EXPECT_EQ(config->max_connections, 16U);
  EXPECT_EQ(config->spin.count(), 0);
}

TEST(ClientConfig, EverythingCanBeSaid) {
  const TestFolder folder;
  const auto config = Parse(Good() + "socket_owner: 101\nenclave: " + std::string(32, 'a') +
                            "\nevidence: simulated\nsimulated: {key: " + folder.File("root.key") +
                            ", root: " + folder.File("root.pub") +
                            "}\ndeadline: 2s\nrenew_before: 5m\nmax_connections: 4\nspin: 50\n");
  ASSERT_TRUE(config.ok()) << config.error().Text();
  EXPECT_EQ(config->socket_owner, 101U);
  EXPECT_EQ(config->enclave_id, std::string(32, 'a'));
  EXPECT_EQ(config->evidence_type, "simulated");
  EXPECT_EQ(config->producer.simulated_key_file, folder.File("root.key"));
  EXPECT_TRUE(Accepts(*config, "simulated"));
  EXPECT_EQ(config->trust.simulated_roots.size(), 1U);
  EXPECT_EQ(config->deadline, std::chrono::seconds(2));
  EXPECT_EQ(config->renew_before, std::chrono::minutes(5));
  EXPECT_EQ(config->max_connections, 4U);
  EXPECT_EQ(config->spin.count(), 50);
}

constexpr std::string_view kExpect = "\nexpect: {tee: {is: simulated}}\n";

TEST(ClientConfig, AFleetHasSeveralEndpoints) {
  const auto config = Parse("endpoints: [unix:/run/a.sock, tcp:b.example:7700, 'tcp:[::1]:7700']" +
                            std::string(kExpect) + "socket_owner: 0\n");
  ASSERT_TRUE(config.ok()) << config.error().Text();
  ASSERT_EQ(config->endpoints.size(), 3U);
  EXPECT_TRUE(config->IsFleet());
  EXPECT_EQ(config->EndpointsText(), "unix:/run/a.sock, tcp:b.example:7700, tcp:[::1]:7700");
  EXPECT_EQ(config->At(config->endpoints[1]).EndpointsText(), "tcp:b.example:7700");
  const auto one = Parse("endpoints: [unix:/run/a.sock]" + std::string(kExpect));
  ASSERT_TRUE(one.ok());
  EXPECT_FALSE(one->IsFleet());
}

TEST(ClientConfig, AFleetHasAtMost64Members) {
  std::string list;
  for (int port = 1; port <= 64; ++port) list += "\n- tcp:host:" + std::to_string(port);
  EXPECT_TRUE(Parse("endpoints:" + list + std::string(kExpect)).ok());
  const auto more = Parse("endpoints:" + list + "\n- tcp:host:65" + std::string(kExpect));
  ASSERT_FALSE(more.ok());
  EXPECT_EQ(more.code(), Code::kConfigBadValue);
  EXPECT_NE(more.error().Text().find("64"), std::string::npos);
}

TEST(ClientConfig, ReleaseKeysAndPinnedPolicies) {
  const TestFolder folder;
  const std::string proves = Good() +
                             "evidence: simulated\nsimulated: {key: " + folder.File("root.key") +
                             ", root: " + folder.File("root.pub") + "}\n";
  const auto config = Parse(proves + "release_keys: {backup: " + folder.File("root.pub") +
                            "}\npolicy_digests: [" + std::string(64, 'a') + "]\n");
  ASSERT_TRUE(config.ok()) << config.error().Text();
  ASSERT_EQ(config->release_keys.size(), 1U);
  EXPECT_EQ(config->release_keys[0].name, "backup");
  EXPECT_EQ(config->release_keys[0].spki.front(), 0x30);
  EXPECT_EQ(config->policy_digests.size(), 1U);
  for (const std::string& wrong :
       {std::string("release_keys: {backup: /nowhere/backup.pub}"),
        "release_keys: {backup: " + folder.File("root.key") + "}",  // a private key
        "release_keys: {'a b': " + folder.File("root.pub") + "}",
        "release_keys: {a: " + folder.File("root.pub") + ", b: " + folder.File("root.pub") + "}",
        std::string("release_keys: {backup: backup.pub}"), std::string("policy_digests: []"),
        std::string("policy_digests: [abcd]"), std::string("policy_digests: abcd")}) {
    const auto refused = Parse(proves + wrong + "\n");
    ASSERT_FALSE(refused.ok()) << wrong;
    EXPECT_NE(refused.error().Text().find("c.yaml:"), std::string::npos) << refused.error().Text();
  }
  // They are part of the evidence.
  EXPECT_FALSE(Parse(Good() + "release_keys: {backup: " + folder.File("root.pub") + "}\n").ok());
}

TEST(ClientConfig, EveryMistakeNamesItsPlace) {
  const struct {
    std::string text;
    Code code;
    std::string said;
  } cases[] = {
      {"expect: {tee: {is: simulated}}\n", Code::kConfigMissingKey, "endpoint"},
      {"endpoint: unix:/s\n", Code::kConfigMissingKey, "expect"},
      {Good() + "deadlin: 5s\n", Code::kConfigUnknownKey, "c.yaml:3"},
      {Good() + "deadline: 5s\ndeadline: 5s\n", Code::kConfigDuplicateKey, "c.yaml:4"},
      {Good() + "deadline: 0s\n", Code::kConfigBadValue, "c.yaml:3"},
      {Good() + "deadline: 25h\n", Code::kConfigBadValue, "c.yaml:3"},
      {Good() + "max_connections: 0\n", Code::kConfigBadValue, "c.yaml:3"},
      {Good() + "max_connections: 257\n", Code::kConfigBadValue, "c.yaml:3"},
      {Good() + "spin: 1001\n", Code::kConfigBadValue, "c.yaml:3"},
      {Good() + "max_connections: many\n", Code::kConfigWrongType, "c.yaml:3"},
      {Good() + "socket_owner: -1\n", Code::kConfigBadValue, "c.yaml:3"},
      {Good() + "enclave: mine\n", Code::kConfigBadValue, "32 hexadecimal digits"},
      {Good() + "evidence: imaginary\n", Code::kConfigBadValue, "must be one of: none"},
      {Good() + "evidence: simulated\n", Code::kConfigBadValue, "simulated: {key: FILE}"},
      {Good() + "simulated: {root: /does/not/exist}\n", Code::kNotFound, "c.yaml:3"},
      {Good() + "simulated: {root: relative.pub}\n", Code::kConfigBadValue, "absolute"},
      {Good() + "simulated: {roots: /x}\n", Code::kConfigUnknownKey, "roots"},
      {"endpoint: http://x\nexpect: {tee: {is: simulated}}\n", Code::kConfigBadValue, "c.yaml:1"},
      {"endpoint: tcp:127.0.0.1:0\nexpect: {tee: {is: simulated}}\n", Code::kConfigBadValue,
       "port"},
      {"endpoint: tcp:127.0.0.1:7\nexpect: {tee: {is: simulated}}\nsocket_owner: 1\n",
       Code::kConfigBadValue, "unix"},
      {"endpoints: []\nexpect: {tee: {is: simulated}}\n", Code::kConfigBadValue, "c.yaml:1"},
      {"endpoints: unix:/s\nexpect: {tee: {is: simulated}}\n", Code::kConfigWrongType, "c.yaml:1"},
      {"endpoints:\n- unix:/s\n- unix:/s\nexpect: {tee: {is: simulated}}\n", Code::kConfigBadValue,
       "c.yaml:3"},
      {"endpoints:\n- unix:/s\n- tcp:h:0\nexpect: {tee: {is: simulated}}\n", Code::kConfigBadValue,
       "c.yaml:3"},
      {Good() + "endpoints: [unix:/s]\n", Code::kConfigBadValue, "c.yaml:3"},
      {"endpoints: [tcp:a:1, tcp:b:1]\nexpect: {tee: {is: simulated}}\nsocket_owner: 1\n",
       Code::kConfigBadValue, "unix"},
      {"endpoint: [unix:/s]\nexpect: {tee: {is: simulated}}\n", Code::kConfigWrongType, "c.yaml:1"},
  };
  for (const auto& one : cases) {
    const auto config = Parse(one.text);
    ASSERT_FALSE(config.ok()) << one.text;
    EXPECT_EQ(config.code(), one.code) << one.text << config.error().Text();
    EXPECT_NE(config.error().Text().find(one.said), std::string::npos) << config.error().Text();
  }
}

TEST(ClientConfig, AFileThatIsNotThereIsNamed) {
  const auto config = client::LoadClientConfig("/does/not/exist.yaml");
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.code(), Code::kConfigNotFound);
  EXPECT_NE(config.error().Text().find("/does/not/exist.yaml"), std::string::npos);
}

TEST(ClientConfig, TheEnvironmentNamesTheFile) {
  ::unsetenv("KEYCLAVE_CONFIG");
  EXPECT_EQ(client::DefaultConfigPath(), "/etc/keyclave/client.yaml");
  ::setenv("KEYCLAVE_CONFIG", "/tmp/other.yaml", 1);
  EXPECT_EQ(client::DefaultConfigPath(), "/tmp/other.yaml");
  ::setenv("KEYCLAVE_CONFIG", "", 1);
  EXPECT_EQ(client::DefaultConfigPath(), "/etc/keyclave/client.yaml");
  ::unsetenv("KEYCLAVE_CONFIG");
}

}  // namespace
}  // namespace keyclave::test
