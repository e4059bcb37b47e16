// Who may do what: policies, operators, visibility, denials.

#include "tests/unit/ops/enclave_fixture.h"

namespace keyclave::ops {
namespace {

const std::string kOther(64, 'a');  // a measurement that is nobody's here

class AccessTest : public EnclaveFixture {};

TEST_F(AccessTest, PermittedCallerSigns) {
  const auto token = MakeToken(PolicyText("edge", "sign", OwnMeasurement()));
  const auto root = Connect(0);
  ASSERT_TRUE(MakeKey(*root, token.id, "key").ok());
  const auto caller = Connect(1000);
  const auto signature = Run<wire::Op::kSign>(*caller, SignWith(ByLabel("key")));
  ASSERT_TRUE(signature.ok()) << signature.error().Text();
  EXPECT_EQ(signature->output.size(), 64U);
}

TEST_F(AccessTest, UnattestedCallerIsToldToAttest) {
  const auto token = MakeToken(PolicyText("edge", "sign", OwnMeasurement()));
  const auto root = Connect(0);
  ASSERT_TRUE(MakeKey(*root, token.id, "key").ok());
  const auto caller = Connect(1000, /*attest=*/false);
  EXPECT_EQ(Run<wire::Op::kSign>(*caller, SignWith(ByLabel("key"))).code(), Code::kNotAttested);
}

// lesson 9: a genuine TEE of somebody else is a stranger.
TEST_F(AccessTest, AnotherMeasurementIsRefusedRecordedAndExplained) {
  const auto token = MakeToken(PolicyText("edge", "sign", kOther));
  const auto root = Connect(0);
  ASSERT_TRUE(MakeKey(*root, token.id, "key").ok());
  const auto caller = Connect(1000);
  const auto refused = Run<wire::Op::kSign>(*caller, SignWith(ByLabel("key")));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), Code::kDenied);
  EXPECT_EQ(refused.error().detail(), "");

  const auto lines = audit_->Read(1, 100).value();
  EXPECT_NE(std::find_if(lines.begin(), lines.end(),
                         [](const std::string& line) {
                           return line.find("\"denial\"") != std::string::npos;
                         }),
            lines.end());
  wire::ExplainRequest request;
  request.key = ByLabel("key");
  request.operation = "sign";
  const auto explained = Run<wire::Op::kExplain>(*root, request);
  ASSERT_TRUE(explained.ok()) << explained.error().Text();
  EXPECT_FALSE(explained->allowed);
  EXPECT_NE(explained->when, 0);
  ASSERT_EQ(explained->permits.size(), 1U);
  EXPECT_NE(explained->permits[0].term.find("measurement"), std::string::npos);
  EXPECT_NE(explained->permits[0].wanted.find(kOther), std::string::npos);
  EXPECT_EQ(explained->permits[0].got, OwnMeasurement());
}

TEST_F(AccessTest, OperatorMakesKeysButDoesNotUseThem) {
  const auto token = MakeToken(PolicyText("edge", "sign", kOther));
  const auto root = Connect(0);
  ASSERT_TRUE(MakeKey(*root, token.id, "key").ok());
  EXPECT_EQ(Run<wire::Op::kSign>(*root, SignWith(ByLabel("key"))).code(), Code::kDenied);
}

TEST_F(AccessTest, CallerWithoutGrantsCannotTellForbiddenFromUnknown) {
  const auto token = MakeToken(PolicyText("edge", "sign", kOther));
  const auto root = Connect(0);
  ASSERT_TRUE(MakeKey(*root, token.id, "key").ok());
  const auto caller = Connect(1000);
  EXPECT_EQ(Run<wire::Op::kSign>(*caller, SignWith(ByLabel("key"))).code(), Code::kDenied);
  EXPECT_EQ(Run<wire::Op::kSign>(*caller, SignWith(ByLabel("nothing"))).code(), Code::kDenied);
  EXPECT_TRUE(Run<wire::Op::kListTokens>(*caller, {})->tokens.empty());
  wire::FindObjectsRequest find;
  find.token = token.id;
  find.limit = 10;
  EXPECT_EQ(Run<wire::Op::kFindObjects>(*caller, find).code(), Code::kDenied);
  find.token = RandomArray<16>();
  EXPECT_EQ(Run<wire::Op::kFindObjects>(*caller, find).code(), Code::kDenied);
}

