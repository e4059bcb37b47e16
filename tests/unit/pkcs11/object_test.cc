// Objects: handles, cache, attributes, read-only sessions.
#include "pkcs11/object_cache.h"
#include "tests/unit/pkcs11/module_fixture.h"

namespace keyclave::pkcs11 {
namespace {

using testing::AesKey;
using testing::EcKey;
using testing::ModuleTest;
using testing::RsaKey;
using wire::Op;

CK_OBJECT_CLASS data_class = CKO_DATA;
CK_BBOOL yes = CK_TRUE;
CK_BBOOL no = CK_FALSE;

class ObjectTest : public ModuleTest {
 protected:
  static CK_RV Create(CK_SESSION_HANDLE session, CK_BBOOL* on_token, CK_BBOOL* is_private,
                      CK_OBJECT_HANDLE* object) {
    CK_ATTRIBUTE attributes[] = {{CKA_CLASS, &data_class, sizeof(data_class)},
                                 {CKA_TOKEN, on_token, 1},
                                 {CKA_PRIVATE, is_private, 1}};
    return C_CreateObject(session, attributes, 3, object);
  }
  static CK_RV Get(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
                   CK_ULONG* length) {
    CK_ATTRIBUTE attribute{type, nullptr, 0};
    const CK_RV rv = C_GetAttributeValue(session, object, &attribute, 1);
    *length = attribute.ulValueLen;
    return rv;
  }
};

TEST_F(ObjectTest, AttributesAreLocalUntilTheStoreChanges) {
  const CK_SESSION_HANDLE session = OpenSession();
  const wire::ObjectId id = enclave().Plant(EcKey());
  const CK_OBJECT_HANDLE key = FindOne(session, {});
  const uint64_t before = enclave().Total();
  CK_ULONG length = 0;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Get(session, key, CKA_LABEL, &length), CKR_OK);
  EXPECT_EQ(length, 2U);
  EXPECT_EQ(enclave().Total(), before);
  enclave().Change(id, CKA_LABEL, AsBytes("renamed"));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Get(session, key, CKA_LABEL, &length), CKR_OK);
  EXPECT_EQ(length, 7U);
  EXPECT_EQ(enclave().Count(Op::kGetObject), 1U);
}

TEST_F(ObjectTest, GetWorksThroughTheWholeTemplate) {
  const CK_SESSION_HANDLE session = OpenSession();
  const CK_OBJECT_HANDLE key = PlantRsa(session);
  CK_BYTE small[1];
  CK_ULONG type = 0;
  CK_ATTRIBUTE attributes[] = {{CKA_PRIVATE_EXPONENT, nullptr, 0},
                               {CKA_LABEL, small, 1},
                               {CKA_EC_POINT, nullptr, 0},
                               {CKA_KEY_TYPE, &type, sizeof(type)},
                               {CKA_MODULUS, nullptr, 0}};
  type = 99;
  EXPECT_EQ(C_GetAttributeValue(session, key, attributes, 5), CKR_ATTRIBUTE_SENSITIVE);
  EXPECT_EQ(attributes[0].ulValueLen, CK_UNAVAILABLE_INFORMATION);
  EXPECT_EQ(attributes[1].ulValueLen, CK_UNAVAILABLE_INFORMATION);
  EXPECT_EQ(attributes[2].ulValueLen, CK_UNAVAILABLE_INFORMATION);
  EXPECT_EQ(attributes[3].ulValueLen, sizeof(type));
  EXPECT_EQ(type, CKK_RSA);
  EXPECT_EQ(attributes[4].ulValueLen, 256U);
  EXPECT_EQ(C_GetAttributeValue(session, key, attributes + 1, 1), CKR_BUFFER_TOO_SMALL);
  EXPECT_EQ(C_GetAttributeValue(session, key, attributes + 2, 1), CKR_ATTRIBUTE_TYPE_INVALID);
  EXPECT_EQ(C_GetAttributeValue(session, key, nullptr, 1), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_GetAttributeValue(session, key, nullptr, 0), CKR_OK);
}

