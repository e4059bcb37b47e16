// Weaknesses of systems like this one (docs/threat_model.md), shown absent where the whole daemon
// behind the wire has to show it.

#include "tests/unit/ops/owner_fixture.h"

namespace keyclave::ops {
namespace {

constexpr wire::Op kAllOps[] = {
#define KC_OP(number, name, deadline_factor) wire::Op::k##name,
#include "enclave/wire/ops.inc"
#undef KC_OP
};

class LessonsTest : public OwnerFixture {
 protected:
  // The code of the reply to a request of these bytes.
  Result<uint64_t> Send(Caller& caller, wire::Op op, ByteSpan fields) {
    const Bytes frame = wire::BuildRequest(7, op, fields);
    ByteSpan rest = frame;
    const auto parsed = wire::TakeFrame(rest);
    const Bytes answer = dispatcher_->Handle(caller.connection, *parsed.value());
    ByteSpan answer_rest = answer;
    const auto reply_frame = wire::TakeFrame(answer_rest);
    KC_ASSIGN(const wire::ReplyBody body, wire::ParseReply(reply_frame.value()->body));
    return body.code;
  }
};

// lesson 17: there is no operation that a stranger may call for its effect.
TEST_F(LessonsTest, NothingThatChangesIsForStrangers) {
  MakeOwnedToken(PolicyText("edge", "sign", OwnMeasurement()));
  const auto stranger = Connect(4711, /*attest=*/false);
  const uint64_t epoch = store_->epoch();
  for (const wire::Op op : kAllOps) {
    if (FindRow(op)->audit == AuditClass::kNone) continue;
    for (const Bytes& fields :
         {wire::Encode(wire::Empty{}), wire::Encode(wire::ListOwnersRequest{.token = token_})}) {
      const auto code = Send(*stranger, op, fields);
      ASSERT_TRUE(code.ok());
      EXPECT_NE(*code, 0U) << wire::OpName(op);
    }
  }
  EXPECT_EQ(store_->epoch(), epoch);
}

// lesson 38: bad requests end in an error, and the daemon goes on.
TEST_F(LessonsTest, NoRequestIsTooStrange) {
  MakeOwnedToken(PolicyText("edge", "sign", OwnMeasurement()));
  const auto caller = Connect(1000);
  const auto root = Connect(0);
  const std::vector<Bytes> strange = {
      {},     {0xa0},       {0x80},       {0xf6},       {0xff},           Bytes(4096, 0x81),
      {0xbf}, {0xa1, 0x01}, {0x5b, 0xff}, {0xa1, 0x01}, Bytes(300, 0xa1), {0xa1, 0x20, 0x00}};
  for (const wire::Op op : kAllOps) {
    if (op == wire::Op::kHello) continue;
    for (Caller* who : {caller.get(), root.get()}) {
      for (const Bytes& fields : strange) EXPECT_TRUE(Send(*who, op, fields).ok());
    }
  }
  EXPECT_TRUE(Run<wire::Op::kStatus>(*root, {}).ok());
}

// lesson 26b: what is deleted is named exactly, and a name is never a path or a pattern.
TEST_F(LessonsTest, DestroyingANameDestroysThatNameOnly) {
  const auto token = MakeToken(PolicyText("edge", "sign", OwnMeasurement()));
  const auto root = Connect(0);
  const std::vector<std::string> labels = {"a", "ab", "a*", "../a", "a; rm -rf /", "%", "a/b"};
  for (const std::string& label : labels) ASSERT_TRUE(MakeKey(*root, token.id, label).ok());
  const auto count = [&](const std::string& label) {
    wire::FindObjectsRequest find{
        .token = token.id, .match = {}, .after = {}, .limit = 100, .all = true};
    find.match.SetText(CKA_LABEL, label);
    find.match.SetUlong(CKA_CLASS, CKO_PRIVATE_KEY);
    return Run<wire::Op::kFindObjects>(*root, find)->objects.size();
  };
  for (size_t gone = 0; gone < labels.size(); ++gone) {
    wire::DestroyObjectRequest destroy;
    destroy.object = ByLabel(labels[gone]);
    ASSERT_TRUE(Run<wire::Op::kDestroyObject>(*root, destroy).ok()) << labels[gone];
    for (size_t i = 0; i < labels.size(); ++i)
      EXPECT_EQ(count(labels[i]), i <= gone ? 0U : 1U) << labels[i] << " after " << labels[gone];
  }
  for (const char* near : {"", "*", "a", "../../token"}) {
    wire::DestroyObjectRequest destroy;
    destroy.object.token_label = near;
    destroy.object.label = "a";
    EXPECT_FALSE(Run<wire::Op::kDestroyObject>(*root, destroy).ok()) << near;
  }
}

// lesson 41: how long evidence, grants and approvals last is in policies and statements, which
// owners sign. The daemon's own limit shortens it and never lengthens it.
TEST_F(LessonsTest, NobodyButThePolicySaysHowLong) {
  MakeOwnedToken(PolicyText("edge", "sign", OwnMeasurement(), "    max_age: 60s\n"));
  ASSERT_TRUE(MakeOwnedKey("key").ok());
  const auto caller = Connect(1000);
  EXPECT_TRUE(Run<wire::Op::kSign>(*caller, SignWith(ByLabel("key"))).ok());
  clock_.now += 60;
  EXPECT_EQ(Run<wire::Op::kSign>(*caller, SignWith(ByLabel("key"))).code(), Code::kEvidenceExpired);
}

}  // namespace
}  // namespace keyclave::ops
