// What nobody accepts by default: each refusal, and what is none.

#include "attest/default_policy.h"

#include <gtest/gtest.h>

namespace keyclave::attest {
namespace {

ClaimSet Good() {
  ClaimSet claims;
  claims.Set("tee", std::string("sev-snp"));
  claims.Set("debug", false);
  claims.Set("tcb_status", std::string("out-of-date"));  // for policies to decide on
  claims.Set("tpm.pcr_bank", std::string("sha256"));
  claims.Set("token.expired", false);
  return claims;
}

TEST(DefaultPolicy, LetsGoodEvidencePass) {
  EXPECT_FALSE(FailedDefaultPolicy(Good()).has_value());
  // A token need not say whether what it is about is in debug mode.
  EXPECT_FALSE(FailedDefaultPolicy(ClaimSet()).has_value());
}

TEST(DefaultPolicy, NamesWhatItRefuses) {
  struct Row {
    const char* claim;
    ClaimValue value;
    const char* got;
  };
  const Row rows[] = {{"debug", true, "true"},
                      {"tee", std::string("simulated"), "simulated"},
                      {"tpm.pcr_bank", std::string("sha1"), "sha1"},
                      {"token.expired", true, "true"}};
  for (const Row& row : rows) {
    ClaimSet claims = Good();
    claims.Set(row.claim, row.value);
    const auto failed = FailedDefaultPolicy(claims);
    ASSERT_TRUE(failed.has_value()) << row.claim;
    EXPECT_EQ(failed->term, row.claim);
    EXPECT_EQ(failed->got, row.got);
    EXPECT_FALSE(failed->wanted.empty());
  }
}

TEST(DefaultPolicy, AsksForNothingElse) {
  ClaimSet claims = Good();
  claims.Set("token.debug", true);
  claims.Set("tpm.pcr_bank_of_another", std::string("sha1"));
  claims.Set("signer", std::string("simulated"));
  EXPECT_FALSE(FailedDefaultPolicy(claims).has_value());
}

}  // namespace
}  // namespace keyclave::attest