TEST_F(ObjectTest, SecretsAreReadOnlyOfKeysThatGiveThemAway) {
  const CK_SESSION_HANDLE session = OpenSession();
  wire::AttributeList open = AesKey();
  open.SetBool(CKA_SENSITIVE, false);
  open.SetBool(CKA_EXTRACTABLE, true);
  open.Set(CKA_VALUE, Bytes(16, 0x10));
  enclave().Plant(open);
  const CK_OBJECT_HANDLE key = FindOne(session, {});
  CK_ULONG length = 0;
  EXPECT_EQ(Get(session, key, CKA_VALUE, &length), CKR_OK);
  EXPECT_EQ(length, 16U);
  EXPECT_EQ(enclave().Count(Op::kGetObject), 1U);  // asked for: never kept
  EXPECT_EQ(Get(session, key, CKA_VALUE, &length), CKR_OK);
  EXPECT_EQ(enclave().Count(Op::kGetObject), 2U);
  CK_BBOOL extractable = CK_FALSE;
  for (const CK_ATTRIBUTE_TYPE closing : {CKA_EXTRACTABLE}) {
    CK_ATTRIBUTE change{closing, &extractable, 1};
    ASSERT_EQ(C_SetAttributeValue(session, key, &change, 1), CKR_OK);
    EXPECT_EQ(Get(session, key, CKA_VALUE, &length), CKR_ATTRIBUTE_SENSITIVE);
  }
}

// The enclave leaves a value out whose policy does not grant `read`.
TEST_F(ObjectTest, SecretsThatThePolicyKeepsAreSensitive) {
  const CK_SESSION_HANDLE session = OpenSession();
  wire::AttributeList open = AesKey();
  open.SetBool(CKA_SENSITIVE, false);
  open.SetBool(CKA_EXTRACTABLE, true);
  enclave().Plant(open);
  CK_ULONG length = 0;
  EXPECT_EQ(Get(session, FindOne(session, {}), CKA_VALUE, &length), CKR_ATTRIBUTE_SENSITIVE);
}

TEST(IsSecretAttribute, KnowsTheKindsOfKeys) {
  EXPECT_TRUE(IsSecretAttribute(AesKey(), CKA_VALUE));
  EXPECT_TRUE(IsSecretAttribute(EcKey(), CKA_VALUE));
  EXPECT_FALSE(IsSecretAttribute(RsaKey(), CKA_VALUE));
  for (const CK_ATTRIBUTE_TYPE type : {CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2,
                                       CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT}) {
    EXPECT_TRUE(IsSecretAttribute(RsaKey(), type));
  }
  EXPECT_FALSE(IsSecretAttribute(RsaKey(), CKA_MODULUS));
  wire::AttributeList certificate;
  certificate.SetUlong(CKA_CLASS, CKO_CERTIFICATE);
  EXPECT_FALSE(IsSecretAttribute(certificate, CKA_VALUE));
}

TEST_F(ObjectTest, ReadOnlySessionsChangeNoTokenObject) {
  const CK_SESSION_HANDLE rw = OpenSession();
  const CK_SESSION_HANDLE ro = OpenSession(0);
  CK_OBJECT_HANDLE object = 0;
  EXPECT_EQ(Create(ro, &yes, &no, &object), CKR_SESSION_READ_ONLY);
  EXPECT_EQ(Create(ro, &no, &no, &object), CKR_OK);
  EXPECT_EQ(C_DestroyObject(ro, object), CKR_OK);
  ASSERT_EQ(Create(rw, &yes, &no, &object), CKR_OK);
  EXPECT_EQ(C_DestroyObject(ro, object), CKR_SESSION_READ_ONLY);
  CK_ATTRIBUTE label{CKA_LABEL, &yes, 1};
  EXPECT_EQ(C_SetAttributeValue(ro, object, &label, 1), CKR_SESSION_READ_ONLY);
  CK_OBJECT_HANDLE copy = 0;
  EXPECT_EQ(C_CopyObject(ro, object, nullptr, 0, &copy), CKR_SESSION_READ_ONLY);
  CK_ATTRIBUTE in_session{CKA_TOKEN, &no, 1};
  EXPECT_EQ(C_CopyObject(ro, object, &in_session, 1, &copy), CKR_OK);
  EXPECT_EQ(C_DestroyObject(rw, object), CKR_OK);
}

