#include "enclave/config/daemon_config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "attest/simulated_root.h"
#include "enclave/base/file.h"

namespace keyclave::config {
namespace {

class DaemonConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "kc-config-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    ASSERT_TRUE(attest::MakeSimulatedRoot(directory_ + "/root.pem", directory_ + "/root.pub").ok());
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // A configuration that is whole, and `more` after it.
  std::string Text(const std::string& more = {}) const {
    return "state: /var/lib/keyclave\nlisten: [unix:/run/k.sock, \"tcp:127.0.0.1:7700\"]\ntee: "
           "simulated\n"
           "simulated: {key: " +
           directory_ + "/root.pem, root: " + directory_ + "/root.pub}\n" + more;
  }
  Result<DaemonConfig> Parse(const std::string& more) const {
    return ParseDaemonConfig(Text(more), "k.yaml");
  }

  // The mistake is refused with this code, and the message names the file, a line and `word`.
  void Refuses(const std::string& more, Code code, const std::string& word) const {
    const auto config = Parse(more);
    ASSERT_FALSE(config.ok()) << more;
    EXPECT_EQ(config.code(), code) << config.error().Text();
    EXPECT_NE(config.error().Text().find("k.yaml:"), std::string::npos) << config.error().Text();
    EXPECT_NE(config.error().Text().find(word), std::string::npos) << config.error().Text();
  }

  std::string directory_;
};

TEST_F(DaemonConfigTest, ReadsAndCompletes) {
  const auto config = Parse(
      "operators: [0, 33]\nsocket_mode: \"0660\"\nevidence_max_age: 90m\nlimits: {sessions: 7}\n");
  ASSERT_TRUE(config.ok()) << config.error().Text();
  EXPECT_EQ(config->state, "/var/lib/keyclave");
  ASSERT_EQ(config->listen.size(), 2U);
  EXPECT_EQ(config->listen[1].Text(), "tcp:127.0.0.1:7700");
  EXPECT_EQ(config->socket_mode, 0660U);
  EXPECT_EQ(config->operators, (std::vector<uint32_t>{0, 33}));
  EXPECT_EQ(config->evidence_max_age, 5400U);
  EXPECT_EQ(config->drain, 10U);
  EXPECT_EQ(Parse("drain: 0s\n")->drain, 0U);
  EXPECT_EQ(Parse("drain: 1h\n")->drain, 3600U);
  EXPECT_EQ(config->limits.sessions, 7U);
  EXPECT_EQ(config->limits.connections, 1024U);
  EXPECT_EQ(config->trust.accepted_types, std::vector<std::string>{"simulated"});
  EXPECT_EQ(config->trust.simulated_roots.size(), 1U);
  EXPECT_FALSE(config->allow_unlocked_memory);
  EXPECT_TRUE(config->default_policy.empty());
}

TEST_F(DaemonConfigTest, OperatorsDefaultToRootAndTheDaemonItself) {
  const auto config = Parse("");
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->operators, (std::vector<uint32_t>{0, getuid()}));
}

// lesson 40: a key that is not known is an error, not a default.
TEST_F(DaemonConfigTest, RefusesMistakesWithTheirPlace) {
  Refuses("colour: red\n", Code::kConfigUnknownKey, "colour");
  Refuses("state: /twice\n", Code::kConfigDuplicateKey, "state");
  Refuses("workers: many\n", Code::kConfigWrongType, "workers");
  Refuses("workers: -1\n", Code::kConfigBadValue, "workers");
  Refuses("spin: 1001\n", Code::kConfigBadValue, "spin");
  Refuses("crypto_mb: /tmp/lib.so\n", Code::kConfigWrongType, "crypto_mb");
  Refuses("operators: root\n", Code::kConfigWrongType, "operators");
  Refuses("operators: [4294967295]\n", Code::kConfigBadValue, "operators");
  Refuses("socket_mode: \"0999\"\n", Code::kConfigBadValue, "socket_mode");
  Refuses("socket_mode: \"77777\"\n", Code::kConfigBadValue, "socket_mode");
  Refuses("evidence_max_age: 0s\n", Code::kConfigBadValue, "evidence_max_age");
  Refuses("evidence_max_age: 31d\n", Code::kConfigBadValue, "evidence_max_age");
  Refuses("drain: 61m\n", Code::kConfigBadValue, "drain");
  Refuses("limits: {connections: 0}\n", Code::kConfigBadValue, "connections");
  Refuses("limits: {colour: 1}\n", Code::kConfigUnknownKey, "colour");
  Refuses("accept: [sev-snp-of-tomorrow]\n", Code::kConfigBadValue, "simulated");
  Refuses("allow_unlocked_memory: perhaps\n", Code::kConfigWrongType, "allow_unlocked_memory");
  Refuses("default_policy: relative.yaml\n", Code::kConfigBadValue, "default_policy");
}

