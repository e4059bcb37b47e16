// Release: what leaves the enclave, for whom, in which form, and with which receipt.

#include "tests/unit/ops/release_fixture.h"

namespace keyclave::ops {
namespace {

TEST_F(ReleaseTest, AnAttestedRecipientOpensWhatWasReleasedToIt) {
  MakeReleasing();
  const wire::ObjectId id = AesId("key", true);
  const Pair recipient = NewX25519();
  const auto caller = ConnectNaming({{"backup", recipient.spki}});
  const auto reply = Run<wire::Op::kRelease>(*caller, To(recipient, WrapForm::kHpkeX25519, "key"));
  ASSERT_TRUE(reply.ok()) << reply.error().Text();
  const auto opened = mech::HpkeOpen(mech::HpkeKem::kX25519, *recipient.private_key,
                                     AsBytes(mech::kReleaseInfo), id, reply->wrapped);
  ASSERT_TRUE(opened.ok());
  EXPECT_TRUE(*opened == store_->ReadMaterial(*store_->Get(id).value()).value());
}

// Lesson 8: what comes back says whom it is for and what was asked, signed, with the asker's nonce.
TEST_F(ReleaseTest, TheReceiptSaysWhatHappenedAndIsInTheAuditLogFirst) {
  MakeReleasing();
  const wire::ObjectId id = AesId("key", true);
  const Pair recipient = NewX25519();
  const auto caller = ConnectNaming({{"other", RsaPair().spki}, {"backup", recipient.spki}});
  const auto reply = Run<wire::Op::kRelease>(*caller, To(recipient, WrapForm::kHpkeX25519, "key"));
  ASSERT_TRUE(reply.ok());
  const auto receipt = wire::ParseReceipt(reply->receipt);
  ASSERT_TRUE(receipt.ok()) << receipt.error().Text();
  EXPECT_EQ(receipt->enclave_id, store_->enclave_id());
  EXPECT_EQ(receipt->object, id);
  EXPECT_EQ(AsText(receipt->object_label), "key");
  EXPECT_EQ(receipt->policy, "edge");
  EXPECT_EQ(receipt->policy_version, 1U);
  EXPECT_EQ(receipt->permit, 1U);
  EXPECT_EQ(receipt->tee, "simulated");
  EXPECT_EQ(receipt->measurement, OwnMeasurement());
  EXPECT_EQ(receipt->recipient, "backup");
  EXPECT_EQ(receipt->recipient_spki, recipient.digest());
  EXPECT_EQ(receipt->form, "hpke-x25519");
  EXPECT_EQ(receipt->wrapped, Sha256(reply->wrapped));
  EXPECT_EQ(receipt->released_at, clock_.now);
  EXPECT_EQ(receipt->nonce, Bytes(16, 0x5a));
  EXPECT_EQ(receipt->evidence, caller->connection.session->identity()->evidence);
  EXPECT_FALSE(reply->signature.empty());
  const std::string line = LastAudit("release");
  EXPECT_NE(line.find("\"seq\":" + std::to_string(receipt->audit_sequence) + ","),
            std::string::npos)
      << line;
  EXPECT_NE(line.find(ToHex(id)), std::string::npos);
  EXPECT_NE(line.find(ToHex(recipient.digest())), std::string::npos);
}

// Lesson 43: the recipient is the key that the evidence names by its digest, never the first that
// fits.
TEST_F(ReleaseTest, OnlyAKeyOfTheEvidenceIsARecipient) {
  MakeReleasing();
  AesId("key", true);
  const Pair named = NewX25519();
  const Pair stranger = NewX25519();
  const auto caller = ConnectNaming({{"backup", named.spki}});
  const auto to_stranger = To(stranger, WrapForm::kHpkeX25519, "key");
  EXPECT_EQ(Run<wire::Op::kRelease>(*caller, to_stranger).code(), Code::kWrapRefused);
  EXPECT_TRUE(LastAudit("release").empty());
  // Another caller's keys are no help.
  const auto other = ConnectNaming({{"backup", stranger.spki}});
  EXPECT_EQ(Run<wire::Op::kRelease>(*caller, to_stranger).code(), Code::kWrapRefused);
  EXPECT_TRUE(Run<wire::Op::kRelease>(*other, to_stranger).ok());
  // Nor is a caller who names none, or proves nothing.
  const auto silent = Connect(1000);
  const auto to_named = To(named, WrapForm::kHpkeX25519, "key");
  EXPECT_EQ(Run<wire::Op::kRelease>(*silent, to_named).code(), Code::kWrapRefused);
  const auto unattested = Connect(1000, /*attest=*/false);
  EXPECT_EQ(Run<wire::Op::kRelease>(*unattested, to_named).code(), Code::kNotAttested);
}

TEST_F(ReleaseTest, NewEvidenceReplacesTheRecipients) {
  MakeReleasing();
  AesId("key", true);
  const Pair recipient = NewX25519();
  const auto caller = ConnectNaming({{"backup", recipient.spki}});
  const auto request = To(recipient, WrapForm::kHpkeX25519, "key");
  ASSERT_TRUE(Run<wire::Op::kRelease>(*caller, request).ok());
  const auto hello = Run<wire::Op::kHello>(*caller, {});
  ASSERT_TRUE(Attest(*caller, hello->nonce).ok());
  EXPECT_EQ(Run<wire::Op::kRelease>(*caller, request).code(), Code::kWrapRefused);
}

// Claims that the evidence does not bind, or that are not well formed, are nobody's.
TEST_F(ReleaseTest, RuntimeClaimsThatTheEvidenceDoesNotBindAreRefused) {
  MakeReleasing();
  const Pair recipient = NewX25519();
  const Bytes claims = wire::EncodeRuntimeClaims({{{"backup", recipient.spki}}});
  const auto caller = Connect(1000, /*attest=*/false);
  auto hello = Run<wire::Op::kHello>(*caller, {});
  EXPECT_EQ(AttestAs(*caller, hello->nonce, Bytes(), claims).code(), Code::kEvidenceBinding);
  hello = Run<wire::Op::kHello>(*caller, {});
  EXPECT_EQ(AttestAs(*caller, hello->nonce, claims, Bytes()).code(), Code::kEvidenceBinding);
  Bytes longer = claims;
  longer.push_back(0);
  hello = Run<wire::Op::kHello>(*caller, {});
  EXPECT_EQ(AttestAs(*caller, hello->nonce, longer, longer).code(), Code::kEvidenceMalformed);
  EXPECT_FALSE(caller->connection.session->identity()->attested);
}

TEST_F(ReleaseTest, FormAndRecipientMustFit) {
  MakeReleasing();
  AesId("key", true);
  const Pair recipient = NewX25519();
  const auto caller = ConnectNaming({{"x", recipient.spki}, {"rsa", RsaPair().spki}});
  const auto code = [&](const Pair& pair, WrapForm form) {
    const auto reply = Run<wire::Op::kRelease>(*caller, To(pair, form, "key"));
    return reply.ok() ? "ok" : std::string(CodeName(reply.code()));
  };
  EXPECT_EQ(code(recipient, WrapForm::kHpkeP256), "KeyTypeInconsistent");
  EXPECT_EQ(code(recipient, WrapForm::kRsaOaepSha256), "KeyTypeInconsistent");
  EXPECT_EQ(code(RsaPair(), WrapForm::kHpkeX25519), "KeyTypeInconsistent");
  EXPECT_EQ(code(RsaPair(), WrapForm::kTokenKey), "WrapRefused");
  EXPECT_EQ(code(RsaPair(), static_cast<WrapForm>(authz::kWrapFormCount)), "WrapRefused");
  for (const WrapForm form : {WrapForm::kRsaAesKeyWrapSha256, WrapForm::kRsaAesKeyWrapSha384,
                              WrapForm::kRsaOaepSha256, WrapForm::kRsaOaepSha384}) {
    EXPECT_EQ(code(RsaPair(), form), "ok") << authz::WrapFormName(form);
  }
  auto request = To(recipient, WrapForm::kHpkeX25519, "key");
  request.nonce = Bytes(65);
  EXPECT_EQ(Run<wire::Op::kRelease>(*caller, request).code(), Code::kTooLarge);
}

TEST_F(ReleaseTest, DataObjectsAreReleasedWhereTheyMayBeRead) {
  MakeReleasing("read");
  const auto root = Connect(0);
  wire::CreateObjectRequest create;
  create.token = token_.id;
  create.attributes.SetUlong(CKA_CLASS, CKO_DATA);
  create.attributes.SetBool(CKA_TOKEN, true);
  create.attributes.SetText(CKA_LABEL, "note");
  create.attributes.SetText(CKA_VALUE, "the plans");
  const auto note = Run<wire::Op::kCreateObject>(*root, create);
  ASSERT_TRUE(note.ok());
  const Pair recipient = NewX25519();
  const auto caller = ConnectNaming({{"backup", recipient.spki}});
  const auto request = To(recipient, WrapForm::kHpkeX25519, "note");
  const auto reply = Run<wire::Op::kRelease>(*caller, request);
  ASSERT_TRUE(reply.ok()) << reply.error().Text();
  const auto opened = mech::HpkeOpen(mech::HpkeKem::kX25519, *recipient.private_key,
                                     AsBytes(mech::kReleaseInfo), note->object.id, reply->wrapped);
  EXPECT_EQ(AsText(opened->Expose(SecretAccess())), "the plans");
  wire::ApplyPolicyRequest stricter;
  stricter.token = token_.id;
  stricter.text = PolicyText("edge", "sign", OwnMeasurement(), {}, 2);
  ASSERT_TRUE(Run<wire::Op::kApplyPolicy>(*root, stricter).ok());
  EXPECT_EQ(Run<wire::Op::kRelease>(*caller, request).code(), Code::kDenied);
}

// Lesson 29: extractable is a property that a policy must want.
TEST_F(ReleaseTest, ExtractableKeysNeedAPolicyThatReleases) {
  MakeReleasing("sign, wrap");
  const auto root = Connect(0);
  const auto refused = MakeAes(*root, "key", true);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), Code::kTemplateInconsistent);
  EXPECT_NE(refused.error().detail().find("`release`"), std::string::npos);
  EXPECT_TRUE(MakeAes(*root, "key", false).ok());
  // What a caller makes for itself, in its own session, is its own.
  const auto caller = Connect(1000);
  EXPECT_TRUE(MakeAes(*caller, "mine", true, /*persistent=*/false).ok());
}

