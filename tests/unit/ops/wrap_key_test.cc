// C_WrapKey, and what passes through a session: keys that the enclave kept stay in.

#include "tests/unit/ops/release_fixture.h"

namespace keyclave::ops {
namespace {

class WrapKeyTest : public ReleaseTest {};

// What the enclave kept does not become readable by passing through a session.
TEST_F(WrapKeyTest, CopiesAndUnwrappedKeysStayIn) {
  MakeReleasing("sign, wrap, unwrap, release, manage", "    wrap: [token-key]\n");
  const auto caller = Connect(1000);
  const wire::ObjectId kek = AesId("kek", false);
  const wire::ObjectId key = AesId("key", true);
  wire::CopyObjectRequest copy;
  copy.object.id = key;
  copy.attributes.SetBool(CKA_TOKEN, false);
  EXPECT_EQ(Run<wire::Op::kCopyObject>(*caller, copy).code(), Code::kTemplateInconsistent);
  copy.attributes.SetBool(CKA_EXTRACTABLE, false);
  EXPECT_TRUE(Run<wire::Op::kCopyObject>(*caller, copy).ok());

  wire::WrapKeyRequest wrap;
  wrap.wrapping_key.id = kek;
  wrap.key.id = key;
  wrap.mechanism.type = CKM_AES_KEY_WRAP;
  const auto wrapped = Run<wire::Op::kWrapKey>(*caller, wrap);
  ASSERT_TRUE(wrapped.ok()) << wrapped.error().Text();
  wire::UnwrapKeyRequest unwrap;
  unwrap.unwrapping_key.id = kek;
  unwrap.mechanism.type = CKM_AES_KEY_WRAP;
  unwrap.wrapped = wrapped->output;
  unwrap.attributes.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
  unwrap.attributes.SetUlong(CKA_KEY_TYPE, CKK_AES);
  unwrap.attributes.SetBool(CKA_EXTRACTABLE, true);
  EXPECT_EQ(Run<wire::Op::kUnwrapKey>(*caller, unwrap).code(), Code::kTemplateInconsistent);
  unwrap.attributes.SetBool(CKA_EXTRACTABLE, false);
  EXPECT_TRUE(Run<wire::Op::kUnwrapKey>(*caller, unwrap).ok());
}

TEST_F(WrapKeyTest, WrapKeyWrapsForAPublicKeyOfTheEvidenceOnly) {
  MakeReleasing();
  AesId("key", true);
  const auto named = ConnectNaming({{"rsa", RsaPair().spki}});
  const auto silent = Connect(1000);
  const auto wrap = [&](Caller& caller, const wire::Mechanism& mechanism) {
    wire::WrapKeyRequest request;
    request.wrapping_key.id = PublicObject(caller, RsaPair());
    request.key = ByLabel("key");
    request.mechanism = mechanism;
    const auto reply = Run<wire::Op::kWrapKey>(caller, request);
    return reply.ok() ? "ok" : std::string(CodeName(reply.code()));
  };
  EXPECT_EQ(wrap(*named, Oaep(CKM_SHA256, CKG_MGF1_SHA256)), "ok");
  EXPECT_EQ(wrap(*named, Oaep(CKM_SHA384, CKG_MGF1_SHA384)), "ok");
  EXPECT_EQ(wrap(*silent, Oaep(CKM_SHA256, CKG_MGF1_SHA256)), "WrapRefused");
  // Lesson 43: nothing with SHA-1, and no PKCS#1 v1.5.
  EXPECT_EQ(wrap(*named, Oaep(CKM_SHA_1, CKG_MGF1_SHA1)), "WrapRefused");
  EXPECT_EQ(wrap(*named, Oaep(CKM_SHA256, CKG_MGF1_SHA1)), "WrapRefused");
  wire::Mechanism pkcs1;
  pkcs1.type = CKM_RSA_PKCS;
  EXPECT_EQ(wrap(*named, pkcs1), "WrapRefused");
}

// PKCS#11 3.2 §5.18.3, §5.18.4.
TEST_F(WrapKeyTest, AKeysTemplatesBindWhatGoesThroughIt) {
  MakeReleasing("sign, wrap, unwrap, release, manage", "    wrap: [token-key]\n");
  const auto root = Connect(0);
  const auto caller = Connect(1000);
  wire::GenerateKeyRequest request;
  request.token = token_.id;
  request.mechanism.type = CKM_AES_KEY_GEN;
  request.attributes.SetUlong(CKA_VALUE_LEN, 32);
  request.attributes.SetBool(CKA_TOKEN, true);
  wire::AttributeList only;
  only.SetText(CKA_LABEL, "leaves");
  request.attributes.Set(CKA_WRAP_TEMPLATE, wire::Encode(only));
  only.SetBool(CKA_MODIFIABLE, false);
  request.attributes.Set(CKA_UNWRAP_TEMPLATE, wire::Encode(only));
  const wire::ObjectId kek = Run<wire::Op::kGenerateKey>(*root, request).value().object.id;

  wire::WrapKeyRequest wrap;
  wrap.wrapping_key.id = kek;
  wrap.mechanism.type = CKM_AES_KEY_WRAP_KWP;
  wrap.key.id = AesId("stays", true);
  EXPECT_EQ(Run<wire::Op::kWrapKey>(*caller, wrap).code(), Code::kWrapTemplateMismatch);
  wrap.key.id = AesId("leaves", true);
  const auto wrapped = Run<wire::Op::kWrapKey>(*caller, wrap);
  ASSERT_TRUE(wrapped.ok()) << wrapped.error().Text();

  wire::UnwrapKeyRequest unwrap;
  unwrap.unwrapping_key.id = kek;
  unwrap.mechanism = wrap.mechanism;
  unwrap.wrapped = wrapped->output;
  unwrap.attributes.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
  unwrap.attributes.SetUlong(CKA_KEY_TYPE, CKK_AES);
  const auto made = Run<wire::Op::kUnwrapKey>(*caller, unwrap);
  ASSERT_TRUE(made.ok()) << made.error().Text();
  EXPECT_EQ(made->object.attributes.Text(CKA_LABEL), "leaves");
  EXPECT_EQ(made->object.attributes.Bool(CKA_MODIFIABLE), false);
  unwrap.attributes.SetText(CKA_LABEL, "other");
  EXPECT_EQ(Run<wire::Op::kUnwrapKey>(*caller, unwrap).code(), Code::kTemplateInconsistent);
  unwrap.attributes.Remove(CKA_LABEL);
  unwrap.attributes.SetText(CKA_VALUE, "mine");
  EXPECT_EQ(Run<wire::Op::kUnwrapKey>(*caller, unwrap).code(), Code::kAttributeReadOnly);
}

// "If it cannot be wrapped … solely because of its length, then … CKR_KEY_SIZE_RANGE" (§5.18.3).
TEST_F(WrapKeyTest, KeysThatDoNotFitAreOfTheWrongSize) {
  MakeReleasing("release, wrap", "");
  const auto caller = Connect(1000);
  wire::CreateObjectRequest create;
  create.token = token_.id;
  create.attributes.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
  create.attributes.SetUlong(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
  create.attributes.Set(CKA_VALUE, Bytes(300, 7));
  create.attributes.SetBool(CKA_EXTRACTABLE, true);
  wire::WrapKeyRequest wrap;
  wrap.key.id = Run<wire::Op::kCreateObject>(*caller, create).value().object.id;
  wrap.wrapping_key.id = PublicObject(*caller, RsaPair());
  wrap.mechanism.type = CKM_RSA_PKCS;
  EXPECT_EQ(Run<wire::Op::kWrapKey>(*caller, wrap).code(), Code::kKeySizeRange);
}

TEST_F(WrapKeyTest, AClassThatIsNoNumberIsRefused) {
  MakeReleasing();
  const auto caller = Connect(1000);
  wire::GenerateKeyRequest generate;
  generate.token = token_.id;
  generate.mechanism.type = CKM_AES_KEY_GEN;
  generate.attributes.SetUlong(CKA_VALUE_LEN, 32);
  generate.attributes.Set(CKA_CLASS, Bytes(4, 0));
  EXPECT_EQ(Run<wire::Op::kGenerateKey>(*caller, generate).code(), Code::kAttributeValueInvalid);
  wire::CreateObjectRequest create;
  create.token = token_.id;
  create.attributes.Set(CKA_CLASS, Bytes(4, 0));
  EXPECT_EQ(Run<wire::Op::kCreateObject>(*caller, create).code(), Code::kAttributeValueInvalid);
}

// Lesson 29: a key whose value the caller knows wraps nothing.
TEST_F(WrapKeyTest, SecretKeysThatTheCallerMayKnowWrapNothing) {
  MakeReleasing("release, wrap", "    wrap: [token-key]\n");
  const wire::ObjectId key = AesId("key", true);
  const auto caller = Connect(1000);
  wire::CreateObjectRequest known;
  known.token = token_.id;
  known.attributes.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
  known.attributes.SetUlong(CKA_KEY_TYPE, CKK_AES);
  known.attributes.Set(CKA_VALUE, Bytes(32, 7));
  known.attributes.SetBool(CKA_WRAP, true);
  wire::WrapKeyRequest wrap;
  wrap.wrapping_key.id = Run<wire::Op::kCreateObject>(*caller, known).value().object.id;
  wrap.key.id = key;
  wrap.mechanism.type = CKM_AES_KEY_WRAP;
  EXPECT_EQ(Run<wire::Op::kWrapKey>(*caller, wrap).code(), Code::kWrapRefused);
  wrap.wrapping_key.id = AesId("leaves", true);
  EXPECT_EQ(Run<wire::Op::kWrapKey>(*caller, wrap).code(), Code::kWrapRefused);
  wrap.wrapping_key.id = AesId("stays", false);
  EXPECT_TRUE(Run<wire::Op::kWrapKey>(*caller, wrap).ok());
  // The caller's own key it may wrap as it likes: it knows it.
  wrap.key.id = MakeAes(*caller, "mine", true, /*persistent=*/false).value().object.id;
  wrap.wrapping_key.id = PublicObject(*caller, RsaPair());
  wrap.mechanism.type = CKM_RSA_PKCS;
  EXPECT_TRUE(Run<wire::Op::kWrapKey>(*caller, wrap).ok());
}

}  // namespace
}  // namespace keyclave::ops
