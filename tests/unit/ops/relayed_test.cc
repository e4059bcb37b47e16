// Relayed evidence: whoever carries it gains nothing, and its maker gets what only its key opens.

#include <nlohmann/json.hpp>

#include "attest/rcar.h"
#include "tests/unit/ops/release_fixture.h"

namespace keyclave::ops {
namespace {

using Json = nlohmann::json;

constexpr wire::Op kAllOps[] = {
#define KC_OP(number, name, deadline_factor) wire::Op::k##name,
#include "enclave/wire/ops.inc"
#undef KC_OP
};

// The workload that evidence is about: its key, and the JWK of it.
struct Workload {
  Pair pair;
  Json jwk;
};

Json JwkOf(const mech::Key& key) {
  const auto number = [&](const char* name) {
    BIGNUM* value = nullptr;
    EVP_PKEY_get_bn_param(key.pkey(), name, &value);
    Bytes bytes(static_cast<size_t>(key.key_type() == CKK_RSA ? BN_num_bytes(value) : 32));
    BN_bn2binpad(value, bytes.data(), static_cast<int>(bytes.size()));
    BN_free(value);
    return ToBase64Url(bytes);
  };
  if (key.key_type() == CKK_RSA)
    return {{"kty", "RSA"}, {"alg", "RSA-OAEP-256"}, {"n", number("n")}, {"e", number("e")}};
  return {{"kty", "EC"},
          {"alg", "ECDH-ES+A256KW"},
          {"crv", "P-256"},
          {"x", number("qx")},
          {"y", number("qy")}};
}

Workload NewWorkload(bool rsa = false) {
  if (rsa) return {RsaPair(), JwkOf(*RsaPair().private_key)};
  wire::AttributeList attributes;
  attributes.Set(CKA_EC_PARAMS, FromHex("06082a8648ce3d030107").value());
  Pair pair = NewPair(CKM_EC_KEY_PAIR_GEN, attributes);
  Json jwk = JwkOf(*pair.private_key);
  return {std::move(pair), std::move(jwk)};
}

class RelayedTest : public ReleaseTest {
 protected:
  void MakeJweToken(const std::string& more = "    wrap: [jwe]\n") {
    MakeReleasing("release, read, sign, create, manage", more);
  }

