// Sets, revocations, approvals, bindings and lineage: what changes a verdict beside the policy, in
// sessions that are open.

#include "enclave/ops/documents.h"
#include "tests/unit/ops/owner_fixture.h"

namespace keyclave::ops {
namespace {

class RulesTest : public OwnerFixture {
 protected:
  void SetUp() override {
    OwnerFixture::SetUp();
    own_ = OwnMeasurement();
  }
  // One permit for simulated callers, with this `when` beside the tee.
  static std::string When(const std::string& operations, const std::string& when,
                          const std::string& more = {}, int version = 1) {
    return "policy: edge\nversion: " + std::to_string(version) + "\npermit:\n  - operations: [" +
           operations + "]\n    allow_unattested: true\n" + more +
           "    when: {tee: {is: simulated}, " + when + "}\n";
  }
  static std::string Set(int version, const std::string& entries, const std::string& change = {}) {
    return "set: prod\nversion: " + std::to_string(version) + "\n" + change + "entries: [" +
           entries + "]\n";
  }
  static std::string Entry(const std::string& value, const std::string& more = {}) {
    return "{value: " + value + ", reason: release" + more + "}";
  }
  Code Sign(Caller& caller, const wire::ObjectRef& key = ByLabel("key")) {
    const auto signature = Run<wire::Op::kSign>(caller, SignWith(key));
    return signature.ok() ? Code::kInternal : signature.code();
  }
  static constexpr Code kSigned = Code::kInternal;  // no refusal has this code here
  wire::ExplainReply LastRefusal(const wire::ObjectRef& key = ByLabel("key")) {
    const auto owner = Connect(4711, /*attest=*/false);
    wire::Statement login = StatementOf<wire::Op::kOwnerLogin>(
        {token_, owner->connection.peer.tls_key, owner->connection.session->id()});
    login.sequence = 0;
    --sequence_;
    EXPECT_TRUE(Run<wire::Op::kAdminister>(*owner, SignedBy({&ops_}, login)).ok());
    auto reply = Run<wire::Op::kExplain>(*owner, {key, "sign", false});
    EXPECT_TRUE(reply.ok()) << reply.error().Text();
    return reply.ok() ? *std::move(reply) : wire::ExplainReply();
  }

