#include "enclave/ctl/audit_callers.h"

#include <gtest/gtest.h>

#include "enclave/base/file.h"
#include "tests/fakes/temporary_directory.h"

namespace keyclave::ctl {
namespace {

using fakes::TemporaryDirectory;

class AuditCallers : public testing::Test {
 protected:
  Result<SeenCallers> Read(const std::string& text) {
    const std::string path = directory_.path() + "/audit.jsonl";
    EXPECT_TRUE(ReplaceFile(path, AsBytes(text), 0600).ok());
    return ReadAuditCallers(path);
  }
  TemporaryDirectory directory_;
};

TEST_F(AuditCallers, GroupsByWhatTheyProved) {
  const auto seen = Read(
      R"({"event": "denial", "caller": "measurement aa, uid 1", "claims": "{\"tee\": \"tdx\", \"svn\": \"3\"}"})"
      "\n"
      R"({"event": "grant", "caller": "measurement aa, uid 1", "claims": {"svn": "3", "tee": "tdx"}})"
      "\n"
      R"({"event": "grant", "caller": "measurement bb, uid 1", "claims": {"tee": "sgx", "debug": false, "tls.san": ["a", "b"]}})"
      "\n"
      R"({"event": "grant", "caller": "measurement cc, uid 1"})"
      "\n"
      R"({"event": "checkpoint"})"
      "\n");
  ASSERT_TRUE(seen.ok()) << seen.error().Text();
  ASSERT_EQ(seen->callers.size(), 2U);
  EXPECT_EQ(seen->without_claims, 1U);
  const SeenCaller& first =
      seen->callers[0].name.find("bb") == std::string::npos ? seen->callers[0] : seen->callers[1];
  const SeenCaller& second = &first == &seen->callers[0] ? seen->callers[1] : seen->callers[0];
  EXPECT_EQ(first.requests, 2U);
  EXPECT_EQ(first.claims.Find("svn")->value, attest::ClaimValue(int64_t{3}));
  EXPECT_EQ(first.claims.Find("debug")->value, attest::ClaimValue(false));  // not in the record
  EXPECT_EQ(second.claims.Find("debug")->value, attest::ClaimValue(false));
  // The channel's word stays the channel's word.
  EXPECT_EQ(second.claims.Find("tls.san")->origin, attest::Origin::kTransport);
  EXPECT_EQ(second.claims.Find("tee")->origin, attest::Origin::kAttested);
}

TEST_F(AuditCallers, RefusesWhatIsNoLog) {
  for (const char* text :
       {"x\n", "[]\n", "{}\n\n{}\n", R"({"event": "grant", "caller": "c", "claims": 5})",
        R"({"event": "grant", "caller": "c", "claims": "no json"})",
        R"({"event": "grant", "caller": "c", "claims": {"svn": 1.5}})",
        R"({"event": "grant", "caller": "c", "claims": {"svn": {}}})",
        R"({"event": "grant", "caller": "c", "claims": {"tls.san": [1]}})",
        R"({"event": "grant", "event": "denial"})"}) {
    const auto seen = Read(text);
    ASSERT_FALSE(seen.ok()) << text;
    EXPECT_NE(seen.error().Text().find("audit.jsonl:"), std::string::npos) << seen.error().Text();
  }
  EXPECT_EQ(ReadAuditCallers("/no/such/file").code(), Code::kNotFound);
}

TEST_F(AuditCallers, ReadsAFolderInOrder) {
  ASSERT_TRUE(Read(R"({"event": "grant", "caller": "c", "claims": {"tee": "sgx"}})").ok());
  const auto seen = ReadAuditCallers(directory_.path());
  ASSERT_TRUE(seen.ok());
  EXPECT_EQ(seen->callers.size(), 1U);
}

}  // namespace
}  // namespace keyclave::ctl