TEST_F(ObjectTest, SessionObjectsEndWithTheirSession) {
  const CK_SESSION_HANDLE one = OpenSession();
  const CK_SESSION_HANDLE two = OpenSession();
  CK_OBJECT_HANDLE own = 0;
  CK_OBJECT_HANDLE others = 0;
  CK_OBJECT_HANDLE lasting = 0;
  ASSERT_EQ(Create(one, &no, &no, &own), CKR_OK);
  ASSERT_EQ(Create(two, &no, &no, &others), CKR_OK);
  ASSERT_EQ(Create(one, &yes, &no, &lasting), CKR_OK);
  CK_ULONG size = 0;
  EXPECT_EQ(C_GetObjectSize(two, own, &size), CKR_OK);
  EXPECT_EQ(C_CloseSession(one), CKR_OK);
  EXPECT_EQ(C_GetObjectSize(two, own, &size), CKR_OBJECT_HANDLE_INVALID);
  EXPECT_EQ(C_GetObjectSize(two, others, &size), CKR_OK);
  EXPECT_EQ(C_GetObjectSize(two, lasting, &size), CKR_OK);
  EXPECT_EQ(enclave().object_count(), 2U);
}

TEST_F(ObjectTest, HandlesAreNeverUsedAgain) {
  const CK_SESSION_HANDLE session = OpenSession();
  std::set<CK_OBJECT_HANDLE> seen;
  for (int i = 0; i < 20; ++i) {
    CK_OBJECT_HANDLE object = 0;
    ASSERT_EQ(Create(session, &no, &no, &object), CKR_OK);
    EXPECT_TRUE(seen.insert(object).second);
    ASSERT_EQ(C_DestroyObject(session, object), CKR_OK);
    EXPECT_EQ(C_DestroyObject(session, object), CKR_OBJECT_HANDLE_INVALID);
  }
}

TEST_F(ObjectTest, AnObjectKeepsItsHandleThroughSearches) {
  const CK_SESSION_HANDLE session = OpenSession();
  enclave().Plant(EcKey());
  const CK_OBJECT_HANDLE first = FindOne(session, {});
  EXPECT_EQ(FindOne(session, {}), first);
  EXPECT_EQ(FindOne(OpenSession(0), {}), first);
}

TEST_F(ObjectTest, ObjectsDestroyedElsewhereAreInvalidHandles) {
  const CK_SESSION_HANDLE session = OpenSession();
  const wire::ObjectId id = enclave().Plant(EcKey());
  const CK_OBJECT_HANDLE key = FindOne(session, {});
  enclave().Vanish(id);
  CK_ULONG length = 0;
  EXPECT_EQ(Get(session, key, CKA_LABEL, &length), CKR_OBJECT_HANDLE_INVALID);
  EXPECT_EQ(C_DestroyObject(session, key), CKR_OBJECT_HANDLE_INVALID);
}

TEST_F(ObjectTest, PrivateHandlesEndWithTheLogin) {
  enclave().SetPins("1234", "87654321");
  CK_UTF8CHAR pin[] = "1234";
  const CK_SESSION_HANDLE session = OpenSession();
  wire::AttributeList secret = EcKey();
  secret.SetBool(CKA_PRIVATE, true);
  enclave().Plant(secret);
  EXPECT_TRUE(FindAll(session, {}).empty());
  ASSERT_EQ(C_Login(session, CKU_USER, pin, 4), CKR_OK);
  const CK_OBJECT_HANDLE key = FindOne(session, {});
  CK_OBJECT_HANDLE own = 0;
  ASSERT_EQ(Create(session, &no, &yes, &own), CKR_OK);
  ASSERT_EQ(C_Logout(session), CKR_OK);
  CK_ULONG length = 0;
  EXPECT_EQ(Get(session, key, CKA_LABEL, &length), CKR_OBJECT_HANDLE_INVALID);
  EXPECT_EQ(enclave().object_count(), 1U);  // the private session object is gone
  ASSERT_EQ(C_Login(session, CKU_USER, pin, 4), CKR_OK);
  EXPECT_NE(FindOne(session, {}), key);
}

