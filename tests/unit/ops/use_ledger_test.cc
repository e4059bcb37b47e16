#include "enclave/ops/use_ledger.h"

#include <gtest/gtest.h>

#include "tests/unit/ops/enclave_fixture.h"

namespace keyclave::ops {
namespace {

constexpr UseLedger::Use kUse = {{1}, authz::Operation::kSign};
constexpr UseLedger::Use kOtherUse = {{1}, authz::Operation::kDecrypt};

TEST(UseLedgerTest, FirstUseOfEachKindBySessionAndEvidence) {
  UseLedger ledger;
  EXPECT_TRUE(ledger.Note(1, 100, kUse));
  EXPECT_FALSE(ledger.Note(1, 100, kUse));
  EXPECT_TRUE(ledger.Note(1, 100, kOtherUse));
  EXPECT_TRUE(ledger.Note(2, 100, kUse));
  EXPECT_TRUE(ledger.Note(1, 200, kUse)) << "new evidence is a new grant";
  ledger.Forget(2);
  EXPECT_TRUE(ledger.Note(2, 100, kUse));
}

TEST(UseLedgerTest, CountsAreTakenOnce) {
  UseLedger ledger;
  for (int i = 0; i < 3; ++i) ledger.Note(1, 100, kUse);
  ledger.Note(2, 100, kOtherUse);
  const auto counts = ledger.TakeCounts();
  ASSERT_EQ(counts.size(), 2U);
  EXPECT_EQ(counts[0].second, 3U);
  EXPECT_EQ(counts[1].second, 1U);
  EXPECT_TRUE(ledger.TakeCounts().empty());
}

class LimitTest : public EnclaveFixture {};

TEST_F(LimitTest, SessionsHaveARequestLimit) {
  config_.limits.requests_per_session = 5;
  const auto caller = Connect(1000);  // Hello and Attest are the first two
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Run<wire::Op::kListTokens>(*caller, {}).ok());
  EXPECT_EQ(Run<wire::Op::kListTokens>(*caller, {}).code(), Code::kSessionLimit);
}

TEST_F(LimitTest, GrantsAreAuditedOnceDenialsEachTime) {
  const auto token = MakeToken(PolicyText("edge", "sign", OwnMeasurement()));
  const auto root = Connect(0);
  ASSERT_TRUE(MakeKey(*root, token.id, "key").ok());
  const auto caller = Connect(1000);
  const auto count = [&](const char* event) {
    const auto lines = audit_->Read(1, 1000).value();
    return std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
      return line.find(std::string("\"event\":\"") + event) != std::string::npos;
    });
  };
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(Run<wire::Op::kSign>(*caller, SignWith(ByLabel("key"))).ok());
  EXPECT_EQ(count("grant"), 1);
  wire::SignRequest decrypt = SignWith(ByLabel("key"));
  decrypt.mechanism.type = CKM_RSA_PKCS;
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(Run<wire::Op::kDecrypt>(*caller, decrypt).code(), Code::kDenied);
  EXPECT_EQ(count("denial"), 3);
}

}  // namespace
}  // namespace keyclave::ops
