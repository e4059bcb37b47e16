// The dispatch table as a whole: nothing of the wire is missing from it, nothing runs before Hello
// but Hello.

#include <gtest/gtest.h>

#include "enclave/ops/dispatch.h"

namespace keyclave::ops {
namespace {

constexpr wire::Op kAllOps[] = {
#define KC_OP(number, name, deadline_factor) wire::Op::k##name,
#include "enclave/wire/ops.inc"
#undef KC_OP
};

TEST(DispatchTable, HasExactlyTheOperationsOfTheWire) {
  for (const wire::Op op : kAllOps) {
    const Row* row = FindRow(op);
    ASSERT_NE(row, nullptr) << wire::OpName(op);
    EXPECT_EQ(row->op, op);
    EXPECT_NE(row->run, nullptr) << wire::OpName(op);
  }
  EXPECT_EQ(FindRow(static_cast<wire::Op>(0)), nullptr);
  EXPECT_EQ(FindRow(static_cast<wire::Op>(9999)), nullptr);
}

TEST(DispatchTable, OnlyHelloRunsBeforeHello) {
  for (const wire::Op op : kAllOps) {
    EXPECT_EQ(FindRow(op)->need == SessionNeed::kNothing, op == wire::Op::kHello)
        << wire::OpName(op);
  }
}

// A new operation is none of these until somebody says so.
TEST(DispatchTable, WhoRelaysEvidenceRunsThreeOperations) {
  for (const wire::Op op : kAllOps) {
    const bool wanted =
        op == wire::Op::kHello || op == wire::Op::kAttest || op == wire::Op::kRelease;
    EXPECT_EQ(FindRow(op)->for_relayed, wanted) << wire::OpName(op);
  }
}

TEST(DispatchTable, EveryChangeIsAudited) {
  for (const wire::Op op :
       {wire::Op::kCreateToken, wire::Op::kInitToken, wire::Op::kDeleteToken, wire::Op::kInitPin,
        wire::Op::kSetPin, wire::Op::kCreateObject, wire::Op::kCopyObject, wire::Op::kDestroyObject,
        wire::Op::kSetAttributes, wire::Op::kGenerateKey, wire::Op::kGenerateKeyPair,
        wire::Op::kImportKey, wire::Op::kCertify, wire::Op::kUnwrapKey, wire::Op::kDeriveKey,
        wire::Op::kApplyPolicy, wire::Op::kDrain}) {
    EXPECT_EQ(FindRow(op)->audit, AuditClass::kChange) << wire::OpName(op);
  }
  EXPECT_EQ(FindRow(wire::Op::kWrapKey)->audit, AuditClass::kRelease);
}

}  // namespace
}  // namespace keyclave::ops