TEST_F(DaemonConfigTest, SealingOfASimulatedEnclaveIsAFileUnlessItSaysMore) {
  const auto sealing = [&](const std::string& more) {
    const auto config = Parse(more);
    EXPECT_TRUE(config.ok()) << config.error().Text();
    return config.ok() ? config->sealing : SealingConfig();
  };
  EXPECT_EQ(sealing("").by, SealingBy::kFile);
  EXPECT_EQ(sealing("sealing: file\n").by, SealingBy::kFile);
  EXPECT_EQ(sealing("sealing: sev-snp\n").by, SealingBy::kSevSnp);
  EXPECT_EQ(sealing("sealing: tpm\n").by, SealingBy::kTpm);
  const SealingConfig tpm =
      sealing("sealing: {by: tpm, pcrs: {bank: sha384, registers: [7, 0, 4]}}\n");
  EXPECT_EQ(tpm.pcrs.bank, "sha384");
  EXPECT_EQ(tpm.pcrs.registers, (std::vector<unsigned>{0, 4, 7}));
  EXPECT_EQ(sealing("sealing: {by: gramine}\n").sgx_identity, attest::SgxIdentity::kEnclave);
  EXPECT_EQ(sealing("sealing: {by: occlum, to: product}\n").sgx_identity,
            attest::SgxIdentity::kSigner);
}

TEST_F(DaemonConfigTest, RefusesMistakesInSealing) {
  Refuses("sealing: paper\n", Code::kConfigBadValue, "sev-snp");
  Refuses("sealing: {to: build}\n", Code::kConfigMissingKey, "by");
  Refuses("sealing: {by: tpm, to: build}\n", Code::kConfigBadValue, "gramine and occlum");
  Refuses("sealing: {by: gramine, to: anybody}\n", Code::kConfigBadValue, "product");
  Refuses("sealing: {by: file, pcrs: {}}\n", Code::kConfigBadValue, "only for tpm");
  Refuses("sealing: {by: tpm, pcrs: {bank: sha1}}\n", Code::kConfigBadValue, "sha256");
  Refuses("sealing: {by: tpm, pcrs: {registers: []}}\n", Code::kConfigBadValue, "at least one");
  Refuses("sealing: {by: tpm, pcrs: {registers: [24]}}\n", Code::kConfigBadValue, "registers");
  Refuses("sealing: {by: tpm, pcrs: {registers: [1, 1]}}\n", Code::kConfigBadValue, "twice");
  Refuses("sealing: {by: tpm, colour: red}\n", Code::kConfigUnknownKey, "colour");
  Refuses("token: {command: [/bin/true]}\n", Code::kConfigBadValue, "starts no programs");
}

TEST(SealingDefault, FollowsTheEvidenceType) {
  const auto read = [](const std::string& tee, const std::string& more = {}) {
    return ParseDaemonConfig("state: /s\nlisten: [unix:/k]\ntee: " + tee + "\n" + more, "k.yaml");
  };
  EXPECT_EQ(read("sev-snp")->sealing.by, SealingBy::kSevSnp);
  EXPECT_EQ(read("tpm")->sealing.by, SealingBy::kTpm);
  EXPECT_EQ(read("tdx").code(), Code::kConfigMissingKey) << "its TPM may be its host's";
  EXPECT_EQ(read("tdx", "sealing: tpm\n")->sealing.by, SealingBy::kTpm);
  EXPECT_EQ(read("sgx")->sealing.by, SealingBy::kGramine);
  EXPECT_EQ(read("nitro").code(), Code::kConfigMissingKey);
  EXPECT_EQ(read("nitro", "sealing: tpm\n")->sealing.by, SealingBy::kTpm);
  for (const char* tee : {"sev-snp", "sgx", "tpm", "nitro"})
    EXPECT_EQ(read(tee, "sealing: file\n").code(), Code::kConfigBadValue) << tee;
}

TEST_F(DaemonConfigTest, NamesFilesThatCannotBeRead) {
  const auto policy = Parse("default_policy: " + directory_ + "/absent.yaml\n");
  ASSERT_FALSE(policy.ok());
  EXPECT_NE(policy.error().Text().find("absent.yaml"), std::string::npos);
  std::filesystem::remove(directory_ + "/root.pub");
  const auto root = Parse("");
  ASSERT_FALSE(root.ok());
  EXPECT_NE(root.error().Text().find("root.pub"), std::string::npos);
}