  std::string own_;
};

TEST_F(RulesTest, ASetIsFollowedAtOnceInOpenSessions) {
  MakeOwnedToken(When("sign", "measurement: {in-set: prod}"));
  ASSERT_TRUE(MakeOwnedKey("key").ok());
  const auto caller = Connect(1000);
  EXPECT_EQ(Sign(*caller), Code::kDenied) << "a set that is not there holds nothing";
  const auto apply = [&](const Signers& signers, const std::string& text) {
    return Signed<wire::Op::kApplySet>(signers, {token_, text});
  };
  const auto first = apply({&ops_}, Set(1, Entry(own_)));
  ASSERT_TRUE(first.ok()) << first.error().Text();
  EXPECT_EQ(first->set.current, 1U);
  EXPECT_EQ(Sign(*caller), kSigned);
  ASSERT_TRUE(apply({&ops_}, Set(2, Entry(std::string(64, 'b')))).ok());
  EXPECT_EQ(Sign(*caller), Code::kDenied);
  EXPECT_EQ(apply({&ops_}, Set(2, Entry(own_))).code(), Code::kPolicyVersion);
  EXPECT_EQ(apply({&auditor_}, Set(3, Entry(own_))).code(), Code::kOwnersOnly);
  const std::string change = "change: {quorum: 2, of: [ops, security]}\n";
  ASSERT_TRUE(apply({&ops_}, Set(3, Entry(own_), change)).ok());
  EXPECT_EQ(apply({&ops_}, Set(4, Entry(own_))).code(), Code::kQuorum);
  EXPECT_TRUE(apply({&ops_, &security_}, Set(4, Entry(own_))).ok());
  EXPECT_EQ(Sign(*caller), kSigned);
}

TEST_F(RulesTest, AnEntryCountsInItsTimeOnly) {
  MakeOwnedToken(When("sign", "measurement: {in-set: prod}"));
  ASSERT_TRUE(MakeOwnedKey("key").ok());
  const auto caller = Connect(1000);
  const std::string span = ", not_before: " + FormatTime(clock_.now + 10) +
                           ", not_after: " + FormatTime(clock_.now + 20);
  ASSERT_TRUE(Signed<wire::Op::kApplySet>({&ops_}, {token_, Set(1, Entry(own_, span))}).ok());
  EXPECT_EQ(Sign(*caller), Code::kDenied);
  clock_.now += 10;
  EXPECT_EQ(Sign(*caller), kSigned);
  clock_.now += 9;
  EXPECT_EQ(Sign(*caller), kSigned);
  clock_.now += 1;
  EXPECT_EQ(Sign(*caller), Code::kDenied);
}

TEST_F(RulesTest, RevokedCallersAndKeysAreRefusedAtTheNextRequest) {
  MakeOwnedToken(When("sign", "measurement: {is: " + own_ + "}"));
  const auto pair = MakeOwnedKey("key");
  ASSERT_TRUE(MakeOwnedKey("other").ok());
  const auto caller = Connect(1000);
  const auto another = Connect(1000);
  EXPECT_EQ(Sign(*caller), kSigned);
  // One caller, by its TLS key.
  wire::RevokeRequest revoke{.token = token_, .whom = {}, .object = {}, .reason = "compromised"};
  revoke.whom = "tls.key: {is: " + ToHex(caller->connection.peer.tls_key) + "}";
  const auto one = Signed<wire::Op::kRevoke>({&security_}, revoke);
  ASSERT_TRUE(one.ok()) << one.error().Text();
  EXPECT_EQ(Sign(*caller), Code::kRevoked);
  EXPECT_EQ(Sign(*another), kSigned);
  // Evidence, by what it says.
  revoke.whom = "measurement: {is: " + own_ + "}";
  const auto all = Signed<wire::Op::kRevoke>({&security_}, revoke);
  ASSERT_TRUE(all.ok());
  EXPECT_EQ(Sign(*another), Code::kRevoked);
  EXPECT_EQ(Signed<wire::Op::kLiftRevocation>({&ops_}, {token_, all->id}).code(), Code::kQuorum);
  ASSERT_TRUE(Signed<wire::Op::kLiftRevocation>({&ops_, &security_}, {token_, all->id}).ok());
  EXPECT_EQ(Sign(*another), kSigned);
  // A key.
  revoke.whom.reset();
  revoke.object = pair->private_key.id;
  ASSERT_TRUE(Signed<wire::Op::kRevoke>({&security_}, revoke).ok());
  EXPECT_EQ(Sign(*another), Code::kRevoked);
  EXPECT_EQ(Sign(*another, ByLabel("other")), kSigned);
}

TEST_F(RulesTest, RevocationsAreReadStrictly) {
  MakeOwnedToken(When("sign", "measurement: {is: " + own_ + "}"));
  wire::RevokeRequest revoke{.token = token_, .whom = {}, .object = {}, .reason = "why"};
  const auto attempt = [&] { return Signed<wire::Op::kRevoke>({&ops_}, revoke).code(); };
  EXPECT_EQ(attempt(), Code::kInvalidArgument);
  revoke.whom = "";
  EXPECT_EQ(attempt(), Code::kConfigBadValue);
  revoke.whom = "mesurement: {is: aa}";
  EXPECT_EQ(attempt(), Code::kConfigUnknownKey);
  revoke.whom = "measurement: {in-set: prod}";
  EXPECT_EQ(attempt(), Code::kConfigBadValue);
  revoke.whom = "measurement: {is: aa}";
  revoke.reason.clear();
  EXPECT_EQ(attempt(), Code::kInvalidArgument);
  revoke.reason = "why";
  revoke.object = RandomArray<16>();
  EXPECT_EQ(attempt(), Code::kInvalidArgument);
  revoke.whom.reset();
  EXPECT_EQ(attempt(), Code::kObjectNotFound);
}

// lesson 15: an approval is one owner's signed word on one use, and distinct owners are counted.
TEST_F(RulesTest, ApprovalsAreCountedByOwnerUseAndTime) {
  MakeOwnedToken(When("sign", "measurement: {is: " + own_ + "}",
                      "    approvals: {quorum: 2, of: [ops, security]}\n"));
  const auto pair = MakeOwnedKey("key");
  ASSERT_TRUE(MakeOwnedKey("other").ok());
  const auto caller = Connect(1000);
  EXPECT_EQ(Sign(*caller), Code::kApprovalMissing);
  const wire::ApproveRequest good{.token = token_,
                                  .object = pair->private_key.id,
                                  .operation = "sign",
                                  .tee = "simulated",
                                  .measurement = own_,
                                  .expires = clock_.now + 600,
                                  .reason = "tonight's job"};
  const auto approve = [&](const Signers& signers, wire::ApproveRequest approval) {
    return Signed<wire::Op::kApprove>(signers, approval).ok();
  };
  ASSERT_TRUE(approve({&ops_}, good));
  ASSERT_TRUE(approve({&ops_}, good));
  EXPECT_EQ(Sign(*caller), Code::kApprovalMissing) << "twice the same owner";
  ASSERT_TRUE(approve({&audit_owner_}, good));
  EXPECT_EQ(Sign(*caller), Code::kApprovalMissing) << "an owner whom the policy does not name";
  for (wire::ApproveRequest other : {good, good, good}) {
    static int which = 0;
    if (which == 0) other.operation = "release";
    if (which == 1) other.measurement = std::string(64, 'b');
    if (which++ == 2) other.tee = "sgx";
    ASSERT_TRUE(approve({&security_}, other));
  }
  EXPECT_EQ(Sign(*caller), Code::kApprovalMissing) << "approvals of something else";
  wire::ApproveRequest brief = good;
  brief.expires = clock_.now + 60;
  ASSERT_TRUE(approve({&security_}, brief));
  EXPECT_EQ(Sign(*caller), kSigned);
  EXPECT_EQ(Sign(*caller, ByLabel("other")), Code::kApprovalMissing);
  clock_.now += 60;
  EXPECT_EQ(Sign(*caller), Code::kApprovalMissing);
  // Whoever is replaced has not approved any more.
  ASSERT_TRUE(approve({&security_}, good));
  EXPECT_EQ(Sign(*caller), kSigned);
  const auto replaced = Signed<wire::Op::kSetOwner>(
      {&ops_, &security_}, {token_, stranger_.Enrol(store_->enclave_id(), "token")});
  ASSERT_TRUE(replaced.ok()) << replaced.error().Text();
  EXPECT_EQ(Sign(*caller), Code::kApprovalMissing);
}

TEST_F(RulesTest, ApprovalsAreBounded) {
  MakeOwnedToken(When("sign", "measurement: {is: " + own_ + "}"));
  const auto pair = MakeOwnedKey("key");
  wire::ApproveRequest approval{.token = token_,
                                .object = pair->private_key.id,
                                .operation = "sign",
                                .tee = "simulated",
                                .measurement = own_,
                                .expires = clock_.now + 91 * 86400,
                                .reason = "why"};
  const auto attempt = [&] { return Signed<wire::Op::kApprove>({&ops_}, approval).code(); };
  EXPECT_EQ(attempt(), Code::kInvalidArgument);
  approval.expires = clock_.now;
  EXPECT_EQ(attempt(), Code::kInvalidArgument);
  approval.expires = clock_.now + 60;
  approval.operation = "sing";
  EXPECT_EQ(attempt(), Code::kInvalidArgument);
  approval.operation = "sign";
  approval.measurement.clear();
  EXPECT_EQ(attempt(), Code::kInvalidArgument);
  approval.measurement = own_;
  approval.object = RandomArray<16>();
  EXPECT_EQ(attempt(), Code::kObjectNotFound);
  const auto an_operator = Connect(0);
  approval.object = pair->private_key.id;
  EXPECT_EQ(Run<wire::Op::kApprove>(*an_operator, approval).code(), Code::kOwnersOnly);
}

TEST_F(RulesTest, LimitsAreCountedOverVersionsOfThePolicy) {
  const std::string mine = "measurement: {is: " + own_ + "}";
  MakeOwnedToken(When("sign", mine, "    limits: {uses: 2}\n"));
  ASSERT_TRUE(MakeOwnedKey("key").ok());
  const auto caller = Connect(1000);
  EXPECT_EQ(Sign(*caller), kSigned);
  EXPECT_EQ(Sign(*Connect(1000)), kSigned);
  EXPECT_EQ(Sign(*caller), Code::kLimitReached);
  const wire::ExplainReply why = LastRefusal();
  EXPECT_FALSE(why.allowed);
  ASSERT_EQ(why.permits.size(), 1U);
  EXPECT_EQ(why.permits[0].term, "limits");
  EXPECT_EQ(why.permits[0].wanted, "{uses: 2, per: key}");
  EXPECT_EQ(why.permits[0].got, "all of 2 uses");
  EXPECT_EQ(why.permits[0].used, 2U);
  ASSERT_TRUE(Apply({&ops_}, When("sign", mine, "    limits: {uses: 3}\n", 2)).ok());
  EXPECT_TRUE(LastRefusal().allowed) << "by the policy as it is now";
  EXPECT_EQ(Sign(*caller), kSigned);
  EXPECT_EQ(Sign(*caller), Code::kLimitReached);
}

TEST_F(RulesTest, AGuardedKeySignsItsKindOfMessageAndNoDigests) {
  MakeOwnedToken(When("sign", "measurement: {is: " + own_ + "}", "    input: tls-server\n"));
  ASSERT_TRUE(MakeOwnedKey("key").ok());
  const auto caller = Connect(1000);
  EXPECT_EQ(Sign(*caller), Code::kInputRefused);
  wire::SignRequest request = SignWith(ByLabel("key"));
  request.mechanism.type = CKM_ECDSA_SHA256;
  request.input = Bytes(64, 0x20);
  const std::string_view context = "TLS 1.3, server CertificateVerify";
  request.input.insert(request.input.end(), context.begin(), context.end());
  request.input.resize(request.input.size() + 1 + 32);
  EXPECT_TRUE(Run<wire::Op::kSign>(*caller, request).ok());
  request.input.back() ^= 1;  // another transcript
  EXPECT_TRUE(Run<wire::Op::kSign>(*caller, request).ok());
  request.input[64] ^= 1;
  EXPECT_EQ(Run<wire::Op::kSign>(*caller, request).code(), Code::kInputRefused);
}

// lesson 14, lesson 20: a workload makes keys where it may, and they are its own.
TEST_F(RulesTest, AKeyIsBoundToWhoMadeIt) {
  MakeOwnedToken(When("create, sign", "measurement: {exists: true}", "    bind: self\n"));
  const auto caller = Connect(1000);
  const auto made = MakeKey(*caller, token_, "mine");
  ASSERT_TRUE(made.ok()) << made.error().Text();
  EXPECT_EQ(made->private_key.attributes.Text(kCkaCreatorMeasurement), own_);
  EXPECT_EQ(made->private_key.attributes.Text(kCkaCreatorTee), "simulated");
  EXPECT_EQ(Sign(*caller, ByLabel("mine")), kSigned);
  // One that an owner made is bound to nobody.
  ASSERT_TRUE(MakeOwnedKey("theirs").ok());
  EXPECT_EQ(Sign(*caller, ByLabel("theirs")), Code::kDenied);
  // Another workload sees neither. (Every test caller has this program's measurement: so the
  // object's is another's.)
  const auto object = store_->Get(made->private_key.id);
  wire::AttributeList attributes = (*object)->attributes;
  attributes.SetText(kCkaCreatorMeasurement, std::string(64, 'b'));
  ASSERT_TRUE(store_->Update((*object)->id, attributes).ok());
  wire::ObjectRef theirs;
  theirs.id = (*object)->id;
  EXPECT_EQ(Sign(*caller, theirs), Code::kDenied);
  wire::FindObjectsRequest find{.token = token_, .match = {}, .after = {}, .limit = 10, .all = {}};
  find.match.SetText(CKA_LABEL, "mine");
  find.match.SetUlong(CKA_CLASS, CKO_PRIVATE_KEY);
  EXPECT_TRUE(Run<wire::Op::kFindObjects>(*caller, find)->objects.empty());
  // So a key of the same name is no obstacle, and stands under no policy but the default one.
  ASSERT_TRUE(MakeKey(*caller, token_, "mine").ok());
  EXPECT_EQ(Sign(*caller, ByLabel("mine")), kSigned);
  ASSERT_TRUE(Apply({&ops_},
                    "policy: shared\nversion: 1\npermit:\n  - operations: [sign]\n"
                    "    allow_unattested: true\n    when: {tee: {is: simulated}}\n")
                  .ok());
  wire::CreateObjectRequest among;
  among.token = token_;
  among.attributes.SetUlong(CKA_CLASS, CKO_DATA);
  among.attributes.SetBool(CKA_TOKEN, true);
  among.attributes.SetText(kCkaPolicy, "shared");
  EXPECT_EQ(Run<wire::Op::kCreateObject>(*caller, among).code(), Code::kDenied);
  const auto unattested = Connect(1000, /*attest=*/false);
  EXPECT_EQ(MakeKey(*unattested, token_, "nobody's").code(), Code::kNotAttested);
}

TEST_F(RulesTest, CallersCannotClaimToBeAnObjectsMaker) {
  MakeOwnedToken(When("create, sign", "measurement: {exists: true}", "    bind: self\n"));
  const auto caller = Connect(1000);
  wire::CreateObjectRequest request;
  request.token = token_;
  request.attributes.SetUlong(CKA_CLASS, CKO_DATA);
  request.attributes.SetBool(CKA_TOKEN, true);
  request.attributes.SetText(kCkaCreatorMeasurement, std::string(64, 'b'));
  request.attributes.SetText(kCkaInheritedPolicies, "");
  const auto made = Run<wire::Op::kCreateObject>(*caller, request);
  ASSERT_TRUE(made.ok()) << made.error().Text();
  EXPECT_EQ(made->object.attributes.Text(kCkaCreatorMeasurement), own_);
}

// lesson 13: what is made from a key answers to that key's policy, too.
TEST_F(RulesTest, WhatIsDerivedIsNeverWeakerThanItsParent) {
  const std::string mine = "measurement: {is: " + own_ + "}";
  MakeOwnedToken(When("derive, sign, create", mine));
  const std::string lax =
      "policy: lax\nversion: 1\npermit:\n  - operations: [sign, derive, verify]\n"
      "    allow_unattested: true\n    when: {tee: {is: simulated}}\n";
  ASSERT_TRUE(Apply({&ops_}, lax).ok());
  const auto caller = Connect(1000);
  const auto derive = [&](const wire::ObjectId& base, const Bytes& peer, const std::string& label) {
    wire::DeriveKeyRequest request;
    request.base_key.id = base;
    request.mechanism.type = CKM_ECDH1_DERIVE;
    request.mechanism.ecdh = wire::EcdhParam{CKD_NULL, {}, peer};
    request.attributes.SetUlong(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
    request.attributes.SetBool(CKA_TOKEN, true);
    request.attributes.SetBool(CKA_SIGN, true);
    request.attributes.SetText(CKA_LABEL, label);
    request.attributes.SetText(kCkaPolicy, "lax");
    return Run<wire::Op::kDeriveKey>(*caller, request);
  };
  const auto parent = MakeKey(*caller, token_, "parent");
  ASSERT_TRUE(parent.ok()) << parent.error().Text();
  // CKA_EC_POINT is an OCTET STRING: 04 41, then the point.
  const Bytes point = *parent->public_key.attributes.Find(CKA_EC_POINT);
  const auto child = derive(parent->private_key.id, Bytes(point.begin() + 2, point.end()), "child");
  ASSERT_TRUE(child.ok()) << child.error().Text();
  EXPECT_EQ(child->object.attributes.Text(kCkaPolicy), "lax");
  EXPECT_EQ(child->object.attributes.Text(kCkaInheritedPolicies), "edge");
  EXPECT_EQ(*child->object.attributes.Find(kCkaParents), ToBytes(parent->private_key.id));
  wire::SignRequest hmac = SignWith({});
  hmac.key.id = child->object.id;
  hmac.mechanism.type = CKM_SHA256_HMAC;
  const auto use = [&] {
    const auto done = Run<wire::Op::kSign>(*caller, hmac);
    return done.ok() ? kSigned : done.code();
  };
  EXPECT_EQ(use(), kSigned);
  // The parent's policy forbids: so it does for the child, whose own still permits.
  ASSERT_TRUE(Apply({&ops_}, When("derive, create", mine, {}, 2)).ok());
  EXPECT_EQ(use(), Code::kDenied);
  ASSERT_TRUE(Apply({&ops_}, When("derive, create, sign", mine, {}, 3)).ok());
  EXPECT_EQ(use(), kSigned);
  // A copy inherits what the original did.
  wire::CopyObjectRequest copy;
  copy.object.id = child->object.id;
  copy.attributes.SetText(kCkaPolicy, "lax");
  const auto copied = Signed<wire::Op::kCopyObject>({&ops_}, copy);
  ASSERT_TRUE(copied.ok()) << copied.error().Text();
  EXPECT_EQ(store_->Get(copied->object.id).value()->inherited, std::vector<std::string>{"edge"});
}

}  // namespace
}  // namespace keyclave::ops