TEST_F(AccessTest, OnlyTheOperationsAndMechanismsOfThePermit) {
  const auto token =
      MakeToken(PolicyText("edge", "sign", OwnMeasurement(), "    mechanisms: [rsa-pss]\n"));
  const auto root = Connect(0);
  ASSERT_TRUE(MakeKey(*root, token.id, "key").ok());
  const auto caller = Connect(1000);
  EXPECT_EQ(Run<wire::Op::kSign>(*caller, SignWith(ByLabel("key"))).code(), Code::kMechanismDenied);
  wire::DeriveKeyRequest derive;
  derive.base_key = ByLabel("key");
  derive.mechanism.type = CKM_ECDH1_DERIVE;
  EXPECT_EQ(Run<wire::Op::kDeriveKey>(*caller, derive).code(), Code::kDenied);
}

TEST_F(AccessTest, ObjectsWithoutAGrantAreNotFound) {
  const auto token = MakeToken(PolicyText("edge", "sign", OwnMeasurement()));
  const auto root = Connect(0);
  wire::ApplyPolicyRequest other;
  other.token = token.id;
  other.text = PolicyText("hidden", "sign", kOther);
  ASSERT_TRUE(Run<wire::Op::kApplyPolicy>(*root, other).ok());
  const auto visible = MakeKey(*root, token.id, "visible");
  const auto hidden = MakeKey(*root, token.id, "hidden");
  wire::SetAttributesRequest move;
  move.object.id = hidden->private_key.id;
  move.attributes.SetText(kCkaPolicy, "hidden");
  ASSERT_TRUE(Run<wire::Op::kSetAttributes>(*root, move).ok());
  const auto caller = Connect(1000);
  wire::FindObjectsRequest find;
  find.token = token.id;
  find.limit = 100;
  find.match.SetUlong(CKA_CLASS, CKO_PRIVATE_KEY);
  const auto found = Run<wire::Op::kFindObjects>(*caller, find);
  ASSERT_EQ(found->objects.size(), 1U);
  EXPECT_EQ(found->objects[0].id, visible->private_key.id);
}

TEST_F(AccessTest, NewPolicyVersionCountsInOpenSessionsAtOnce) {
  const auto token = MakeToken(PolicyText("edge", "sign", OwnMeasurement()));
  const auto root = Connect(0);
  ASSERT_TRUE(MakeKey(*root, token.id, "key").ok());
  const auto caller = Connect(1000);
  ASSERT_TRUE(Run<wire::Op::kSign>(*caller, SignWith(ByLabel("key"))).ok());
  wire::ApplyPolicyRequest stricter;
  stricter.token = token.id;
  stricter.text = PolicyText("edge", "sign", kOther, {}, 2);
  ASSERT_TRUE(Run<wire::Op::kApplyPolicy>(*root, stricter).ok());
  EXPECT_EQ(Run<wire::Op::kSign>(*caller, SignWith(ByLabel("key"))).code(), Code::kDenied);
  EXPECT_EQ(Run<wire::Op::kApplyPolicy>(*root, stricter).code(), Code::kPolicyVersion);
}

TEST_F(AccessTest, OldEvidenceMustBeRenewed) {
  const auto token = MakeToken(PolicyText("edge", "sign", OwnMeasurement(), "    max_age: 15m\n"));
  const auto root = Connect(0);
  ASSERT_TRUE(MakeKey(*root, token.id, "key").ok());
  const auto caller = Connect(1000);
  ASSERT_TRUE(Run<wire::Op::kSign>(*caller, SignWith(ByLabel("key"))).ok());
  clock_.now += 15 * 60;
  EXPECT_EQ(Run<wire::Op::kSign>(*caller, SignWith(ByLabel("key"))).code(), Code::kEvidenceExpired);
  EXPECT_EQ(Run<wire::Op::kListTokens>(*caller, {}).code(), Code::kEvidenceExpired);
  const auto hello = Run<wire::Op::kHello>(*caller, {});
  ASSERT_TRUE(Attest(*caller, hello->nonce).ok());
  EXPECT_TRUE(Run<wire::Op::kSign>(*caller, SignWith(ByLabel("key"))).ok());
}

