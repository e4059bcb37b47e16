// C_EncapsulateKey, C_DecapsulateKey, C_SignRecover and the daemon's digests: who may, and what the
// new key owes to those that it was made with.

#include "tests/unit/ops/release_fixture.h"

namespace keyclave::ops {
namespace {

constexpr Code kDone = Code::kInternal;  // no refusal has this code here

class EncapsulateTest : public ReleaseTest {
 protected:
  // An RSA pair of the token, made by an operator.
  wire::KeyPairReply MakeRsa(const wire::AttributeList& private_more = {}) {
    const auto root = Connect(0);
    wire::GenerateKeyPairRequest request;
    request.token = token_.id;
    request.mechanism.type = CKM_RSA_PKCS_KEY_PAIR_GEN;
    request.public_attributes.SetUlong(CKA_MODULUS_BITS, 2048);
    request.public_attributes.SetBool(CKA_TOKEN, true);
    request.public_attributes.SetBool(CKA_ENCAPSULATE, true);
    request.private_attributes = private_more;
    request.private_attributes.SetBool(CKA_TOKEN, true);
    request.private_attributes.SetBool(CKA_DECAPSULATE, true);
    request.private_attributes.SetBool(CKA_SIGN_RECOVER, true);
    return Run<wire::Op::kGenerateKeyPair>(*root, request).value();
  }
  static wire::AttributeList AesKey() {
    wire::AttributeList attributes;
    attributes.SetUlong(CKA_KEY_TYPE, CKK_AES);
    attributes.SetUlong(CKA_VALUE_LEN, 32);
    return attributes;
  }
  Result<wire::EncapsulateKeyReply> Encapsulate(Caller& caller, const wire::ObjectInfo& key) {
    wire::EncapsulateKeyRequest request;
    request.public_key.id = key.id;
    request.mechanism = Oaep(CKM_SHA256, CKG_MGF1_SHA256);
    request.attributes = AesKey();
    return Run<wire::Op::kEncapsulateKey>(caller, request);
  }
  wire::DecapsulateKeyRequest Opening(const wire::ObjectInfo& key, const Bytes& ciphertext) {
    wire::DecapsulateKeyRequest request;
    request.private_key.id = key.id;
    request.mechanism = Oaep(CKM_SHA256, CKG_MGF1_SHA256);
    request.ciphertext = ciphertext;
    request.attributes = AesKey();
    return request;
  }
  Code Decapsulate(Caller& caller, const wire::DecapsulateKeyRequest& request) {
    const auto made = Run<wire::Op::kDecapsulateKey>(caller, request);
    return made.ok() ? kDone : made.code();
  }
};

TEST_F(EncapsulateTest, DecapsulationNeedsItsPermit) {
  MakeReleasing("encapsulate, unwrap, derive, decrypt");
  const wire::KeyPairReply pair = MakeRsa();
  const auto caller = Connect(1000);
  const auto made = Encapsulate(*caller, pair.public_key);
  ASSERT_TRUE(made.ok()) << made.error().Text();
  EXPECT_EQ(Decapsulate(*caller, Opening(pair.private_key, made->ciphertext)), Code::kDenied);
}

TEST_F(EncapsulateTest, EncapsulationNeedsItsPermit) {
  MakeReleasing("decapsulate");
  const wire::KeyPairReply pair = MakeRsa();
  const auto caller = Connect(1000);
  EXPECT_EQ(Encapsulate(*caller, pair.public_key).code(), Code::kDenied);
}

TEST_F(EncapsulateTest, BothKeysDescendFromThePair) {
  MakeReleasing("encapsulate, decapsulate");
  const wire::KeyPairReply pair = MakeRsa();
  const auto caller = Connect(1000);
  const auto sent = Encapsulate(*caller, pair.public_key);
  ASSERT_TRUE(sent.ok()) << sent.error().Text();
  const auto got =
      Run<wire::Op::kDecapsulateKey>(*caller, Opening(pair.private_key, sent->ciphertext));
  ASSERT_TRUE(got.ok()) << got.error().Text();
  EXPECT_EQ(*sent->object.attributes.Find(CKA_CHECK_VALUE),
            *got->object.attributes.Find(CKA_CHECK_VALUE));
  EXPECT_EQ(*got->object.attributes.Find(kCkaParents),
            Bytes(pair.private_key.id.begin(), pair.private_key.id.end()));
  EXPECT_EQ(*sent->object.attributes.Find(kCkaParents),
            Bytes(pair.public_key.id.begin(), pair.public_key.id.end()));
  for (const uint64_t never : {CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE})
    EXPECT_FALSE(sent->object.attributes.IsTrue(never));
  EXPECT_TRUE(sent->object.attributes.IsTrue(CKA_EXTRACTABLE));
}

// Who may decapsulate with RSA could otherwise have any key that was wrapped under it.
TEST_F(EncapsulateTest, WhatMayBeAWrappedKeyStaysInside) {
  MakeReleasing("encapsulate, decapsulate");
  const wire::KeyPairReply pair = MakeRsa();
  const auto caller = Connect(1000);
  const auto sent = Encapsulate(*caller, pair.public_key);
  ASSERT_TRUE(sent.ok()) << sent.error().Text();
  wire::DecapsulateKeyRequest request = Opening(pair.private_key, sent->ciphertext);
  const auto got = Run<wire::Op::kDecapsulateKey>(*caller, request);
  ASSERT_TRUE(got.ok()) << got.error().Text();
  EXPECT_FALSE(got->object.attributes.IsTrue(CKA_EXTRACTABLE));
  request.attributes.SetBool(CKA_EXTRACTABLE, true);
  EXPECT_EQ(Decapsulate(*caller, request), Code::kTemplateInconsistent);
  request = Opening(pair.private_key, sent->ciphertext);
  request.attributes.SetUlong(CKA_VALUE_LEN, 16);
  EXPECT_EQ(Decapsulate(*caller, request), Code::kWrappedKeyInvalid) << "in pieces neither";
}

TEST_F(EncapsulateTest, TheKeysTemplateIsAddedAndNotContradicted) {
  MakeReleasing("encapsulate, decapsulate");
  wire::AttributeList fixed;
  fixed.SetText(CKA_LABEL, "fixed");
  wire::AttributeList more;
  more.Set(CKA_DECAPSULATE_TEMPLATE, wire::Encode(fixed));
  const wire::KeyPairReply pair = MakeRsa(more);
  const auto caller = Connect(1000);
  const auto sent = Encapsulate(*caller, pair.public_key);
  ASSERT_TRUE(sent.ok()) << sent.error().Text();
  wire::DecapsulateKeyRequest request = Opening(pair.private_key, sent->ciphertext);
  const auto got = Run<wire::Op::kDecapsulateKey>(*caller, request);
  ASSERT_TRUE(got.ok()) << got.error().Text();
  EXPECT_EQ(got->object.attributes.Text(CKA_LABEL), "fixed");
  request.attributes.SetText(CKA_LABEL, "other");
  EXPECT_EQ(Decapsulate(*caller, request), Code::kTemplateInconsistent);
}

// Recovery is a signature for policies.
TEST_F(EncapsulateTest, RecoveryNeedsThePermitToSign) {
  MakeReleasing("verify");
  const auto caller = Connect(1000);
  wire::SignRequest request;
  request.key.id = MakeRsa().private_key.id;
  request.mechanism.type = CKM_RSA_PKCS;
  request.input = Bytes(20, 1);
  EXPECT_EQ(Run<wire::Op::kSignRecover>(*caller, request).code(), Code::kDenied);
}

TEST_F(EncapsulateTest, RecoveryIsPermittedWhereSigningIs) {
  MakeReleasing("sign");
  const auto signer = Connect(1000);
  wire::SignRequest request;
  request.key.id = MakeRsa().private_key.id;
  request.mechanism.type = CKM_RSA_PKCS;
  request.input = Bytes(20, 1);
  const auto made = Run<wire::Op::kSignRecover>(*signer, request);
  ASSERT_TRUE(made.ok()) << made.error().Text();
  EXPECT_EQ(made->output.size(), 256U);
  request.mechanism.type = CKM_SHA256_RSA_PKCS;
  EXPECT_EQ(Run<wire::Op::kSignRecover>(*signer, request).code(), Code::kMechanismInvalid);
}

TEST_F(EncapsulateTest, DigestsNeedNoKeyAndAreNothingElse) {
  const auto caller = Connect(1000);
  const auto digest = Run<wire::Op::kDigest>(*caller, {kCkmSm3, ToBytes("abc")});
  ASSERT_TRUE(digest.ok()) << digest.error().Text();
  EXPECT_EQ(ToHex(digest->output),
            "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0");
  EXPECT_EQ(Run<wire::Op::kDigest>(*caller, {CKM_AES_ECB, {}}).code(), Code::kMechanismInvalid);
}

}  // namespace
}  // namespace keyclave::ops
