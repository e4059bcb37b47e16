// The `trust:` block: what it takes, and each mistake with its place.

#include "attest/trust_config.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "enclave/base/file.h"
#include "tests/fakes/fake_ca.h"
#include "tests/fakes/temporary_directory.h"

namespace keyclave::attest {
namespace {

using test::FakeAuthority;
using test::FakeKeyKind;

class TrustConfig : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(WriteNewFile(File("root.pem"), AsBytes(root_.Pem()), 0644).ok());
    ASSERT_TRUE(WriteNewFile(File("keys.json"), AsBytes(R"({"keys": []})"), 0644).ok());
    ASSERT_TRUE(WriteNewFile(File("junk"), AsBytes("junk"), 0644).ok());
  }
  std::string File(const std::string& name) const { return folder_.path() + "/" + name; }

  // @ stands for the folder.
  Status Read(std::string text, Trust& trust) const {
    for (size_t at = text.find('@'); at != std::string::npos; at = text.find('@', at))
      text.replace(at, 1, folder_.path());
    KC_ASSIGN(const YamlValue yaml, ParseYaml(text, "client.yaml"));
    KC_ASSIGN(YamlMap map, yaml.AsMap());
    KC_CHECK_OK(ReadTrust(map, trust));
    return map.Finish();
  }
  // The error's text.
  std::string Refused(const std::string& text) const {
    Trust trust;
    const Status read = Read(text, trust);
    return read.ok() ? "accepted" : read.error().Text();
  }

  fakes::TemporaryDirectory folder_;
  FakeAuthority root_ = FakeAuthority::Root(FakeKeyKind::kP256, {.name = "CN=Root"});
};

TEST_F(TrustConfig, WithoutItOnlyVendorsAreTrusted) {
  Trust trust;
  ASSERT_TRUE(Read("", trust).ok());
  EXPECT_EQ(trust.RootsFor("sgx").size(), 1U);
  EXPECT_TRUE(trust.token_issuers.empty());
  EXPECT_TRUE(trust.collateral->certificates().empty());
}

TEST_F(TrustConfig, ReadsWhatItNames) {
  Trust trust;
  const Status read = Read(R"(
trust:
  roots: {sgx: ["@/root.pem"], tpm: ["@/root.pem", "@/root.pem"]}
  tokens:
    - {issuer: "https://issuer.example", audience: keyclave, keys: "@/keys.json", skew: 30s, unbound: true}
    - {issuer: "https://other.example", audience: keyclave, roots: ["@/root.pem"]}
)",
                           trust);
  ASSERT_TRUE(read.ok()) << read.error().Text();
  EXPECT_EQ(trust.RootsFor("sgx").size(), 2U);
  EXPECT_EQ(trust.RootsFor("tdx").size(), 1U);
  EXPECT_EQ(trust.RootsFor("tpm").size(), 4U);
  ASSERT_EQ(trust.token_issuers.size(), 2U);
  EXPECT_EQ(trust.token_issuers[0].issuer, "https://issuer.example");
  EXPECT_EQ(trust.token_issuers[0].skew, 30);
  EXPECT_TRUE(trust.token_issuers[0].unbound);
  EXPECT_EQ(trust.token_issuers[1].roots.size(), 1U);
  EXPECT_EQ(trust.token_issuers[1].skew, 60);
  EXPECT_FALSE(trust.token_issuers[1].unbound);
}

TEST_F(TrustConfig, NamesEachMistakeAndItsPlace) {
  const auto expect = [&](const std::string& text, const std::string& part) {
    const std::string said = Refused(text);
    EXPECT_NE(said.find(part), std::string::npos) << text << "\n" << said;
    EXPECT_NE(said.find("client.yaml:"), std::string::npos) << said;
  };
  expect("trust: {colour: red}", "colour");
  expect("trust: {roots: {sxg: [\"@/root.pem\"]}}", "must be one of");
  expect("trust: {roots: {sgx: [root.pem]}}", "absolute");
  expect("trust: {roots: {sgx: [\"@/none.pem\"]}}", "none.pem");
  expect("trust: {roots: {sgx: [\"@/junk\"]}}", "no certificate");
  expect("trust: {keys: {tpm: [\"@/junk\"]}}", "no public key");
  expect("trust: {collateral: \"@/none\"}", "no folder");
  expect("trust: {collateral: \"@\"}", "junk");
  expect("trust: {tokens: [{audience: a, keys: \"@/keys.json\"}]}", "issuer");
  expect("trust: {tokens: [{issuer: \"\", audience: a, keys: \"@/keys.json\"}]}", "issuer");
  expect("trust: {tokens: [{issuer: i, keys: \"@/keys.json\"}]}", "audience");
  expect("trust: {tokens: [{issuer: i, audience: \"\", keys: \"@/keys.json\"}]}", "aud");
  expect("trust: {tokens: [{issuer: i, audience: a}]}", "needs keys");
  expect("trust: {tokens: [{issuer: i, audience: a, keys: \"@/keys.json\", skew: 2h}]}", "1h");
}

TEST_F(TrustConfig, CollateralIsRecognisedByContent) {
  const std::string path = File("collateral");
  ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
  const Bytes list = root_.RevocationList({}, 1'700'000'000, 1'800'000'000);
  ASSERT_TRUE(WriteNewFile(path + "/a", AsBytes(root_.Pem()), 0644).ok());
  ASSERT_TRUE(WriteNewFile(path + "/b", list, 0644).ok());
  ASSERT_TRUE(WriteNewFile(path + "/c", AsBytes(ToHex(list)), 0644).ok());
  ASSERT_TRUE(WriteNewFile(path + "/d", AsBytes(R"({"tcbInfo":{},"signature":""})"), 0644).ok());
  ASSERT_TRUE(WriteNewFile(path + "/.hidden", AsBytes("junk"), 0644).ok());
  Trust trust;
  const Status read = Read("trust: {collateral: \"@/collateral\"}", trust);
  ASSERT_TRUE(read.ok()) << read.error().Text();
  EXPECT_EQ(trust.collateral->certificates().size(), 1U);
  EXPECT_EQ(trust.collateral->revocation_lists().size(), 2U);
  ASSERT_EQ(trust.collateral->documents().size(), 1U);
  EXPECT_EQ(trust.collateral->documents()[0].kind(), DocumentKind::kTcbInfo);
}

TEST(CollateralFiles, OfJsonAreReadToTheirEnd) {
  const std::string good = R"({"tcbInfo":{},"signature":""})";
  const auto add = [](const std::string& text) { return Collateral().Add(AsBytes(text), "file"); };
  EXPECT_TRUE(add(good + "\n").ok());
  for (const std::string& bad :
       {good + std::string(1, '\0'), good + std::string("\0{}", 3), good + "{}", good + "x",
        std::string(R"({"tcbInfo":{},"tcbInfo":{}})")}) {
    const Status added = add(bad);
    ASSERT_FALSE(added.ok()) << bad;
    EXPECT_EQ(added.code(), Code::kCollateralInvalid);
  }
}

}  // namespace
}  // namespace keyclave::attest