TEST_F(AccessTest, TokenObjectsNeedManageAndSessionObjectsBelongToTheirSession) {
  const auto token = MakeToken(PolicyText("edge", "sign", OwnMeasurement()));
  const auto caller = Connect(1000);
  EXPECT_EQ(MakeKey(*caller, token.id, "mine", /*persistent=*/true).code(), Code::kDenied);
  const auto own = MakeKey(*caller, token.id, "mine", /*persistent=*/false);
  ASSERT_TRUE(own.ok()) << own.error().Text();
  wire::ObjectRef ref;
  ref.id = own->private_key.id;
  EXPECT_TRUE(Run<wire::Op::kSign>(*caller, SignWith(ref)).ok());
  const auto stranger = Connect(1000);
  EXPECT_FALSE(Run<wire::Op::kSign>(*stranger, SignWith(ref)).ok());
  wire::GetObjectRequest get;
  get.object = ref;
  EXPECT_EQ(Run<wire::Op::kGetObject>(*stranger, get).code(), Code::kObjectNotFound);
}

TEST_F(AccessTest, WrappedKeysLeaveOnlyExtractableAndWithRelease) {
  const auto token = MakeToken(PolicyText("edge", "sign, wrap, encrypt", OwnMeasurement()));
  const auto root = Connect(0);
  const auto make_aes = [&](bool extractable) {
    wire::GenerateKeyRequest request;
    request.token = token.id;
    request.mechanism.type = CKM_AES_KEY_GEN;
    request.attributes.SetUlong(CKA_VALUE_LEN, 32);
    request.attributes.SetBool(CKA_TOKEN, true);
    request.attributes.SetBool(CKA_WRAP, true);
    request.attributes.SetBool(CKA_EXTRACTABLE, extractable);
    return Run<wire::Op::kGenerateKey>(*root, request).value().object.id;
  };
  wire::WrapKeyRequest wrap;
  wrap.wrapping_key.id = make_aes(false);
  wrap.key.id = make_aes(false);
  wrap.mechanism.type = CKM_AES_KEY_WRAP;
  const auto caller = Connect(1000);
  EXPECT_EQ(Run<wire::Op::kWrapKey>(*caller, wrap).code(), Code::kDenied);
  wire::ApplyPolicyRequest wider;
  wider.token = token.id;
  // Under another key of the token only where the permit says so.
  wider.text = PolicyText("edge", "sign, wrap, release", OwnMeasurement(), {}, 2);
  ASSERT_TRUE(Run<wire::Op::kApplyPolicy>(*root, wider).ok());
  EXPECT_EQ(Run<wire::Op::kWrapKey>(*caller, wrap).code(), Code::kWrapRefused);
  wider.text =
      PolicyText("edge", "sign, wrap, release", OwnMeasurement(), "    wrap: [token-key]\n", 3);
  ASSERT_TRUE(Run<wire::Op::kApplyPolicy>(*root, wider).ok());
  EXPECT_EQ(Run<wire::Op::kWrapKey>(*caller, wrap).code(), Code::kKeyUnextractable);
  wrap.key.id = make_aes(true);
  EXPECT_TRUE(Run<wire::Op::kWrapKey>(*caller, wrap).ok());
}

