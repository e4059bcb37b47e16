#include "tests/unit/pkcs11/module_fixture.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace keyclave::pkcs11::testing {
namespace {

std::string ConfigPath() {
  return ::testing::TempDir() + "keyclave-unit-pkcs11." + std::to_string(getpid()) + ".yaml";
}

}  // namespace

void ModuleTest::SetUp() {
  enclave().Reset();
  std::ofstream(ConfigPath())
      << "endpoint: unix:/nonexistent/keyclaved.sock\nexpect: {tee: {is: simulated}}\n"
         "evidence: none\n";
  setenv("KEYCLAVE_CONFIG", ConfigPath().c_str(), 1);
  ASSERT_EQ(C_Initialize(nullptr), CKR_OK);
}

void ModuleTest::TearDown() {
  C_Finalize(nullptr);
  unlink(ConfigPath().c_str());
}

void ModuleTest::Restart() {
  ASSERT_EQ(C_Finalize(nullptr), CKR_OK);
  ASSERT_EQ(C_Initialize(nullptr), CKR_OK);
}

CK_SESSION_HANDLE ModuleTest::OpenSession(CK_FLAGS flags, CK_SLOT_ID slot) {
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  EXPECT_EQ(C_OpenSession(slot, CKF_SERIAL_SESSION | flags, nullptr, nullptr, &session), CKR_OK);
  return session;
}

namespace {
bool IsProfile(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object) {
  CK_OBJECT_CLASS object_class = 0;
  CK_ATTRIBUTE attribute{CKA_CLASS, &object_class, sizeof(object_class)};
  EXPECT_EQ(C_GetAttributeValue(session, object, &attribute, 1), CKR_OK);
  return object_class == CKO_PROFILE;
}
}  // namespace

std::vector<CK_OBJECT_HANDLE> ModuleTest::FindAll(CK_SESSION_HANDLE session,
                                                  const wire::AttributeList& match) {
  std::vector<CK_ATTRIBUTE> attributes;
  for (const wire::Attribute& item : match.items)
    attributes.push_back({item.type, const_cast<uint8_t*>(item.value.data()), item.value.size()});
  EXPECT_EQ(C_FindObjectsInit(session, attributes.data(), attributes.size()), CKR_OK);
  std::vector<CK_OBJECT_HANDLE> all;
  for (;;) {
    CK_OBJECT_HANDLE page[100];
    CK_ULONG count = 0;
    EXPECT_EQ(C_FindObjects(session, page, 100, &count), CKR_OK);
    if (count == 0) break;
    all.insert(all.end(), page, page + count);
  }
  EXPECT_EQ(C_FindObjectsFinal(session), CKR_OK);
  // The module's own objects are looked for by their class.
  if (!match.Has(CKA_CLASS))
    std::erase_if(all, [&](CK_OBJECT_HANDLE object) { return IsProfile(session, object); });
  return all;
}

CK_OBJECT_HANDLE ModuleTest::FindOne(CK_SESSION_HANDLE session, const wire::AttributeList& match) {
  const auto all = FindAll(session, match);
  EXPECT_EQ(all.size(), 1U);
  return all.empty() ? CK_INVALID_HANDLE : all.front();
}

namespace {
CK_OBJECT_HANDLE Found(const std::vector<CK_OBJECT_HANDLE>& all) {
  return all.empty() ? CK_INVALID_HANDLE : all.back();
}
wire::AttributeList Labelled(std::string_view label) {
  wire::AttributeList match;
  match.SetText(CKA_LABEL, label);
  return match;
}
}  // namespace

CK_OBJECT_HANDLE ModuleTest::PlantRsa(CK_SESSION_HANDLE session) {
  enclave().Plant(RsaKey());
  return Found(FindAll(session, Labelled("rsa")));
}
CK_OBJECT_HANDLE ModuleTest::PlantEc(CK_SESSION_HANDLE session) {
  enclave().Plant(EcKey());
  return Found(FindAll(session, Labelled("ec")));
}
CK_OBJECT_HANDLE ModuleTest::PlantAes(CK_SESSION_HANDLE session) {
  enclave().Plant(AesKey());
  return Found(FindAll(session, Labelled("aes")));
}

}  // namespace keyclave::pkcs11::testing
