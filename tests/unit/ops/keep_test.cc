// What a caller made for its session becomes what the token has, with its policies: all of it, or
// nothing, and only where the caller might have made it there.
#include "tests/unit/ops/owner_fixture.h"

namespace keyclave::ops {
namespace {

class KeepTest : public OwnerFixture {
 protected:
  static std::string Policy(const std::string& name, const std::string& operations, int version = 1,
                            const std::string& head = {}) {
    return "policy: " + name + "\nversion: " + std::to_string(version) + "\n" + head +
           "permit:\n  - operations: [" + operations +
           "]\n    allow_unattested: true\n    when: {tee: {is: simulated}}\n";
  }
  static Code CodeOf(const Result<wire::KeepObjectsReply>& reply) {
    return reply.ok() ? Code::kInternal : reply.code();
  }
  static constexpr Code kDone = Code::kInternal;  // no refusal has this code here

  void MakeTokenOf(const std::string& policy) { token_ = MakeToken(policy).id; }
  // A session object with this policy named in its template, if any.
  wire::ObjectId Made(Caller& caller, const std::string& label,
                      const wire::AttributeList& more = {}) {
    const auto pair = MakeKey(caller, token_, label, /*persistent=*/false, more);
    EXPECT_TRUE(pair.ok()) << pair.error().Text();
    return pair.ok() ? pair->private_key.id : wire::ObjectId{};
  }
  Result<wire::ObjectReply> Data(Caller& caller, const std::string& label, size_t size) {
    wire::CreateObjectRequest request;
    request.token = token_;
    request.attributes.SetUlong(CKA_CLASS, CKO_DATA);
    request.attributes.SetText(CKA_LABEL, label);
    request.attributes.Set(CKA_VALUE, Bytes(size, 0x55));
    return Run<wire::Op::kCreateObject>(caller, request);
  }
  bool Signs(Caller& caller, const std::string& label) {
    return Run<wire::Op::kSign>(caller, SignWith(ByLabel(label))).ok();
  }
  static wire::AttributeList Extractable() {
    wire::AttributeList attributes;
    attributes.SetBool(CKA_EXTRACTABLE, true);
    return attributes;
  }
};

TEST_F(KeepTest, KeysAndPoliciesComeIntoForceTogether) {
  MakeTokenOf(Policy("edge", "verify"));
  const auto root = Connect(0);
  const wire::ObjectId www = Made(*root, "www");
  const wire::ObjectId api = Made(*root, "api");
  ASSERT_TRUE(Data(*root, "settings", size_t{1} << 19).ok());
  const wire::ObjectId settings = Data(*root, "more", size_t{1} << 19)->object.id;
  const auto reply = Run<wire::Op::kKeepObjects>(
      *root, {token_,
              {Policy("signers", "sign"), Policy("edge", "sign, verify", 2)},
              {{api, "signers"}, {www, ""}, {settings, "edge"}}});
  ASSERT_TRUE(reply.ok()) << reply.error().Text();
  ASSERT_EQ(reply->objects.size(), 3U);
  EXPECT_EQ(reply->objects[0].attributes.Text(CKA_LABEL), "api") << "in the request's order";
  EXPECT_EQ(reply->objects[0].attributes.Text(kCkaPolicy), "signers");
  EXPECT_TRUE(reply->objects[0].attributes.IsTrue(CKA_TOKEN));
  EXPECT_EQ(reply->objects[1].attributes.Text(kCkaPolicy), "edge") << "the token's default";
  EXPECT_FALSE(reply->objects[2].attributes.Has(CKA_VALUE)) << "who put it there knows it";
  store_->RemoveSessionObjects(root->connection.session->id());
  const auto caller = Connect(1000);
  EXPECT_TRUE(Signs(*caller, "www"));
  EXPECT_TRUE(Signs(*caller, "api"));
  EXPECT_EQ(store_->FindPolicy(token_, "edge")->version, 2U);
  const auto history = store_->TokenRecords(token_, keys::RecordType::kHistory);
  EXPECT_EQ(history.size(), 1U) << "the former version is remembered";
}

TEST_F(KeepTest, WhatIsRefusedLeavesEverythingAsItWas) {
  MakeTokenOf(Policy("edge", "sign"));
  const auto root = Connect(0);
  const auto stranger = Connect(0);
  const wire::ObjectId mine = Made(*root, "mine");
  const wire::ObjectId theirs = Made(*stranger, "theirs");
  const auto lasting = MakeKey(*root, token_, "lasting");
  ASSERT_TRUE(lasting.ok());
  const size_t objects = store_->object_count();
  const auto keep = [&](const std::vector<std::string>& policies,
                        const std::vector<wire::KeptObject>& kept) {
    return CodeOf(Run<wire::Op::kKeepObjects>(*root, {token_, policies, kept}));
  };
  const std::string fresh = Policy("fresh", "sign");
  EXPECT_EQ(keep({}, {}), Code::kInvalidArgument);
  EXPECT_EQ(keep({fresh}, {{mine, "fresh"}, {mine, "fresh"}}), Code::kInvalidArgument);
  EXPECT_EQ(keep({fresh, fresh}, {{mine, "fresh"}}), Code::kInvalidArgument);
  EXPECT_EQ(keep({fresh}, {{mine, "fresh"}, {theirs, "fresh"}}), Code::kObjectNotFound);
  EXPECT_EQ(keep({fresh}, {{mine, "fresh"}, {lasting->private_key.id, "fresh"}}),
            Code::kObjectNotFound);
  EXPECT_EQ(keep({fresh}, {{mine, "other"}}), Code::kPolicyNotFound);
  EXPECT_EQ(keep({fresh, "policy: [\n"}, {{mine, "fresh"}}), Code::kConfigSyntax);
  EXPECT_EQ(keep({fresh, Policy("edge", "sign, verify")}, {{mine, "fresh"}}), Code::kPolicyVersion);
  EXPECT_EQ(keep(std::vector<std::string>(65, fresh), {}), Code::kTooLarge);
  EXPECT_EQ(store_->object_count(), objects);
  EXPECT_EQ(store_->FindPolicy(token_, "fresh").code(), Code::kPolicyNotFound);
  EXPECT_TRUE(Signs(*root, "mine")) << "it is still the session's";
  EXPECT_EQ(keep({fresh}, {{mine, "fresh"}}), kDone);
}

TEST_F(KeepTest, WhatASessionMadeEndsWithItUnlessItIsKept) {
  MakeTokenOf(Policy("edge", "sign"));
  const auto root = Connect(0);
  const wire::ObjectId first = Made(*root, "first");
  Made(*root, "second");
  const size_t before = store_->object_count();
  ASSERT_EQ(CodeOf(Run<wire::Op::kKeepObjects>(*root, {token_, {}, {{first, ""}}})), kDone);
  EXPECT_EQ(store_->object_count(), before) << "kept, not copied";
  store_->RemoveSessionObjects(root->connection.session->id());
  EXPECT_EQ(store_->object_count(), 1U);
}

TEST_F(KeepTest, GrantsCountAsTheyDoForCreating) {
  // `create` is for the default policy, and for objects only.
  MakeTokenOf(Policy("edge", "sign, create"));
  const auto root = Connect(0);
  ASSERT_EQ(CodeOf(Run<wire::Op::kKeepObjects>(*root, {token_, {Policy("lax", "sign")}, {}})),
            kDone);
  const auto caller = Connect(1000);
  const wire::ObjectId key = Made(*caller, "key");
  const auto keep = [&](const std::vector<std::string>& policies, const std::string& policy) {
    return CodeOf(Run<wire::Op::kKeepObjects>(*caller, {token_, policies, {{key, policy}}}));
  };
  EXPECT_EQ(keep({}, "lax"), Code::kDenied);
  EXPECT_EQ(keep({Policy("new", "sign")}, ""), Code::kDenied);
  EXPECT_EQ(keep({}, ""), kDone);
  // Without it session objects stay that.
  ASSERT_EQ(CodeOf(Run<wire::Op::kKeepObjects>(*root, {token_, {Policy("edge", "sign", 2)}, {}})),
            kDone);
  const auto user = Connect(1000);
  const wire::ObjectId own = Made(*user, "own");
  EXPECT_EQ(CodeOf(Run<wire::Op::kKeepObjects>(*user, {token_, {}, {{own, ""}}})), Code::kDenied);
  const auto nobody = Connect(4711, /*attest=*/false);
  EXPECT_EQ(CodeOf(Run<wire::Op::kKeepObjects>(*nobody, {token_, {}, {{own, ""}}})),
            Code::kNotAttested);
}

TEST_F(KeepTest, ExtractableKeysNeedAPolicyThatReleases) {
  MakeTokenOf(Policy("edge", "sign"));
  const auto root = Connect(0);
  const wire::ObjectId key = Made(*root, "key", Extractable());
  const std::string releasing =
      "policy: out\nversion: 1\npermit:\n  - operations: [release]\n    allow_unattested: true\n"
      "    wrap: [hpke-p256]\n    when: {tee: {is: simulated}}\n";
  EXPECT_EQ(CodeOf(Run<wire::Op::kKeepObjects>(*root, {token_, {}, {{key, "edge"}}})),
            Code::kTemplateInconsistent);
  EXPECT_EQ(CodeOf(Run<wire::Op::kKeepObjects>(*root, {token_, {releasing}, {{key, "out"}}})),
            kDone);
}

TEST_F(KeepTest, PrivateObjectsNeedTheLoginThatMakingThemDoes) {
  wire::AttributeList is_private;
  is_private.SetBool(CKA_PRIVATE, true);
  token_ = MakeToken(Policy("edge", "sign"), "1234").id;
  const auto root = Connect(0);
  ASSERT_TRUE(
      Run<wire::Op::kLogin>(
          *root, {token_, wire::LoginState::kUser, SecretBytes::CopyOf(AsBytes("1234")), {}})
          .ok());
  const wire::ObjectId key = Made(*root, "key", is_private);
  ASSERT_TRUE(Run<wire::Op::kLogout>(*root, {token_}).ok());
  EXPECT_EQ(CodeOf(Run<wire::Op::kKeepObjects>(*root, {token_, {}, {{key, ""}}})),
            Code::kNotLoggedIn);
}

// lesson 13: nothing gets out of its policy by the way of a session.
TEST_F(KeepTest, ACopyOfAKeyAnswersToTheKeysPolicyToo) {
  MakeTokenOf(Policy("edge", "verify, manage", 1, "locked: true\n"));
  const auto root = Connect(0);
  const auto key = MakeKey(*root, token_, "key");
  ASSERT_TRUE(key.ok()) << key.error().Text();
  const auto caller = Connect(1000);
  wire::CopyObjectRequest copy;
  copy.object.id = key->private_key.id;
  copy.attributes.SetBool(CKA_TOKEN, false);
  copy.attributes.SetText(CKA_LABEL, "copy");
  for (const std::string policy : {"edge", "lax"}) {
    const auto copied = Run<wire::Op::kCopyObject>(*caller, copy);
    ASSERT_TRUE(copied.ok()) << copied.error().Text();
    const std::vector<std::string> policies =
        policy == "lax" ? std::vector{Policy("lax", "sign, verify")} : std::vector<std::string>();
    const auto kept =
        Run<wire::Op::kKeepObjects>(*caller, {token_, policies, {{copied->object.id, policy}}});
    ASSERT_TRUE(kept.ok()) << kept.error().Text();
    const auto object = store_->Get(kept->objects[0].id).value();
    const auto inherited =
        policy == "lax" ? std::vector<std::string>{"edge"} : std::vector<std::string>();
    EXPECT_EQ(object->inherited, inherited);
    EXPECT_EQ(object->attributes.Text(kCkaInheritedPolicies), policy == "lax" ? "edge" : "");
    EXPECT_FALSE(Signs(*caller, "copy")) << policy;
    ASSERT_TRUE(store_->Remove(object->id).ok());
  }
}

TEST_F(KeepTest, WhatIsDerivedInASessionAnswersToItsParentToo) {
  MakeTokenOf(Policy("edge", "derive, create"));
  const auto root = Connect(0);
  const auto parent = MakeKey(*root, token_, "parent");
  ASSERT_TRUE(parent.ok()) << parent.error().Text();
  wire::DeriveKeyRequest derive;
  derive.base_key.id = parent->private_key.id;
  derive.mechanism.type = CKM_ECDH1_DERIVE;
  const Bytes point = *parent->public_key.attributes.Find(CKA_EC_POINT);
  derive.mechanism.ecdh = wire::EcdhParam{CKD_NULL, {}, Bytes(point.begin() + 2, point.end())};
  derive.attributes.SetUlong(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
  derive.attributes.SetBool(CKA_SIGN, true);
  const auto child = Run<wire::Op::kDeriveKey>(*root, derive);
  ASSERT_TRUE(child.ok()) << child.error().Text();
  const auto kept = Run<wire::Op::kKeepObjects>(
      *root, {token_, {Policy("lax", "sign")}, {{child->object.id, "lax"}}});
  ASSERT_TRUE(kept.ok()) << kept.error().Text();
  EXPECT_EQ(kept->objects[0].attributes.Text(kCkaInheritedPolicies), "edge");
  wire::SignRequest hmac = SignWith({});
  hmac.key.id = kept->objects[0].id;
  hmac.mechanism.type = CKM_SHA256_HMAC;
  EXPECT_EQ(Run<wire::Op::kSign>(*root, hmac).code(), Code::kDenied);
}

TEST_F(KeepTest, WhereThereAreOwnersTheySignForPolicies) {
  MakeOwnedToken(Policy("edge", "sign, create, manage"));
  const auto caller = Connect(1000);
  const wire::ObjectId key = Made(*caller, "key");
  // By a statement of the caller's own session.
  const auto keep = [&](const Signers& signers, const std::vector<std::string>& policies,
                        const std::vector<wire::KeptObject>& objects) {
    const wire::KeepObjectsRequest request{token_, policies, objects};
    const auto done = Run<wire::Op::kAdminister>(
        *caller, SignedBy(signers, StatementOf<wire::Op::kKeepObjects>(request)));
    return done.ok() ? kDone : done.code();
  };
  const std::string lax = Policy("lax", "sign");
  EXPECT_EQ(CodeOf(Run<wire::Op::kKeepObjects>(*caller, {token_, {lax}, {{key, "lax"}}})),
            Code::kOwnersOnly)
      << "a grant of manage is not enough";
  EXPECT_EQ(keep({&auditor_}, {lax}, {{key, "lax"}}), Code::kOwnersOnly);
  EXPECT_EQ(keep({&ops_}, {lax}, {{key, "lax"}}), kDone);
  const std::string guarded =
      Policy("edge", "sign, create", 2, "change: {quorum: 2, of: [ops, security]}\n");
  EXPECT_EQ(keep({&ops_}, {guarded}, {}), kDone);
  EXPECT_EQ(keep({&ops_}, {Policy("edge", "sign", 3)}, {}), Code::kQuorum);
  EXPECT_EQ(keep({&ops_, &security_}, {Policy("edge", "sign", 3, "locked: true\n")}, {}), kDone);
  EXPECT_EQ(keep({&ops_, &security_}, {Policy("edge", "sign", 4)}, {}), Code::kPolicyLocked);
  const std::string unknown = Policy("x", "sign", 1, "change: {quorum: 1, of: [nobody]}\n");
  EXPECT_EQ(keep({&ops_, &security_}, {unknown}, {}), Code::kOwnerUnknown);
  const auto document = store_->FindPolicy(token_, "lax");
  ASSERT_TRUE(document.ok());
  EXPECT_TRUE(document->authority.has_value()) << "who signed is kept with it";
}

TEST_F(KeepTest, TheAuditLogSaysWhatWasKept) {
  MakeTokenOf(Policy("edge", "sign"));
  const auto root = Connect(0);
  const wire::ObjectId key = Made(*root, "key");
  const auto kept =
      Run<wire::Op::kKeepObjects>(*root, {token_, {Policy("new", "sign")}, {{key, "new"}}});
  ASSERT_TRUE(kept.ok());
  wire::ReadAuditRequest read;
  read.limit = 1000;
  const auto log = Run<wire::Op::kReadAudit>(*root, read);
  ASSERT_TRUE(log.ok()) << log.error().Text();
  const std::string& line = log->lines.back();
  EXPECT_NE(line.find("KeepObjects"), std::string::npos) << line;
  EXPECT_NE(line.find(ToHex(kept->objects[0].id)), std::string::npos) << line;
  EXPECT_NE(line.find(ToHex(store_->FindPolicy(token_, "new")->digest)), std::string::npos) << line;
}

}  // namespace
}  // namespace keyclave::ops
