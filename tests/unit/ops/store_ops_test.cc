// Checking and compacting the store by request.
#include "tests/unit/ops/enclave_fixture.h"

namespace keyclave::ops {
namespace {

class StoreOpsTest : public EnclaveFixture {};

TEST_F(StoreOpsTest, AreForOperators) {
  const auto caller = Connect(1000);
  EXPECT_EQ(Run<wire::Op::kCheckStore>(*caller, {}).code(), Code::kOperatorOnly);
  EXPECT_EQ(Run<wire::Op::kCompactStore>(*caller, {}).code(), Code::kOperatorOnly);
}

TEST_F(StoreOpsTest, CheckGoesThroughEveryRow) {
  const auto root = Connect(0);
  MakeToken(PolicyText("edge", "sign", OwnMeasurement()));
  const auto reply = Run<wire::Op::kCheckStore>(*root, {});
  ASSERT_TRUE(reply.ok()) << reply.error().Text();
  EXPECT_EQ(reply->rows, reply->all);
  EXPECT_GE(reply->rows, 2U);
  EXPECT_FALSE(reply->next.has_value());
  EXPECT_TRUE(reply->findings.empty());
  for (const wire::StoreStep step : {wire::StoreStep::kHead, wire::StoreStep::kStructure}) {
    const auto other = Run<wire::Op::kCheckStore>(*root, {step, std::nullopt, false});
    ASSERT_TRUE(other.ok()) << other.error().Text();
    EXPECT_TRUE(other->findings.empty());
    EXPECT_FALSE(other->skipped.has_value());
  }
}

TEST_F(StoreOpsTest, CheckOfARowsCursorBehindTheLastIsEmpty) {
  const auto root = Connect(0);
  ByteArray<32> last{};
  last.fill(0xff);
  const auto reply = Run<wire::Op::kCheckStore>(*root, {wire::StoreStep::kRows, last, false});
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->rows, 0U);
  EXPECT_FALSE(reply->next.has_value());
}

TEST_F(StoreOpsTest, CompactingIsAudited) {
  const auto root = Connect(0);
  ASSERT_TRUE(Run<wire::Op::kCompactStore>(*root, {}).ok());
  const auto lines = audit_->Read(1, 100);
  ASSERT_TRUE(lines.ok());
  EXPECT_NE(lines->back().find("CompactStore"), std::string::npos) << lines->back();
  EXPECT_NE(lines->back().find("bytes_after"), std::string::npos);
}

}  // namespace
}  // namespace keyclave::ops