TEST_F(ObjectTest, SearchesReadPagesAsTheyGo) {
  const CK_SESSION_HANDLE session = OpenSession();
  for (int i = 0; i < 200; ++i) enclave().Plant(EcKey());
  ASSERT_EQ(C_FindObjectsInit(session, nullptr, 0), CKR_OK);
  std::set<CK_OBJECT_HANDLE> all;
  CK_OBJECT_HANDLE page[7];
  CK_ULONG count = 1;
  while (count != 0) {
    ASSERT_EQ(C_FindObjects(session, page, 7, &count), CKR_OK);
    all.insert(page, page + count);
  }
  EXPECT_EQ(all.size(), 205U) << "and the profiles";
  EXPECT_EQ(C_FindObjects(session, page, 0, &count), CKR_OK);
  EXPECT_EQ(C_FindObjects(session, nullptr, 1, &count), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_FindObjects(session, page, 1, nullptr), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_FindObjectsInit(session, nullptr, 0), CKR_OPERATION_ACTIVE);
  CK_MECHANISM sha{CKM_SHA256, nullptr, 0};
  EXPECT_EQ(C_DigestInit(session, &sha), CKR_OPERATION_ACTIVE);
  EXPECT_EQ(C_FindObjectsFinal(session), CKR_OK);
  EXPECT_EQ(C_FindObjectsFinal(session), CKR_OPERATION_NOT_INITIALIZED);
}

TEST_F(ObjectTest, HandlesOfAnotherTokenAreInvalid) {
  enclave().SetCanCreate(true);
  Restart();
  std::array<CK_UTF8CHAR, 32> label{};
  label.fill(' ');
  CK_UTF8CHAR so_pin[] = "87654321";
  CK_ULONG count = 0;
  ASSERT_EQ(C_GetSlotList(CK_TRUE, nullptr, &count), CKR_OK);
  ASSERT_EQ(C_InitToken(1, so_pin, 8, label.data()), CKR_OK);
  const CK_SESSION_HANDLE first = OpenSession();
  const CK_SESSION_HANDLE second = OpenSession(CKF_RW_SESSION, 1);
  const CK_OBJECT_HANDLE key = PlantEc(first);
  CK_ULONG length = 0;
  EXPECT_EQ(Get(second, key, CKA_LABEL, &length), CKR_OBJECT_HANDLE_INVALID);
  CK_MECHANISM ecdsa{CKM_ECDSA, nullptr, 0};
  EXPECT_EQ(C_SignInit(second, &ecdsa, key), CKR_KEY_HANDLE_INVALID);
}

TEST_F(ObjectTest, KeysAreMade) {
  const CK_SESSION_HANDLE session = OpenSession();
  CK_MECHANISM aes{CKM_AES_KEY_GEN, nullptr, 0};
  CK_OBJECT_HANDLE key = 0;
  EXPECT_EQ(C_GenerateKey(session, &aes, nullptr, 0, nullptr), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_GenerateKey(session, nullptr, nullptr, 0, &key), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_GenerateKey(session, &aes, nullptr, 0, &key), CKR_OK);
  CK_OBJECT_HANDLE other = 0;
  CK_MECHANISM rsa{CKM_RSA_PKCS_KEY_PAIR_GEN, nullptr, 0};
  EXPECT_EQ(C_GenerateKeyPair(session, &rsa, nullptr, 0, nullptr, 0, &key, &other), CKR_OK);
  EXPECT_NE(key, other);
  EXPECT_EQ(C_GenerateKeyPair(session, &aes, nullptr, 0, nullptr, 0, &key, &other),
            CKR_MECHANISM_INVALID);
  EXPECT_EQ(C_GenerateKeyPair(session, &rsa, nullptr, 0, nullptr, 0, &key, nullptr),
            CKR_ARGUMENTS_BAD);
}