  static Bytes RuntimeData(const ByteArray<32>& nonce, const Workload& workload) {
    return attest::EncodeRcarRuntimeData(ToBase64(nonce), workload.jwk, "");
  }
  // Evidence of the workload over these runtime data.
  Bytes EvidenceOver(const Bytes& runtime_data) {
    return attest::FindTeeType("simulated")
        ->produce(attest::RcarReportData(runtime_data).value(), config_.producer, clock_.Now())
        .value();
  }
  ByteArray<32> NonceFor(Caller& caller) { return Run<wire::Op::kHello>(caller, {})->nonce; }
  // The code's name.
  std::string Relay(Caller& caller, const Bytes& evidence, const Bytes& runtime_data,
                    uint64_t protocol = wire::kProtocolRcar,
                    const std::string& type = "simulated") {
    const auto reply = Run<wire::Op::kAttest>(caller, {type, evidence, runtime_data, protocol});
    return reply.ok() ? "ok" : std::string(CodeName(reply.code()));
  }
  std::unique_ptr<Caller> ConnectRelaying(const Workload& workload, uint32_t uid = 1000) {
    auto caller = Connect(uid, /*attest=*/false);
    const Bytes data = RuntimeData(NonceFor(*caller), workload);
    EXPECT_EQ(Relay(*caller, EvidenceOver(data), data), "ok");
    return caller;
  }
  wire::ObjectId DataObject(const std::string& label, const std::string& value) {
    const auto root = Connect(0);
    wire::CreateObjectRequest create;
    create.token = token_.id;
    create.attributes.SetUlong(CKA_CLASS, CKO_DATA);
    create.attributes.SetBool(CKA_TOKEN, true);
    create.attributes.SetText(CKA_LABEL, label);
    create.attributes.SetText(CKA_VALUE, value);
    return Run<wire::Op::kCreateObject>(*root, create)->object.id;
  }
  static std::string Open(const Workload& workload, ByteSpan jwe, bool rsa = false) {
    const auto opened =
        mech::JweOpen(rsa ? mech::JweAlgorithm::kRsaOaep256 : mech::JweAlgorithm::kEcdhEsA256Kw,
                      *workload.pair.private_key, jwe);
    return opened.ok() ? std::string(AsText(opened->Expose(SecretAccess()))) : "not opened";
  }
};

TEST_F(RelayedTest, TheWorkloadOpensWhatWasReleasedToItsKey) {
  MakeJweToken();
  DataObject("repo/type/tag", "the secret");
  for (const bool rsa : {false, true}) {
    const Workload workload = NewWorkload(rsa);
    const auto caller = ConnectRelaying(workload);
    const auto form = rsa ? WrapForm::kJweRsaOaep256 : WrapForm::kJweEcdhEsA256Kw;
    const auto reply = Run<wire::Op::kRelease>(*caller, To(workload.pair, form, "repo/type/tag"));
    ASSERT_TRUE(reply.ok()) << reply.error().Text();
    EXPECT_EQ(Open(workload, reply->wrapped, rsa), "the secret");
    const auto receipt = wire::ParseReceipt(reply->receipt);
    EXPECT_EQ(receipt->recipient, "tee-pubkey");
    EXPECT_EQ(receipt->form, authz::WrapFormName(form));
    EXPECT_EQ(receipt->measurement, OwnMeasurement());
    EXPECT_NE(LastAudit("release").find(R"("relayed":"rcar")"), std::string::npos);
  }
}

TEST_F(RelayedTest, NothingButHelloAttestAndReleaseIsRun) {
  MakeJweToken();
  const Workload workload = NewWorkload();
  // Not even for root, who may do much of it in a session of its own.
  for (const uint32_t uid : {0U, 1000U}) {
    const auto caller = ConnectRelaying(workload, uid);
    for (const wire::Op op : kAllOps) {
      const Bytes frame = wire::BuildRequest(7, op, wire::Encode(wire::Empty()));
      ByteSpan rest = frame;
      const Bytes answer = dispatcher_->Handle(caller->connection, *wire::TakeFrame(rest).value());
      ByteSpan answer_rest = answer;
      const auto body = wire::ParseReply(wire::TakeFrame(answer_rest).value()->body);
      const bool allowed =
          op == wire::Op::kHello || op == wire::Op::kAttest || op == wire::Op::kRelease;
      EXPECT_EQ(body->code == static_cast<uint16_t>(Code::kDenied), !allowed)
          << wire::OpName(op) << ": " << body->code;
      if (op == wire::Op::kHello) continue;
      EXPECT_NE(body->code, 0) << wire::OpName(op);
    }
  }
}

TEST_F(RelayedTest, TheSameRequestsAreServedToWhoeverProvesItself) {
  MakeJweToken();
  const wire::ObjectId data = DataObject("note", "the plans");
  const auto own = Connect(1000);
  const auto relaying = ConnectRelaying(NewWorkload());
  wire::GetObjectRequest get;
  get.object.id = data;
  EXPECT_EQ(Run<wire::Op::kGetObject>(*own, get)->object.attributes.Text(CKA_VALUE), "the plans");
  EXPECT_EQ(Run<wire::Op::kGetObject>(*relaying, get).code(), Code::kDenied);
  wire::FindObjectsRequest find;
  find.token = token_.id;
  find.limit = 10;
  EXPECT_TRUE(Run<wire::Op::kFindObjects>(*own, find).ok());
  EXPECT_EQ(Run<wire::Op::kFindObjects>(*relaying, find).code(), Code::kDenied);
}

TEST_F(RelayedTest, OnlyJweOnlyToThatKeyAndOnlyWhereItIsNamed) {
  MakeJweToken();
  DataObject("note", "the plans");
  AesId("key", true);
  const Workload workload = NewWorkload();
  const Workload stranger = NewWorkload();
  const auto caller = ConnectRelaying(workload);
  const auto code = [&](const Pair& pair, WrapForm form, const std::string& label) {
    const auto reply = Run<wire::Op::kRelease>(*caller, To(pair, form, label));
    return reply.ok() ? "ok" : std::string(CodeName(reply.code()));
  };
  EXPECT_EQ(code(workload.pair, WrapForm::kJweEcdhEsA256Kw, "key"), "ok");
  EXPECT_EQ(code(workload.pair, WrapForm::kHpkeP256, "key"), "WrapRefused");
  EXPECT_EQ(code(workload.pair, WrapForm::kHpkeP256, "note"), "WrapRefused");
  EXPECT_EQ(code(stranger.pair, WrapForm::kJweEcdhEsA256Kw, "note"), "WrapRefused");
  EXPECT_EQ(code(workload.pair, WrapForm::kJweRsaOaep256, "note"), "KeyTypeInconsistent");
  // A permit for release without `wrap` means other forms, and one for read means other callers.
  const auto apply = [&](const std::string& operations, const std::string& more, int version) {
    wire::ApplyPolicyRequest policy;
    policy.token = token_.id;
    policy.text = PolicyText("edge", operations, OwnMeasurement(), more, version);
    const auto root = Connect(0);
    ASSERT_TRUE(Run<wire::Op::kApplyPolicy>(*root, policy).ok());
  };
  apply("release, read", "", 2);
  EXPECT_EQ(code(workload.pair, WrapForm::kJweEcdhEsA256Kw, "note"), "WrapRefused");
  apply("read", "", 3);
  EXPECT_EQ(code(workload.pair, WrapForm::kJweEcdhEsA256Kw, "note"), "Denied");
  apply("release", "    wrap: [jwe]\n", 4);
  EXPECT_EQ(code(workload.pair, WrapForm::kJweEcdhEsA256Kw, "note"), "ok");
}

TEST_F(RelayedTest, EvidenceIsForOneNonceOneKeyAndOneSpelling) {
  MakeJweToken();
  const Workload workload = NewWorkload();
  const auto caller = Connect(1000, /*attest=*/false);
  Bytes data = RuntimeData(NonceFor(*caller), workload);
  Bytes evidence = EvidenceOver(data);
  ASSERT_EQ(Relay(*caller, evidence, data), "ok");
  EXPECT_EQ(Relay(*caller, evidence, data), "WrongState") << "without a Hello";
  NonceFor(*caller);
  EXPECT_EQ(Relay(*caller, evidence, data), "EvidenceBinding") << "replayed";
  const auto other = Connect(1000, /*attest=*/false);
  EXPECT_EQ(Relay(*other, evidence, data), "EvidenceBinding") << "on another connection";
  // What the evidence binds was for another nonce, another key.
  data = RuntimeData(NonceFor(*other), workload);
  EXPECT_EQ(Relay(*other, evidence, data), "EvidenceBinding");
  const ByteArray<32> nonce = NonceFor(*other);
  evidence = EvidenceOver(RuntimeData(nonce, workload));
  EXPECT_EQ(Relay(*other, evidence, RuntimeData(nonce, NewWorkload())), "EvidenceBinding");
  // The same members in another spelling, with evidence over that very spelling.
  const ByteArray<32> next = NonceFor(*other);
  const Bytes spelled = ToBytes(Json::parse(AsText(RuntimeData(next, workload))).dump(1));
  EXPECT_EQ(Relay(*other, EvidenceOver(spelled), spelled), "EvidenceMalformed");
  EXPECT_FALSE(other->connection.session->identity()->attested);
}

TEST_F(RelayedTest, EvidenceOfOneProtocolIsNoneOfTheOther) {
  MakeJweToken();
  const Workload workload = NewWorkload();
  const auto caller = Connect(1000, /*attest=*/false);
  Bytes data = RuntimeData(NonceFor(*caller), workload);
  auto reply = Run<wire::Op::kAttest>(*caller, {"simulated", EvidenceOver(data), data});
  EXPECT_EQ(reply.code(), Code::kEvidenceMalformed) << "as runtime claims";
  NonceFor(*caller);
  reply = Run<wire::Op::kAttest>(*caller, {"simulated", EvidenceOver(data), Bytes()});
  EXPECT_EQ(reply.code(), Code::kEvidenceBinding);
  NonceFor(*caller);
  EXPECT_EQ(Relay(*caller, EvidenceOver(data), Bytes()), "EvidenceMalformed");
  data = RuntimeData(NonceFor(*caller), workload);
  EXPECT_EQ(Relay(*caller, EvidenceOver(data), data, 2), "BadMessage");
}

// They are bound to whoever carries them, or to nothing at all.
TEST_F(RelayedTest, EvidenceThatCannotBeRelayedIsRefused) {
  config_.trust.accepted_types = {"simulated", "co-resident", "token", "tpm", "nitro", "cca"};
  const auto caller = Connect(0, /*attest=*/false);
  for (const char* type : {"co-resident", "token", "tpm", "nitro", "cca", "sample", ""}) {
    const Bytes data = RuntimeData(NonceFor(*caller), NewWorkload());
    EXPECT_EQ(Relay(*caller, EvidenceOver(data), data, wire::kProtocolRcar, type),
              "EvidenceNotAccepted")
        << type;
  }
}

TEST_F(RelayedTest, TheTransportTellsNothingOfTheWorkload) {
  MakeJweToken();
  const auto caller = ConnectRelaying(NewWorkload(), 0);
  const auto identity = caller->connection.session->identity();
  EXPECT_TRUE(identity->is_relayed);
  EXPECT_TRUE(identity->attested);
  for (const char* name : {"peer.uid", "peer.gid", "tls.key"})
    EXPECT_EQ(identity->claims.Find(name), nullptr) << name;
  EXPECT_NE(identity->claims.Find("measurement"), nullptr);
}

TEST_F(RelayedTest, ASessionIsItsOwnAgainAfterwards) {
  MakeJweToken();
  const auto caller = ConnectRelaying(NewWorkload());
  EXPECT_EQ(Run<wire::Op::kStatus>(*caller, {}).code(), Code::kDenied);
  clock_.now += 3600;
  EXPECT_TRUE(Run<wire::Op::kStatus>(*caller, {}).ok()) << "the evidence has expired";
  EXPECT_FALSE(caller->connection.session->identity()->is_relayed);
  const auto other = ConnectRelaying(NewWorkload());
  ASSERT_TRUE(Attest(*other, NonceFor(*other)).ok());
  EXPECT_TRUE(Run<wire::Op::kStatus>(*other, {}).ok()) << "it has proved itself";
}

// A request is judged by the evidence that was there when it began: whoever relays on a second
// connection of the session meanwhile gains nothing by it on the first.
TEST_F(RelayedTest, ARequestKeepsTheIdentityThatItBeganWith) {
  MakeJweToken();
  DataObject("note", "the plans");
  const auto caller = Connect(1000, /*attest=*/false);
  Call call{*service_, caller->connection, *caller->connection.session, wire::Op::kGetObject,
            clock_.Now()};
  const Bytes data = RuntimeData(NonceFor(*caller), NewWorkload());
  ASSERT_EQ(Relay(*caller, EvidenceOver(data), data), "ok");
  ASSERT_TRUE(caller->connection.session->identity()->is_relayed);
  EXPECT_FALSE(AuthorizeSight(call, ByLabel("note")).ok());
  EXPECT_EQ(AuthorizeUse(call, ByLabel("note"), {.operation = authz::Operation::kRead}).code(),
            Code::kNotAttested);
}

}  // namespace
}  // namespace keyclave::ops