TEST_F(DaemonConfigTest, RequiredKeysAreRequired) {
  for (const char* key : {"state", "listen", "tee", "simulated"}) {
    std::string text;
    for (size_t begin = 0; begin < Text().size();) {
      const size_t end = Text().find('\n', begin) + 1;
      const std::string line = Text().substr(begin, end - begin);
      if (!line.starts_with(key)) text += line;
      begin = end;
    }
    const auto config = ParseDaemonConfig(text, "k.yaml");
    ASSERT_FALSE(config.ok()) << key;
    EXPECT_EQ(config.code(), Code::kConfigMissingKey) << config.error().Text();
    EXPECT_NE(config.error().Text().find(key), std::string::npos);
  }
}

TEST_F(DaemonConfigTest, AnAddressMustBeOne) {
  for (const char* address :
       {"/run/k.sock", "unix:k.sock", "tcp:nowhere", "tcp:127.0.0.1:99999", "\"\""}) {
    const auto config = ParseDaemonConfig(
        "state: /s\nlisten: [" + std::string(address) + "]\ntee: simulated\n", "k.yaml");
    ASSERT_FALSE(config.ok()) << address;
    EXPECT_EQ(config.code(), Code::kConfigBadValue) << config.error().Text();
  }
  EXPECT_EQ(ParseDaemonConfig("state: /s\nlisten: []\ntee: simulated\n", "k.yaml").code(),
            Code::kConfigBadValue);
}

TEST_F(DaemonConfigTest, ReadsWhereTheWitnessIs) {
  EXPECT_EQ(Parse("")->witness.file, "");
  EXPECT_FALSE(Parse("")->witness.none);
  EXPECT_EQ(Parse("witness: {file: /mnt/usb/witness}\n")->witness.file, "/mnt/usb/witness");
  EXPECT_TRUE(Parse("witness: none\n")->witness.none);
  Refuses("witness: tpm\n", Code::kConfigBadValue, "sealing: tpm");
  Refuses("witness: peer\n", Code::kConfigBadValue, "witness");
  Refuses("witness: {file: witness}\n", Code::kConfigBadValue, "absolute");
  Refuses("witness: {path: /x}\n", Code::kConfigMissingKey, "file");
  Refuses("witness: {file: /x, more: 1}\n", Code::kConfigUnknownKey, "more");
  Refuses("witness: none\nsealing: tpm\n", Code::kConfigBadValue, "counter");
  const auto counted = Parse("witness: tpm\nsealing: tpm\n");
  ASSERT_TRUE(counted.ok()) << counted.error().Text();
  EXPECT_FALSE(counted->witness.none);
}

TEST_F(DaemonConfigTest, ReadsTheEnclaveThatIsTheWitness) {
  const std::string peer =
      "witness:\n  peer: {endpoint: \"tcp:10.0.0.9:7443\", enclave: "
      "0123456789abcdef0123456789abcdef, expect: {tee: {is: sgx}}}\n";
  const auto read = Parse(peer);
  ASSERT_TRUE(read.ok()) << read.error().Text();
  ASSERT_TRUE(read->witness.peer.has_value());
  EXPECT_EQ(read->witness.peer->endpoint.Text(), "tcp:10.0.0.9:7443");
  EXPECT_EQ(read->witness.peer->enclave, "0123456789abcdef0123456789abcdef");
  Refuses(peer + "sealing: tpm\n", Code::kConfigBadValue, "counter");
  Refuses("witness: {peer: {endpoint: \"tcp:a:1\", enclave: 0123}}\n", Code::kConfigBadValue,
          "32 hexadecimal");
  Refuses("witness: {peer: {endpoint: \"tcp:a:1\"}}\n", Code::kConfigMissingKey, "enclave");
}

TEST_F(DaemonConfigTest, ReadsWhoseWitnessItIs) {
  EXPECT_FALSE(Parse("")->keep_marks.has_value());
  const auto read = Parse("keep_marks: {of: {measurement: {is: \"ab\"}}, most: 3}\n");
  ASSERT_TRUE(read.ok()) << read.error().Text();
  EXPECT_EQ(read->keep_marks->most, 3U);
  Refuses("keep_marks: {most: 3}\n", Code::kConfigMissingKey, "of");
  Refuses("keep_marks: {of: {tee: {is: sgx}}, most: 0}\n", Code::kConfigBadValue, "most");
  Refuses("keep_marks: {of: {tee: {is: sgx}}, least: 1}\n", Code::kConfigUnknownKey, "least");
}

}  // namespace
}  // namespace keyclave::config