// Lesson 12: a key is under this very policy, and the caller can insist on it.
TEST_F(AccessTest, APinnedPolicyIsCheckedWhereTheKeyIsUsed) {
  const std::string text = PolicyText("edge", "sign", OwnMeasurement());
  const auto token = MakeToken(text);
  const auto root = Connect(0);
  ASSERT_TRUE(MakeKey(*root, token.id, "key").ok());
  const auto caller = Connect(1000);
  wire::SignRequest sign = SignWith(ByLabel("key"));
  const auto code = [&] {
    const auto reply = Run<wire::Op::kSign>(*caller, sign);
    return reply.ok() ? "ok" : std::string(CodeName(reply.code()));
  };
  const ByteArray<32> digest = Sha256(AsBytes(text));
  const ByteArray<32> other = Sha256(AsBytes("another"));
  sign.key.policies = {digest};
  EXPECT_EQ(code(), "ok");
  sign.key.policies = {other, digest};
  EXPECT_EQ(code(), "ok");
  sign.key.policies = {other};
  EXPECT_EQ(code(), "PolicyDigest");
  sign.key.policies = std::vector<ByteArray<32>>();
  EXPECT_EQ(code(), "BadMessage");
  sign.key.policies = std::vector<ByteArray<32>>(17, digest);
  EXPECT_EQ(code(), "BadMessage");
  // A new version is another policy, for the next request already.
  sign.key.policies = {digest};
  wire::ApplyPolicyRequest next;
  next.token = token.id;
  next.text = PolicyText("edge", "sign", OwnMeasurement(), {}, 2);
  ASSERT_TRUE(Run<wire::Op::kApplyPolicy>(*root, next).ok());
  EXPECT_EQ(code(), "PolicyDigest");
  // Who may not use the key learns nothing of its policy.
  next.text = PolicyText("edge", "sign", kOther, {}, 3);
  ASSERT_TRUE(Run<wire::Op::kApplyPolicy>(*root, next).ok());
  EXPECT_EQ(code(), "Denied");
}

TEST_F(AccessTest, AdministrationIsForOperators) {
  const auto token = MakeToken(PolicyText("edge", "sign", OwnMeasurement()));
  const auto caller = Connect(1000);
  EXPECT_EQ(Run<wire::Op::kCreateToken>(*caller, {}).code(), Code::kOperatorOnly);
  EXPECT_EQ(Run<wire::Op::kReadAudit>(*caller, {}).code(), Code::kOperatorOnly);
  wire::ApplyPolicyRequest apply;
  apply.token = token.id;
  apply.text = PolicyText("edge", "sign", OwnMeasurement(), {}, 2);
  EXPECT_EQ(Run<wire::Op::kApplyPolicy>(*caller, apply).code(), Code::kDenied);
}

TEST_F(AccessTest, NothingRunsBeforeHello) {
  Caller caller;
  caller.connection.peer.tls_key = RandomArray<32>();
  caller.connection.session = sessions_->Join(caller.connection.peer).value();
  EXPECT_EQ(Run<wire::Op::kStatus>(caller, {}).code(), Code::kWrongState);
}

TEST_F(AccessTest, OperatorsDrain) {
  const auto root = Connect(0);
  const auto stranger = Connect(4711);
  session::Drain& drain = sessions_->drain();
  EXPECT_EQ(Run<wire::Op::kDrain>(*stranger, {.on = true}).code(), Code::kOperatorOnly);
  EXPECT_EQ(drain.round(), 0U);
  EXPECT_FALSE(Run<wire::Op::kStatus>(*root, {})->draining.has_value());
  drain.movable = 3;
  const auto begun = Run<wire::Op::kDrain>(*root, {.on = true});
  ASSERT_TRUE(begun.ok()) << begun.error().Text();
  EXPECT_EQ(begun->movable, 3U);
  EXPECT_NE(drain.round(), 0U);
  EXPECT_EQ(Run<wire::Op::kStatus>(*root, {})->draining, 3U);
  EXPECT_FALSE(Run<wire::Op::kStatus>(*stranger, {})->draining.has_value());
  EXPECT_TRUE(Run<wire::Op::kDrain>(*root, {.on = false}).ok());
  EXPECT_EQ(drain.round(), 0U);
}

}  // namespace
}  // namespace keyclave::ops
