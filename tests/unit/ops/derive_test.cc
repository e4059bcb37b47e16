// C_DeriveKey and C_UnwrapKey: what a new key owes to those that it was made from.

#include "tests/unit/ops/release_fixture.h"

namespace keyclave::ops {
namespace {

class DeriveTest : public ReleaseTest {
 protected:
  static wire::DeriveKeyRequest From(const wire::ObjectId& base, uint64_t type) {
    wire::DeriveKeyRequest request;
    request.base_key.id = base;
    request.mechanism.type = type;
    request.attributes.SetUlong(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
    return request;
  }
  // A session object of the caller's own.
  wire::ObjectId Secret(Caller& caller, bool sensitive, bool extractable) {
    wire::CreateObjectRequest request;
    request.token = token_.id;
    request.attributes.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
    request.attributes.SetUlong(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
    request.attributes.Set(CKA_VALUE, Bytes{1, 2, 3, 4});
    request.attributes.SetBool(CKA_DERIVE, true);
    request.attributes.SetBool(CKA_SENSITIVE, sensitive);
    request.attributes.SetBool(CKA_EXTRACTABLE, extractable);
    const auto made = Run<wire::Op::kCreateObject>(caller, request);
    EXPECT_TRUE(made.ok()) << made.error().Text();
    return made.ok() ? made->object.id : wire::ObjectId{};
  }
  Code Derive(Caller& caller, const wire::DeriveKeyRequest& request) {
    const auto made = Run<wire::Op::kDeriveKey>(caller, request);
    return made.ok() ? kDone : made.code();
  }
  static constexpr Code kDone = Code::kInternal;  // no refusal has this code here
};

TEST_F(DeriveTest, WhatHoldsTheBaseKeysBytesIsAsHiddenAsTheBaseKey) {
  MakeReleasing("derive, sign, release, manage", "    wrap: [token-key]\n");
  const auto caller = Connect(1000);
  const wire::ObjectId hidden = Secret(*caller, true, false);
  wire::DeriveKeyRequest request = From(hidden, CKM_XOR_BASE_AND_DATA);
  request.mechanism.bytes = Bytes(4, 0);
  request.attributes.SetBool(CKA_SENSITIVE, false);
  EXPECT_EQ(Derive(*caller, request), Code::kTemplateInconsistent);
  request.attributes.SetBool(CKA_SENSITIVE, true);
  request.attributes.SetBool(CKA_EXTRACTABLE, true);
  EXPECT_EQ(Derive(*caller, request), Code::kTemplateInconsistent);
  request.attributes.Remove(CKA_SENSITIVE);
  request.attributes.Remove(CKA_EXTRACTABLE);
  const auto made = Run<wire::Op::kDeriveKey>(*caller, request);
  ASSERT_TRUE(made.ok()) << made.error().Text();
  EXPECT_TRUE(made->object.attributes.IsTrue(CKA_SENSITIVE));
  EXPECT_FALSE(made->object.attributes.IsTrue(CKA_EXTRACTABLE));
  // A piece of it would tell the rest, piece by piece.
  request.attributes.SetUlong(CKA_VALUE_LEN, 1);
  EXPECT_EQ(Derive(*caller, request), Code::kKeySizeRange);
}

TEST_F(DeriveTest, AConcatenationOfTwoKeysDescendsFromBoth) {
  MakeReleasing("derive, sign, manage", "");
  const auto caller = Connect(1000);
  const wire::ObjectId base = Secret(*caller, false, false);
  const wire::ObjectId second = Secret(*caller, true, false);
  wire::DeriveKeyRequest request = From(base, CKM_CONCATENATE_BASE_AND_KEY);
  EXPECT_EQ(Derive(*caller, request), Code::kMechanismParamInvalid);
  request.mechanism.second_key = second;
  const auto made = Run<wire::Op::kDeriveKey>(*caller, request);
  ASSERT_TRUE(made.ok()) << made.error().Text();
  EXPECT_EQ(made->object.attributes.Ulong(CKA_VALUE_LEN), 8U);
  EXPECT_TRUE(made->object.attributes.IsTrue(CKA_SENSITIVE)) << "the second key is";
  Bytes parents = ToBytes(base);
  parents.insert(parents.end(), second.begin(), second.end());
  EXPECT_EQ(*made->object.attributes.Find(kCkaParents), parents);
  request.mechanism.second_key = RandomArray<16>();
  EXPECT_NE(Derive(*caller, request), kDone) << "a key that is not there";
  request = From(base, CKM_SHA256_KEY_DERIVATION);
  request.mechanism.second_key = second;
  EXPECT_EQ(Derive(*caller, request), Code::kMechanismParamInvalid);
}

TEST_F(DeriveTest, HkdfGivesKeysAndData) {
  MakeReleasing("derive, sign, read, manage", "");
  const auto caller = Connect(1000);
  const wire::ObjectId base = Secret(*caller, true, false);
  wire::DeriveKeyRequest request = From(base, CKM_HKDF_DERIVE);
  request.mechanism.hkdf = wire::HkdfParam{true, true, CKM_SHA256, {}, Bytes{7}};
  EXPECT_EQ(Derive(*caller, request), Code::kTemplateIncomplete);
  request.attributes.SetUlong(CKA_VALUE_LEN, 42);
  const auto key = Run<wire::Op::kDeriveKey>(*caller, request);
  ASSERT_TRUE(key.ok()) << key.error().Text();
  EXPECT_EQ(key->object.attributes.Ulong(CKA_VALUE_LEN), 42U);
  EXPECT_FALSE(key->object.attributes.IsTrue(CKA_ALWAYS_SENSITIVE)) << "the base key was created";

  request.mechanism.type = CKM_HKDF_DATA;
  request.attributes = {};
  request.attributes.SetUlong(CKA_VALUE_LEN, 42);
  const auto data = Run<wire::Op::kDeriveKey>(*caller, request);
  ASSERT_TRUE(data.ok()) << data.error().Text();
  EXPECT_EQ(data->object.attributes.Ulong(CKA_CLASS), CKO_DATA);
  // RFC 5869 with the base key 01020304, no salt, info 07, by Python's hmac.
  EXPECT_EQ(ToHex(*data->object.attributes.Find(CKA_VALUE)),
            "28c7053a31a53d6fc5d6c4b7190463a5d55163c8acac7999a49cf029ad6d"
            "008c66b4a17cb6e0273eba4a");
  request.attributes.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
  EXPECT_EQ(Derive(*caller, request), Code::kTemplateInconsistent);
}

// PKCS#11 3.2 §5.18.5: of both base keys.
TEST_F(DeriveTest, TheBaseKeysTemplatesAreAdded) {
  MakeReleasing("derive, sign, manage", "");
  const auto caller = Connect(1000);
  wire::CreateObjectRequest create;
  create.token = token_.id;
  create.attributes.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
  create.attributes.SetUlong(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
  create.attributes.Set(CKA_VALUE, Bytes{1, 2, 3, 4});
  create.attributes.SetBool(CKA_DERIVE, true);
  wire::AttributeList added;
  added.SetText(CKA_LABEL, "derived");
  create.attributes.Set(CKA_DERIVE_TEMPLATE, wire::Encode(added));
  const wire::ObjectId base = Run<wire::Op::kCreateObject>(*caller, create).value().object.id;
  wire::DeriveKeyRequest request = From(base, CKM_XOR_BASE_AND_DATA);
  request.mechanism.bytes = Bytes(4, 0);
  const auto made = Run<wire::Op::kDeriveKey>(*caller, request);
  ASSERT_TRUE(made.ok()) << made.error().Text();
  EXPECT_EQ(made->object.attributes.Text(CKA_LABEL), "derived");
  request.attributes.SetText(CKA_LABEL, "other");
  EXPECT_EQ(Derive(*caller, request), Code::kTemplateInconsistent);
  request.attributes.Remove(CKA_LABEL);
  request.attributes.SetText(CKA_VALUE, "mine");
  EXPECT_EQ(Derive(*caller, request), Code::kAttributeReadOnly);
}

TEST_F(DeriveTest, AnUnwrappedKeyIsNotToBeHadInPieces) {
  MakeReleasing("sign, wrap, unwrap, release, manage", "    wrap: [token-key]\n");
  const auto caller = Connect(1000);
  const wire::ObjectId kek = AesId("kek", false);
  wire::WrapKeyRequest wrap;
  wrap.wrapping_key.id = kek;
  wrap.key.id = AesId("key", true);
  wrap.mechanism.type = CKM_AES_KEY_WRAP;
  const auto wrapped = Run<wire::Op::kWrapKey>(*caller, wrap);
  ASSERT_TRUE(wrapped.ok()) << wrapped.error().Text();
  wire::UnwrapKeyRequest unwrap;
  unwrap.unwrapping_key.id = kek;
  unwrap.mechanism.type = CKM_AES_KEY_WRAP;
  unwrap.wrapped = wrapped->output;
  unwrap.attributes.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
  unwrap.attributes.SetUlong(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
  unwrap.attributes.SetUlong(CKA_VALUE_LEN, 1);
  EXPECT_EQ(Run<wire::Op::kUnwrapKey>(*caller, unwrap).code(), Code::kWrappedKeyLenRange);
}

}  // namespace
}  // namespace keyclave::ops
