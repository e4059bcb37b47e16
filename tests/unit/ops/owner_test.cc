// Owners: who may become one, what their signatures carry, and what others cannot do any more.

#include "tests/unit/ops/owner_fixture.h"

namespace keyclave::ops {
namespace {

const std::string kOther(64, 'a');  // a measurement that is nobody's here

class OwnerTest : public OwnerFixture {};

std::string Changed(std::string policy, const std::string& change) {
  return policy.insert(policy.find("permit:"), change + "\n");
}

TEST_F(OwnerTest, EveryKindOfKeySigns) {
  MakeOwnedToken(PolicyText("edge", "sign", OwnMeasurement()));
  int version = 1;
  for (const OwnerKey* owner : {&ops_, &security_, &audit_owner_}) {
    const auto applied = Apply({owner}, PolicyText("edge", "sign", kOther, {}, ++version));
    ASSERT_TRUE(applied.ok()) << owner->name() << ": " << applied.error().Text();
    EXPECT_EQ(applied->policy.by, std::vector<std::string>{owner->name()});
  }
  EXPECT_EQ(Apply({&auditor_}, PolicyText("edge", "sign", kOther, {}, 9)).code(),
            Code::kOwnersOnly);
}

// lesson 21, lesson 22: owners are named when the token is made, each proves its key, and nobody
// becomes one by coming first.
TEST_F(OwnerTest, EnrolmentNeedsTheKeysOwnProof) {
  const auto root = Connect(0);
  wire::CreateTokenRequest request;
  request.label = "token";
  request.policy = PolicyText("edge", "sign", OwnMeasurement());
  const auto attempt = [&](std::vector<wire::NewOwner> owners) {
    request.owners = std::move(owners);
    return Run<wire::Op::kCreateToken>(*root, request).code();
  };
  const std::string enclave = store_->enclave_id();
  wire::NewOwner forged = ops_.Enrol(enclave, "token");
  forged.proof = stranger_.Enrol(enclave, "token").proof;
  EXPECT_EQ(attempt({forged}), Code::kStatementInvalid);
  EXPECT_EQ(attempt({ops_.Enrol(enclave, "another")}), Code::kStatementInvalid);
  EXPECT_EQ(attempt({ops_.Enrol(std::string(32, '0'), "token")}), Code::kStatementInvalid);
  wire::NewOwner renamed = ops_.Enrol(enclave, "token");
  renamed.owner.name = "root";
  EXPECT_EQ(attempt({renamed}), Code::kStatementInvalid);
  EXPECT_EQ(attempt({}), Code::kInvalidArgument);
  EXPECT_EQ(attempt({auditor_.Enrol(enclave, "token", wire::OwnerRole::kAuditor)}),
            Code::kInvalidArgument);
  EXPECT_EQ(attempt({ops_.Enrol(enclave, "token"), stranger_.Enrol(enclave, "token")}),
            Code::kInvalidArgument);

  const auto plain = MakeToken(request.policy);
  const auto later = Run<wire::Op::kSetOwner>(*root, {plain.id, ops_.Enrol(enclave, "token")});
  EXPECT_EQ(later.code(), Code::kOwnersOnly);
}

TEST_F(OwnerTest, OperatorsSeeHealthAndNoKeys) {
  MakeOwnedToken(PolicyText("edge", "sign", OwnMeasurement()));
  const auto made = MakeOwnedKey("key");
  ASSERT_TRUE(made.ok()) << made.error().Text();
  const auto root = Connect(0, /*attest=*/false);
  EXPECT_TRUE(Run<wire::Op::kStatus>(*root, {}).ok());
  EXPECT_EQ(Run<wire::Op::kListTokens>(*root, {})->tokens.size(), 1U);
  wire::FindObjectsRequest find{
      .token = token_, .match = {}, .after = {}, .limit = 10, .all = true};
  EXPECT_EQ(Run<wire::Op::kFindObjects>(*root, find).code(), Code::kOwnersOnly);
  find.all.reset();
  EXPECT_TRUE(Run<wire::Op::kFindObjects>(*root, find)->objects.empty());
  wire::DestroyObjectRequest destroy;
  destroy.object = ByLabel("key");
  EXPECT_EQ(Run<wire::Op::kDestroyObject>(*root, destroy).code(), Code::kOwnersOnly);
  EXPECT_EQ(
      Run<wire::Op::kApplyPolicy>(*root, {token_, PolicyText("x", "sign", kOther), true}).code(),
      Code::kOwnersOnly);
  EXPECT_EQ(Run<wire::Op::kShowPolicy>(*root, {token_, "edge"}).code(), Code::kOwnersOnly);
  EXPECT_EQ(Run<wire::Op::kDeleteToken>(*root, {token_}).code(), Code::kOwnersOnly);
  EXPECT_EQ(MakeKey(*root, token_, "another").code(), Code::kOwnersOnly);
  const wire::InitTokenRequest init{token_, SecretBytes::CopyOf(AsBytes("so-pin")), "mine"};
  EXPECT_EQ(Run<wire::Op::kInitToken>(*root, init).code(), Code::kOwnersOnly);
  wire::GetObjectRequest get;
  get.object = ByLabel("key");
  EXPECT_EQ(Run<wire::Op::kGetObject>(*root, get).code(), Code::kObjectNotFound);
}

// lesson 19: what was signed is one request, to one enclave, for one token, once, for a while.
TEST_F(OwnerTest, StatementsAreNeitherReplayedNorRetargeted) {
  MakeOwnedToken(PolicyText("edge", "sign", OwnMeasurement()));
  const auto anybody = Connect(4711, /*attest=*/false);
  const wire::ApplyPolicyRequest apply{token_, PolicyText("edge", "sign", kOther, {}, 2), false};
  const auto good = StatementOf<wire::Op::kApplyPolicy>(apply);
  const auto attempt = [&](const wire::AdministerRequest& request) {
    const auto reply = Run<wire::Op::kAdminister>(*anybody, request);
    return reply.ok() ? std::optional<Code>() : reply.code();
  };
  wire::Statement other = good;
  other.enclave_id = std::string(32, '0');
  EXPECT_EQ(attempt(SignedBy({&ops_}, other)), Code::kStatementInvalid);
  other = good;
  other.token = RandomArray<16>();
  EXPECT_EQ(attempt(SignedBy({&ops_}, other)), Code::kStatementInvalid);
  other = good;
  other.label = "keyclave/statement/2";
  EXPECT_EQ(attempt(SignedBy({&ops_}, other)), Code::kStatementInvalid);
  other = good;
  other.expires = clock_.now;
  EXPECT_EQ(attempt(SignedBy({&ops_}, other)), Code::kStatementExpired);
  other.expires = clock_.now + 91 * 86400;
  EXPECT_EQ(attempt(SignedBy({&ops_}, other)), Code::kStatementInvalid);
  // The signature is the owner's own, over these very bytes.
  EXPECT_EQ(attempt(SignedBy({&stranger_}, good)), Code::kStatementInvalid);
  wire::AdministerRequest edited = SignedBy({&ops_}, good);
  wire::Statement destroy = good;
  destroy.op = static_cast<uint64_t>(wire::Op::kDeleteToken);
  edited.statement = wire::Encode(destroy);
  EXPECT_EQ(attempt(edited), Code::kStatementInvalid);
  edited = SignedBy({&ops_}, good);
  edited.signatures[0].owner = "security";
  EXPECT_EQ(attempt(edited), Code::kStatementInvalid);
  edited.signatures[0].owner = "nobody";
  EXPECT_EQ(attempt(edited), Code::kOwnerUnknown);
  edited.signatures.clear();
  EXPECT_EQ(attempt(edited), Code::kStatementInvalid);
  // Once.
  const wire::AdministerRequest request = SignedBy({&ops_}, good);
  EXPECT_EQ(attempt(request), std::nullopt);
  EXPECT_EQ(attempt(request), Code::kSequence);
  other = good;
  other.sequence = good.sequence - 1;
  EXPECT_EQ(attempt(SignedBy({&ops_}, other)), Code::kSequence);
}

TEST_F(OwnerTest, AStatementIsForChangesOnly) {
  MakeOwnedToken(PolicyText("edge", "sign", OwnMeasurement()));
  ASSERT_TRUE(MakeOwnedKey("key").ok());
  EXPECT_EQ(Signed<wire::Op::kSign>({&ops_}, SignWith(ByLabel("key"))).code(),
            Code::kStatementInvalid);
  EXPECT_EQ(Signed<wire::Op::kShowPolicy>({&ops_}, {token_, "edge"}).code(),
            Code::kStatementInvalid);
  const auto inner = SignedBy({&ops_}, StatementOf<wire::Op::kDeleteToken>({token_}));
  EXPECT_EQ(Signed<wire::Op::kAdminister>({&ops_}, inner).code(), Code::kStatementInvalid);
}

TEST_F(OwnerTest, AnOwnersWordEndsAtItsToken) {
  MakeOwnedToken(PolicyText("edge", "sign", OwnMeasurement()));
  const auto root = Connect(0);
  wire::CreateTokenRequest request;
  request.label = "other";
  request.policy = PolicyText("theirs", "sign", kOther);
  request.owners = {{stranger_.Enrol(store_->enclave_id(), "other")}};
  const auto other = Run<wire::Op::kCreateToken>(*root, request);
  ASSERT_TRUE(other.ok()) << other.error().Text();
  const Signers all = {&ops_, &security_, &audit_owner_};
  EXPECT_EQ(Signed<wire::Op::kDeleteToken>(all, {other->token.id}).code(), Code::kOwnersOnly);
  EXPECT_EQ(Signed<wire::Op::kApplyPolicy>(
                all, {other->token.id, PolicyText("theirs", "sign", kOther, {}, 2), false})
                .code(),
            Code::kOwnersOnly);
}

// lesson 15: distinct owners are counted, not signatures.
TEST_F(OwnerTest, ChangeAsksForDistinctOwners) {
  const std::string change = "change: {quorum: 2, of: [ops, security]}";
  MakeOwnedToken(Changed(PolicyText("edge", "sign", OwnMeasurement()), change));
  const auto next = [&](int version) {
    return Changed(PolicyText("edge", "sign", kOther, {}, version), change);
  };
  EXPECT_EQ(Apply({&ops_}, next(2)).code(), Code::kQuorum);
  EXPECT_EQ(Apply({&ops_, &ops_}, next(2)).code(), Code::kStatementInvalid);
  EXPECT_EQ(Apply({&ops_, &audit_owner_}, next(2)).code(), Code::kQuorum);
  EXPECT_EQ(Apply({&ops_, &auditor_}, next(2)).code(), Code::kQuorum);
  const auto applied = Apply({&ops_, &security_}, next(2));
  EXPECT_TRUE(applied.ok()) << applied.error().Text();
  // Who may not change the policy may not take a key from under it either.
  const auto pair = MakeOwnedKey("key");
  ASSERT_TRUE(Apply({&ops_}, PolicyText("lax", "sign", OwnMeasurement())).ok());
  wire::SetAttributesRequest move;
  move.object.id = pair->private_key.id;
  move.attributes.SetText(kCkaPolicy, "lax");
  EXPECT_EQ(Signed<wire::Op::kSetAttributes>({&ops_}, move).code(), Code::kQuorum);
  wire::DestroyObjectRequest destroy;
  destroy.object.id = pair->private_key.id;
  EXPECT_EQ(Signed<wire::Op::kDestroyObject>({&ops_}, destroy).code(), Code::kQuorum);
  EXPECT_TRUE(Signed<wire::Op::kDestroyObject>({&ops_, &security_}, destroy).ok());
}

// lesson 34: locked means locked.
TEST_F(OwnerTest, ALockedPolicyIsChangedByNobody) {
  MakeOwnedToken(Changed(PolicyText("edge", "sign", OwnMeasurement()), "locked: true"));
  const auto pair = MakeOwnedKey("key");
  const Signers all = {&ops_, &security_, &audit_owner_};
  EXPECT_EQ(Apply(all, PolicyText("edge", "sign", kOther, {}, 2)).code(), Code::kPolicyLocked);
  ASSERT_TRUE(Apply(all, PolicyText("lax", "sign", kOther)).ok());
  wire::SetAttributesRequest move;
  move.object.id = pair->private_key.id;
  move.attributes.SetText(kCkaPolicy, "lax");
  EXPECT_EQ(Signed<wire::Op::kSetAttributes>(all, move).code(), Code::kPolicyLocked);
}

TEST_F(OwnerTest, APolicyNamesOwnersThatExist) {
  MakeOwnedToken(PolicyText("edge", "sign", OwnMeasurement()));
  const auto with = [&](const std::string& change) {
    return Apply({&ops_}, Changed(PolicyText("new", "sign", kOther), change)).code();
  };
  EXPECT_EQ(with("change: {quorum: 1, of: [ops, nobody]}"), Code::kOwnerUnknown);
  EXPECT_EQ(with("change: {quorum: 1, of: [auditor]}"), Code::kOwnerUnknown);
  EXPECT_EQ(Apply({&ops_}, PolicyText("new", "sign", OwnMeasurement(),
                                      "    approvals: {quorum: 1, of: [nobody]}\n"))
                .code(),
            Code::kOwnerUnknown);
}

TEST_F(OwnerTest, OwnersAreChangedByAsManyAsCouldChangeAnything) {
  MakeOwnedToken(Changed(PolicyText("edge", "sign", OwnMeasurement()),
                         "change: {quorum: 3, of: [ops, security, audit]}"));
  const auto enrol = stranger_.Enrol(store_->enclave_id(), "token");  // takes the name ops
  EXPECT_EQ(Signed<wire::Op::kSetOwner>({&ops_, &security_}, {token_, enrol}).code(),
            Code::kQuorum);
  const Signers all = {&ops_, &security_, &audit_owner_};
  EXPECT_EQ(Signed<wire::Op::kRemoveOwner>(all, {token_, "security"}).code(), Code::kOwnerUnknown);
  const auto replaced = Signed<wire::Op::kSetOwner>(all, {token_, enrol});
  ASSERT_TRUE(replaced.ok()) << replaced.error().Text();
  EXPECT_EQ(Signed<wire::Op::kDeleteToken>(all, {token_}).code(), Code::kStatementInvalid);
  EXPECT_TRUE(
      Signed<wire::Op::kDeleteToken>({&stranger_, &security_, &audit_owner_}, {token_}).ok());
}

TEST_F(OwnerTest, ALoginReadsAndIsTheSessionsOwn) {
  MakeOwnedToken(PolicyText("edge", "sign", OwnMeasurement()));
  ASSERT_TRUE(MakeOwnedKey("key").ok());
  const auto mine = Connect(4711, /*attest=*/false);
  const auto another = Connect(4711, /*attest=*/false);
  wire::Statement login = StatementOf<wire::Op::kOwnerLogin>(
      {token_, mine->connection.peer.tls_key, mine->connection.session->id()});
  EXPECT_EQ(Run<wire::Op::kAdminister>(*mine, SignedBy({&ops_}, login)).code(),
            Code::kStatementInvalid);
  login.sequence = 0;
  EXPECT_EQ(Run<wire::Op::kAdminister>(*another, SignedBy({&ops_}, login)).code(),
            Code::kStatementInvalid);
  EXPECT_EQ(Run<wire::Op::kShowPolicy>(*mine, {token_, "edge"}).code(), Code::kNotAttested);
  ASSERT_TRUE(Run<wire::Op::kAdminister>(*mine, SignedBy({&ops_}, login)).ok());
  EXPECT_TRUE(Run<wire::Op::kShowPolicy>(*mine, {token_, "edge"}).ok());
  EXPECT_TRUE(Run<wire::Op::kReadAudit>(*mine, {1, 10}).ok());
  wire::FindObjectsRequest find{
      .token = token_, .match = {}, .after = {}, .limit = 10, .all = true};
  EXPECT_EQ(Run<wire::Op::kFindObjects>(*mine, find)->objects.size(), 2U);
  // It reads, and does not change.
  EXPECT_EQ(
      Run<wire::Op::kApplyPolicy>(*mine, {token_, PolicyText("x", "sign", kOther), true}).code(),
      Code::kNotAttested);
  EXPECT_EQ(Run<wire::Op::kShowPolicy>(*another, {token_, "edge"}).code(), Code::kNotAttested);

  const auto reader = Connect(4711, /*attest=*/false);
  login = StatementOf<wire::Op::kOwnerLogin>(
      {token_, reader->connection.peer.tls_key, reader->connection.session->id()});
  login.sequence = 0;
  ASSERT_TRUE(Run<wire::Op::kAdminister>(*reader, SignedBy({&auditor_}, login)).ok());
  EXPECT_TRUE(Run<wire::Op::kReadAudit>(*reader, {1, 10}).ok());
  EXPECT_FALSE(Run<wire::Op::kShowPolicy>(*reader, {token_, "edge"}).ok());
}

TEST_F(OwnerTest, HistoryKeepsWhoSignedWhat) {
  MakeOwnedToken(PolicyText("edge", "sign", OwnMeasurement()));
  for (int version = 2; version <= 7; ++version)
    ASSERT_TRUE(Apply({version % 2 == 0 ? &ops_ : &security_},
                      PolicyText("edge", "sign", kOther, {}, version))
                    .ok());
  const auto mine = Connect(4711, /*attest=*/false);
  wire::Statement login = StatementOf<wire::Op::kOwnerLogin>(
      {token_, mine->connection.peer.tls_key, mine->connection.session->id()});
  login.sequence = 0;
  ASSERT_TRUE(Run<wire::Op::kAdminister>(*mine, SignedBy({&ops_}, login)).ok());
  const auto page =
      Run<wire::Op::kReadHistory>(*mine, {token_, wire::DocumentKind::kPolicy, "edge", 0});
  ASSERT_TRUE(page.ok()) << page.error().Text();
  ASSERT_EQ(page->versions.size(), 4U);
  EXPECT_TRUE(page->more);
  EXPECT_EQ(page->versions.front().version, 7U);
  EXPECT_EQ(page->versions.front().authority->signatures.front().owner, "security");
  const auto rest = Run<wire::Op::kReadHistory>(
      *mine, {token_, wire::DocumentKind::kPolicy, "edge", page->versions.back().version});
  ASSERT_EQ(rest->versions.size(), 3U);
  EXPECT_FALSE(rest->more);
  EXPECT_FALSE(rest->versions.back().authority.has_value());
}

}  // namespace
}  // namespace keyclave::ops