TEST_F(ReleaseTest, OnlyTheFormsOfThePermit) {
  MakeReleasing("release", "    wrap: [rsa-oaep-sha384, hpke-x25519]\n");
  AesId("key", true);
  const Pair recipient = NewX25519();
  const auto caller = ConnectNaming({{"x", recipient.spki}, {"rsa", RsaPair().spki}});
  EXPECT_TRUE(
      Run<wire::Op::kRelease>(*caller, To(RsaPair(), WrapForm::kRsaOaepSha384, "key")).ok());
  EXPECT_TRUE(Run<wire::Op::kRelease>(*caller, To(recipient, WrapForm::kHpkeX25519, "key")).ok());
  for (const WrapForm form : {WrapForm::kRsaOaepSha256, WrapForm::kRsaAesKeyWrapSha384}) {
    EXPECT_EQ(Run<wire::Op::kRelease>(*caller, To(RsaPair(), form, "key")).code(),
              Code::kWrapRefused);
  }
}

TEST_F(ReleaseTest, UnextractableKeysStay) {
  MakeReleasing();
  AesId("key", false);
  const Pair recipient = NewX25519();
  const auto caller = ConnectNaming({{"backup", recipient.spki}});
  EXPECT_EQ(Run<wire::Op::kRelease>(*caller, To(recipient, WrapForm::kHpkeX25519, "key")).code(),
            Code::kKeyUnextractable);
  EXPECT_EQ(
      Run<wire::Op::kRelease>(*caller, To(recipient, WrapForm::kHpkeX25519, "nothing")).code(),
      Code::kObjectNotFound);
}

}  // namespace
}  // namespace keyclave::ops