TEST_F(ObjectTest, WrappingIsOneRequestHoweverOftenItsOutputIsAskedFor) {
  const CK_SESSION_HANDLE session = OpenSession();
  const CK_OBJECT_HANDLE rsa = PlantRsa(session);
  const CK_OBJECT_HANDLE aes = PlantAes(session);
  CK_MECHANISM mechanism{CKM_RSA_PKCS, nullptr, 0};
  CK_ULONG size = 0;
  ASSERT_EQ(C_WrapKey(session, &mechanism, rsa, aes, nullptr, &size), CKR_OK);
  EXPECT_EQ(size, 40U);
  CK_BYTE wrapped[40];
  size = 39;
  EXPECT_EQ(C_WrapKey(session, &mechanism, rsa, aes, wrapped, &size), CKR_BUFFER_TOO_SMALL);
  EXPECT_EQ(size, 40U);
  EXPECT_EQ(C_WrapKey(session, &mechanism, rsa, aes, wrapped, &size), CKR_OK);
  EXPECT_EQ(enclave().Count(Op::kWrapKey), 1U);
  EXPECT_EQ(C_WrapKey(session, &mechanism, 999, aes, wrapped, &size),
            CKR_WRAPPING_KEY_HANDLE_INVALID);
  EXPECT_EQ(C_WrapKey(session, &mechanism, rsa, 999, wrapped, &size), CKR_KEY_HANDLE_INVALID);
  EXPECT_EQ(C_WrapKey(session, &mechanism, aes, rsa, wrapped, &size),
            CKR_WRAPPING_KEY_TYPE_INCONSISTENT);
  CK_OBJECT_HANDLE key = 0;
  EXPECT_EQ(C_UnwrapKey(session, &mechanism, rsa, wrapped, 40, nullptr, 0, &key), CKR_OK);
  EXPECT_EQ(C_UnwrapKey(session, &mechanism, 999, wrapped, 40, nullptr, 0, &key),
            CKR_UNWRAPPING_KEY_HANDLE_INVALID);
  EXPECT_EQ(C_UnwrapKey(session, &mechanism, rsa, nullptr, 40, nullptr, 0, &key),
            CKR_ARGUMENTS_BAD);
}

TEST_F(ObjectTest, EveryTokenShowsItsProfiles) {
  const CK_SESSION_HANDLE session = OpenSession();
  wire::AttributeList match;
  match.SetUlong(CKA_CLASS, CKO_PROFILE);
  const std::vector<CK_OBJECT_HANDLE> profiles = FindAll(session, match);
  ASSERT_EQ(profiles.size(), 5U);
  EXPECT_EQ(FindAll(session, match), profiles) << "the same handles again";
  std::vector<CK_ULONG> ids;
  for (const CK_OBJECT_HANDLE profile : profiles) {
    CK_ULONG id = 0;
    CK_BBOOL token = CK_FALSE;
    CK_ATTRIBUTE attributes[] = {{CKA_PROFILE_ID, &id, sizeof(id)}, {CKA_TOKEN, &token, 1}};
    EXPECT_EQ(C_GetAttributeValue(session, profile, attributes, 2), CKR_OK);
    EXPECT_EQ(token, CK_TRUE);
    ids.push_back(id);
  }
  EXPECT_EQ(ids, (std::vector<CK_ULONG>{1, 2, 3, 4, 6}));
  match.SetUlong(CKA_PROFILE_ID, CKP_EXTENDED_PROVIDER);
  EXPECT_EQ(FindAll(session, match).size(), 1U);
  match.SetBool(CKA_PRIVATE, true);
  EXPECT_TRUE(FindAll(session, match).empty());
  // They stay when the store changes, and nobody changes them.
  enclave().Plant(testing::AesKey());
  CK_ULONG size = 0;
  EXPECT_EQ(C_GetObjectSize(session, profiles[0], &size), CKR_OK);
  CK_OBJECT_HANDLE copy = 0;
  EXPECT_EQ(C_CopyObject(session, profiles[0], nullptr, 0, &copy), CKR_ACTION_PROHIBITED);
  EXPECT_EQ(C_DestroyObject(session, profiles[0]), CKR_ACTION_PROHIBITED);
  CK_ATTRIBUTE label{CKA_LABEL, &size, 1};
  EXPECT_EQ(C_SetAttributeValue(session, profiles[0], &label, 1), CKR_ACTION_PROHIBITED);
}

}  // namespace
}  // namespace keyclave::pkcs11
