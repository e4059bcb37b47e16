#include "enclave/ops/use_ledger.h"

#include <gtest/gtest.h>

#include "tests/unit/ops/enclave_fixture.h"

namespace keyclave::ops {
namespace {

constexpr UseLedger::Use kUse = {{1}, authz::Operation::kSign};
constexpr UseLedger::Use kOtherUse = {{1}, authz::Operation::kDecrypt};

UseLedger::IdentityPtr Identity(UnixTime verified_at, uint8_t caller) {
  auto identity = std::make_shared<session::Session::Identity>();
  identity->verified_at = verified_at;
  identity->caller = {caller};
  return identity;
}

TEST(UseLedgerTest, FirstUseOfEachKindBySessionAndEvidence) {
  UseLedger ledger;
  EXPECT_TRUE(ledger.Note(1, Identity(100, 1), kUse));
  EXPECT_FALSE(ledger.Note(1, Identity(100, 1), kUse));
  EXPECT_TRUE(ledger.Note(1, Identity(100, 1), kOtherUse));
  EXPECT_TRUE(ledger.Note(2, Identity(100, 1), kUse));
  EXPECT_TRUE(ledger.Note(1, Identity(200, 1), kUse)) << "new evidence is a new grant";
  ledger.Forget(2);
  EXPECT_TRUE(ledger.Note(2, Identity(100, 1), kUse));
}

TEST(UseLedgerTest, TotalsArePerCallerAndTakenOnce) {
  UseLedger ledger;
  for (int i = 0; i < 3; ++i) ledger.Note(1, Identity(100, 1), kUse);
  ledger.Note(2, Identity(100, 1), kUse);  // the same caller's other session
  ledger.Note(3, Identity(100, 2), kUse);
  ledger.Note(2, Identity(100, 1), kOtherUse);
  const auto totals = ledger.TakeTotals();
  ASSERT_EQ(totals.size(), 3U);
  EXPECT_EQ(totals[0].count, 4U);
  EXPECT_EQ(totals[1].count, 1U);
  EXPECT_EQ(totals[1].identity->caller[0], 2U);
  EXPECT_EQ(totals[2].count, 1U);
  EXPECT_TRUE(ledger.TakeTotals().empty());
  ledger.Note(1, Identity(100, 1), kUse);
  ledger.Restore(totals);
  EXPECT_EQ(ledger.TakeTotals()[0].count, 5U)
      << "what could not be written is of the next interval";
}

TEST(UseLedgerTest, TooManyToTellApartAreCountedTogether) {
  UseLedger ledger;
  for (size_t i = 0; i < UseLedger::kMaxTotals + 100; ++i) {
    UseLedger::Use use{{9, static_cast<uint8_t>(i), static_cast<uint8_t>(i >> 8)},
                       authz::Operation::kSign};
    ledger.Note(1, Identity(100, 1), use);
  }
  const auto totals = ledger.TakeTotals();
  ASSERT_EQ(totals.size(), UseLedger::kMaxTotals + 1);
  EXPECT_EQ(totals[0].use.object, wire::ObjectId{});
  EXPECT_EQ(totals[0].identity, nullptr);
  EXPECT_EQ(totals[0].count, 100U);
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
  const auto lines = audit_->Read(1, 1000).value();
  for (const std::string& line : lines) {
    const bool of_caller = line.find("\"event\":\"grant\"") != std::string::npos ||
                           line.find("\"event\":\"denial\"") != std::string::npos;
    if (!of_caller) continue;
    EXPECT_NE(line.find("\"claims\":{\"tee\":\"simulated\",\"measurement\":\""), std::string::npos)
        << line;
    EXPECT_NE(line.find("\"policy_digest\":\""), std::string::npos) << line;
    EXPECT_NE(line.find("\"evidence\":\""), std::string::npos) << line;
    const bool grant = line.find("\"event\":\"grant\"") != std::string::npos;
    EXPECT_EQ(line.find("\"permit\":\"1\"") != std::string::npos, grant) << line;
  }
}

}  // namespace
}  // namespace keyclave::ops
