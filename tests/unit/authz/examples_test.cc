// The complete examples of docs/policy.md, run as they stand there: each with a caller that gets
// what it says, and with callers that miss it by one thing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "enclave/authz/authorize.h"
#include "tests/fakes/paths.h"

namespace keyclave::authz {
namespace {

using attest::ClaimSet;
using attest::Origin;

std::string ReadDocument() {
  std::ifstream file(fakes::SourcePath("docs/policy.md"));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The examples by their policies' names.
std::map<std::string, std::string> Examples() {
  std::map<std::string, std::string> examples;
  const std::string text = ReadDocument();
  const std::string fence = "```yaml\n";
  const size_t begin = text.find("## Ten complete examples");
  const size_t end = text.find("\n## ", begin + 1);
  EXPECT_NE(begin, std::string::npos);
  for (size_t at = text.find(fence, begin); at < end; at = text.find(fence, at)) {
    at += fence.size();
    const std::string example = text.substr(at, text.find("```", at) - at);
    const std::string key = "policy: ";
    examples[example.substr(key.size(), example.find('\n') - key.size())] = example;
  }
  return examples;
}

// A request that has what its permits ask for, except what a test takes away.
class Request final : public Conditions {
 public:
  Status CheckBinding() override { return own ? Status() : Status(Fail(Code::kDenied)); }
  Status CheckInput(const InputRule& rule) override {
    return rule.Has(input) ? Status() : Status(Fail(Code::kInputRefused));
  }
  Status CheckWrap(const WrapForms& forms) override {
    return forms.Has(form) ? Status() : Status(Fail(Code::kWrapRefused));
  }
  Status CheckIssue(const IssueRule& rule) override {
    if (validity <= rule.max_validity) return Done{};
    return Fail(Code::kIssueRefused);
  }
  Status CheckApprovals(const Quorum& quorum) override {
    return quorum.Reached(approved_by) ? Status() : Status(Fail(Code::kApprovalMissing));
  }
  Status TakeLimit(size_t /*permit*/, const LimitRule& limit) override {
    taken = limit;
    return left ? Status() : Status(Fail(Code::kLimitReached));
  }

  bool own = true;
  bool left = true;
  InputForm input = InputForm::kTlsServer;
  WrapForm form = WrapForm::kHpkeP256;
  uint64_t validity = 1;
  std::set<std::string, std::less<>> approved_by;
  std::optional<LimitRule> taken;
};

class Example : public ::testing::Test {
 protected:
  void Load(const std::string& name) {
    const auto examples = Examples();
    ASSERT_TRUE(examples.contains(name)) << "docs/policy.md has no example " << name;
    auto parsed = Policy::Parse(examples.at(name), name);
    ASSERT_TRUE(parsed.ok()) << parsed.error().Text();
    policy_.emplace(*std::move(parsed));
    claims_.Set("debug", false);
  }
  void Claim(const std::string& name, attest::ClaimValue value, Origin origin = Origin::kAttested) {
    claims_.Set(name, std::move(value), origin);
  }
  void InSet(const std::string& name, const std::string& value) {
    auto set = std::make_shared<attest::ReferenceSet>();
    set->Add(value, {});
    rules_.sets[name] = set;
  }
  // nullopt if it is allowed.
  std::optional<Code> Refused(Operation operation, std::string_view family) {
    return Refused(claims_, operation, family);
  }
  std::optional<Code> Refused(const ClaimSet& claims, Operation operation,
                              std::string_view family) {
    const auto permit = Evaluate(*policy_, claims, verified_at_, now_, rules_)
                            .Check(operation, family, now_, request_);
    return permit.ok() ? std::nullopt : std::optional(permit.code());
  }
  // Refused once any one of these claims is another one, or is not there.
  void ExpectEachCounts(std::initializer_list<const char*> names, Operation operation,
                        std::string_view family) {
    ASSERT_EQ(Refused(operation, family), std::nullopt);
    for (const char* changed : names) {
      ClaimSet missing;
      ClaimSet other;
      for (const auto& [name, claim] : claims_) {
        if (name != changed) missing.Set(name, claim.value, claim.origin);
        other.Set(name, name != changed ? claim.value : Other(claim.value), claim.origin);
      }
      EXPECT_NE(Refused(missing, operation, family), std::nullopt) << "without " << changed;
      EXPECT_NE(Refused(other, operation, family), std::nullopt) << "with another " << changed;
    }
  }

  std::optional<Policy> policy_;
  ClaimSet claims_;
  TokenRules rules_;
  Request request_;
  UnixTime now_ = ParseTime("2026-12-01T23:00:00Z").value();
  UnixTime verified_at_ = now_;

 private:
  static attest::ClaimValue Other(const attest::ClaimValue& value) {
    if (const bool* flag = std::get_if<bool>(&value)) return !*flag;
    if (const int64_t* number = std::get_if<int64_t>(&value)) return *number / 2 - 1;
    if (std::get_if<std::string>(&value) != nullptr) return std::string("00");
    return std::vector<std::string>{"other"};
  }
};

TEST_F(Example, TlsFleet) {
  Load("edge-tls");
  Claim("tee", "sev-snp");
  Claim("measurement", "ab");
  Claim("tcb_status", "up-to-date");
  Claim("svn", int64_t{3});
  Claim("platform_id", "cc");
  InSet("edge-prod", "ab");
  InSet("our-racks", "cc");
  ExpectEachCounts({"tee", "measurement", "tcb_status", "svn", "platform_id", "debug"},
                   Operation::kSign, "ecdsa");
  EXPECT_EQ(request_.taken->rate->count, 5000U);
  EXPECT_EQ(Refused(Operation::kSign, "rsa-pkcs1"), Code::kMechanismDenied);
  EXPECT_EQ(Refused(Operation::kDecrypt, "rsa-oaep"), Code::kDenied);
  request_.input = InputForm::kTlsClient;
  EXPECT_EQ(Refused(Operation::kSign, "ecdsa"), Code::kInputRefused);
  request_.input = InputForm::kTlsServer;
  // The other rack, with a certificate of the fleet.
  Claim("platform_id", "dd");
  Claim("tls.san", std::vector<std::string>{"www.edge.example"}, Origin::kTransport);
  EXPECT_EQ(Refused(Operation::kSign, "ecdsa"), std::nullopt);
  now_ += 15 * 60;
  EXPECT_EQ(Refused(Operation::kSign, "ecdsa"), Code::kEvidenceExpired);
}

TEST_F(Example, CanaryRollOut) {
  Load("web-canary");
  Claim("tee", "sev-snp");
  Claim(
      "measurement",
      "9be2c1f07a6d5e4c3b2a190817263544f3e2d1c0bfae9d8c7b6a5948372615040f1e2d3c4b5a69788796a5b4c3d2"
      "e1f0");
  Claim("platform_id", "cc");
  InSet("canary-hosts", "cc");
  ExpectEachCounts({"tee", "measurement", "platform_id"}, Operation::kSign, "ecdsa");
  EXPECT_EQ(request_.taken->per, LimitRule::Per::kCaller);
  now_ = verified_at_ = ParseTime("2026-12-08").value();
  EXPECT_EQ(Refused(Operation::kSign, "ecdsa"), Code::kDenied) << "the week is over";
  Claim(
      "measurement",
      "0a11d9f4c2be7733a15e40c8be6af8d2c70b2f6a1a52e4b7f3c9d8e6a1b0c2d3e4f5061728394a5b6c7d8e9fa0b1"
      "c2d3");
  request_.taken.reset();
  EXPECT_EQ(Refused(Operation::kSign, "ecdsa"), std::nullopt);
  EXPECT_FALSE(request_.taken.has_value()) << "the old image has no limit";
}

TEST_F(Example, CertificateAuthority) {
  Load("issuing-ca");
  Claim("tee", "tdx");
  std::string measurement;
  for (int i = 0; i < 12; ++i) measurement += "c0ffee00";
  Claim("measurement", measurement);
  std::string rtmr;
  for (int i = 0; i < 6; ++i) rtmr += "1122334455667788";
  Claim("tdx.rtmr1", rtmr);
  request_.input = InputForm::kX509Tbs;
  ExpectEachCounts({"tee", "measurement", "tdx.rtmr1"}, Operation::kSign, "ecdsa");
  EXPECT_EQ(policy_->permits()[0].input->x509->max_days, 90U);
  for (const InputForm form : {InputForm::kTlsServer, InputForm::kDigest, InputForm::kX509Csr}) {
    request_.input = form;
    EXPECT_EQ(Refused(Operation::kSign, "ecdsa"), Code::kInputRefused);
  }
  EXPECT_EQ(Refused(Operation::kVerify, "ecdsa"), Code::kDenied);
}

TEST_F(Example, BackupJob) {
  Load("backup");
  Claim("tee", "sev-snp");
  Claim("measurement", "ab");
  Claim("sev-snp.vmpl", int64_t{0});
  InSet("backup-job", "ab");
  ExpectEachCounts({"tee", "measurement"}, Operation::kRelease, "");
  for (const WrapForm form : {WrapForm::kRsaOaepSha256, WrapForm::kTokenKey}) {
    request_.form = form;
    EXPECT_EQ(Refused(Operation::kRelease, ""), Code::kWrapRefused);
  }
  request_.form = WrapForm::kRsaAesKeyWrapSha256;
  EXPECT_EQ(Refused(Operation::kRelease, ""), std::nullopt);
  request_.left = false;
  EXPECT_EQ(Refused(Operation::kRelease, ""), Code::kLimitReached);
  EXPECT_EQ(Refused(Operation::kSign, ""), Code::kDenied);
}

TEST_F(Example, BreakGlass) {
  Load("break-glass");
  Claim("tee", "sgx");
  Claim("signer", "83d719e77deaca1470f6baf62a4d774303c899db69020f9c70ee1dfc08c7ce9e");
  request_.form = WrapForm::kRsaOaepSha256;
  EXPECT_EQ(Refused(Operation::kRelease, ""), Code::kApprovalMissing);
  request_.approved_by = {"ops"};
  EXPECT_EQ(Refused(Operation::kRelease, ""), Code::kApprovalMissing);
  request_.approved_by = {"ops", "mallory"};
  EXPECT_EQ(Refused(Operation::kRelease, ""), Code::kApprovalMissing);
  request_.approved_by = {"ops", "audit"};
  ExpectEachCounts({"tee", "signer"}, Operation::kRelease, "");
}

TEST_F(Example, TwoClouds) {
  Load("payments");
  Claim("tee", "nitro");
  Claim(
      "nitro.pcr8",
      "3c1d5e7f90a1b2c3d4e5f60718293a4b5c6d7e8f901a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192"
      "0a1b");
  ExpectEachCounts({"tee", "nitro.pcr8"}, Operation::kSign, "rsa-pss");
  claims_ = {};
  Claim("debug", false);
  Claim("tee", "tdx");
  Claim("signer", "83d719e77deaca1470f6baf62a4d774303c899db69020f9c70ee1dfc08c7ce9e");
  Claim("product_id", "payments");
  Claim("svn", int64_t{12});
  Claim("advisories", std::vector<std::string>{"INTEL-SA-00615"});
  ExpectEachCounts({"tee", "signer", "product_id", "svn", "advisories"}, Operation::kDecrypt,
                   "rsa-oaep");
}

TEST_F(Example, TrainingJob) {
  Load("night-job");
  Claim("tee", "sev-snp");
  Claim("measurement", "77aa0e1f6b5c4d3e2f10918273645546372819a0b1c2d3e4f5061728394a5b6c");
  Claim("product_id", "trainer");
  Claim("platform_id", "a1b2c3d5");
  Claim("tcb_date", "2026-06-02T00:00:00Z");
  ExpectEachCounts({"measurement", "platform_id"}, Operation::kUnwrap, "aes-kw");
  EXPECT_EQ(Refused(Operation::kWrap, "aes-kw"), Code::kDenied);
  Claim("product_id", "trainer-test");
  EXPECT_EQ(Refused(Operation::kUnwrap, "aes-kw"), Code::kDenied);
  Claim("product_id", "trainer");
  now_ = verified_at_ = ParseTime("2026-12-02T06:00:00Z").value();
  EXPECT_EQ(Refused(Operation::kUnwrap, "aes-kw"), Code::kDenied);
}

TEST_F(Example, TokenOnly) {
  Load("cloud-worker");
  Claim("tee", "token");
  Claim("token.family", "google");
  Claim("token.image_digest",
        "sha256:4c1f0a9e4d2b7f6a83c1d0e5b4a79682f3e1d2c4b5a697887766554433221100");
  Claim("token.expired", false);
  Claim("token.bound", true);
  ExpectEachCounts({"tee", "token.family", "token.image_digest", "token.expired"},
                   Operation::kDecrypt, "aes-gcm");
  Claim("token.bound", false);
  EXPECT_EQ(Refused(Operation::kDecrypt, "aes-gcm"), Code::kDenied) << "a bearer's token";
}

TEST_F(Example, KeysOfWhoeverMadeThem) {
  Load("own-keys");
  Claim("tee", "tdx");
  std::string signer;
  for (int i = 0; i < 12; ++i) signer += "5a17e";
  Claim("signer", signer + "5a17");
  ExpectEachCounts({"tee", "signer"}, Operation::kCreate, "");
  EXPECT_EQ(Refused(Operation::kSign, "ecdsa"), std::nullopt);
  request_.own = false;
  EXPECT_EQ(Refused(Operation::kSign, "ecdsa"), Code::kDenied);
  EXPECT_EQ(Refused(Operation::kManage, ""), Code::kDenied);
}

TEST_F(Example, LockedForEver) {
  Load("root-of-trust");
  EXPECT_TRUE(policy_->locked());
  Claim("tee", "sgx");
  Claim("measurement", "5f1c0a9e4d2b7f6a83c1d0e5b4a79682f3e1d2c4b5a697887766554433221100");
  ExpectEachCounts({"tee", "measurement"}, Operation::kSign, "eddsa");
  EXPECT_EQ(request_.taken->uses, 1000U);
}

TEST_F(Example, WhereNothingIsProtected) {
  Load("nginx-on-my-laptop");
  Claim("tee", "simulated");
  Claim("measurement", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  ExpectEachCounts({"tee", "measurement"}, Operation::kSign, "ecdsa");
  Load("local-tools");
  claims_ = {};
  Claim("peer.uid", int64_t{33}, Origin::kTransport);
  ExpectEachCounts({"peer.uid"}, Operation::kVerify, "rsa-pss");
}

TEST_F(Example, AllOfThemAreRun) {
  const auto examples = Examples();
  EXPECT_EQ(examples.size(), 12U) << "an example without a test of its own";
  for (const auto& [name, text] : examples) {
    const auto policy = Policy::Parse(text, name);
    ASSERT_TRUE(policy.ok()) << policy.error().Text();
    EXPECT_EQ(policy->name(), name);
    const auto again = Policy::Parse(policy->Print(), name);
    ASSERT_TRUE(again.ok()) << again.error().Text();
    EXPECT_EQ(again->Print(), policy->Print());
  }
}

}  // namespace
}  // namespace keyclave::authz
