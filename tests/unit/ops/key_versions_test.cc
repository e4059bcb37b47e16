// Versions of keys (docs/rotation.md) at the door: who makes them, and what they may do when.

#include "tests/unit/ops/release_fixture.h"

namespace keyclave::ops {
namespace {

class KeyVersionsTest : public ReleaseTest {
 protected:
  Result<wire::ObjectReply> Make(Caller& caller, uint64_t version, bool staged,
                                 bool persistent = true) {
    wire::GenerateKeyRequest request;
    request.token = token_.id;
    request.mechanism.type = CKM_GENERIC_SECRET_KEY_GEN;
    request.attributes.SetUlong(CKA_VALUE_LEN, 32);
    request.attributes.SetText(CKA_LABEL, "mac");
    request.attributes.SetBool(CKA_TOKEN, persistent);
    request.attributes.SetBool(CKA_SIGN, true);
    if (version != 0) request.attributes.SetUlong(kCkaVersion, version);
    if (staged) request.attributes.SetBool(kCkaStaged, true);
    return Run<wire::Op::kGenerateKey>(caller, request);
  }
  // What a signature with this object answers; no code: it was made.
  Code Sign(Caller& caller, const wire::ObjectId& id) {
    wire::SignRequest request;
    request.key.id = id;
    request.mechanism.type = CKM_SHA256_HMAC;
    request.input = Bytes(8, 1);
    const auto reply = Run<wire::Op::kSign>(caller, request);
    return reply.ok() ? Code{} : reply.code();
  }
  Result<wire::ObjectReply> Set(Caller& caller, const wire::ObjectId& id, uint64_t attribute,
                                uint64_t value) {
    wire::SetAttributesRequest request;
    request.object.id = id;
    if (attribute == kCkaStaged) {
      request.attributes.SetBool(attribute, value != 0);
    } else {
      request.attributes.SetUlong(attribute, value);
    }
    return Run<wire::Op::kSetAttributes>(caller, request);
  }
};

TEST_F(KeyVersionsTest, AStagedKeyDoesNothingUntilItIsInService) {
  MakeReleasing("sign, manage");
  const auto caller = Connect(1000);
  const auto staged = Make(*caller, 2, true);
  ASSERT_TRUE(staged.ok()) << staged.error().Text();
  EXPECT_EQ(Sign(*caller, staged->object.id), Code::kKeyNotInService);
  ASSERT_TRUE(Set(*caller, staged->object.id, kCkaStaged, 0).ok());
  EXPECT_EQ(Sign(*caller, staged->object.id), Code{});
  // There is no way back, and no other number.
  EXPECT_EQ(Set(*caller, staged->object.id, kCkaStaged, 1).code(), Code::kAttributeReadOnly);
  EXPECT_EQ(Set(*caller, staged->object.id, kCkaVersion, 3).code(), Code::kAttributeReadOnly);
}

TEST_F(KeyVersionsTest, ARetiredKeyDoesNothing) {
  MakeReleasing("sign, manage");
  const auto caller = Connect(1000);
  const auto key = Make(*caller, 1, false);
  ASSERT_TRUE(key.ok());
  const auto now = static_cast<uint64_t>(clock_.now);
  ASSERT_TRUE(Set(*caller, key->object.id, kCkaUseUntil, now + 1).ok());
  EXPECT_EQ(Sign(*caller, key->object.id), Code{});
  ASSERT_TRUE(Set(*caller, key->object.id, kCkaUseUntil, now).ok());
  EXPECT_EQ(Sign(*caller, key->object.id), Code::kKeyRetired);
}

TEST_F(KeyVersionsTest, OnlyWhoManagesKeysMakesVersions) {
  MakeReleasing("sign, create");
  const auto caller = Connect(1000);
  EXPECT_TRUE(Make(*caller, 0, false).ok());
  EXPECT_EQ(Make(*caller, 9, false).code(), Code::kDenied);
  EXPECT_EQ(Make(*caller, 9, false, /*persistent=*/false).code(), Code::kDenied);
}

// Programs that keep what they load in their session (pkcs11-provider) copy keys.
TEST_F(KeyVersionsTest, ASessionsCopyIsNoVersionAndNoWayAround) {
  MakeReleasing("sign, manage");
  const auto caller = Connect(1000);
  for (const bool staged : {false, true}) {
    const auto key = Make(*caller, staged ? 2 : 1, staged);
    ASSERT_TRUE(key.ok());
    wire::CopyObjectRequest copy;
    copy.object.id = key->object.id;
    copy.attributes.SetBool(CKA_TOKEN, false);
    const auto copied = Run<wire::Op::kCopyObject>(*caller, copy);
    ASSERT_TRUE(copied.ok()) << copied.error().Text();
    EXPECT_FALSE(copied->object.attributes.Has(kCkaVersion));
    EXPECT_EQ(Sign(*caller, copied->object.id), staged ? Code::kKeyNotInService : Code{});
  }
}

}  // namespace
}  // namespace keyclave::ops
