// The module between C_Initialize and C_Finalize over a fresh fake enclave: what most tests of the
// module stand on.
#pragma once

#include <gtest/gtest.h>

#include "tests/unit/pkcs11/fake_enclave.h"

namespace keyclave::pkcs11::testing {

// The module between C_Initialize and C_Finalize over a fresh fake enclave, with a valid
// client.yaml.
class ModuleTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
  static FakeEnclave& enclave() { return FakeEnclave::Get(); }

  // C_Finalize and C_Initialize: slots are read anew.
  static void Restart();
  static CK_SESSION_HANDLE OpenSession(CK_FLAGS flags = CKF_RW_SESSION, CK_SLOT_ID slot = 0);
  static CK_OBJECT_HANDLE FindOne(CK_SESSION_HANDLE session, const wire::AttributeList& match);
  static std::vector<CK_OBJECT_HANDLE> FindAll(CK_SESSION_HANDLE session,
                                               const wire::AttributeList& match);
  // A planted key, found.
  static CK_OBJECT_HANDLE PlantRsa(CK_SESSION_HANDLE session);
  static CK_OBJECT_HANDLE PlantEc(CK_SESSION_HANDLE session);
  static CK_OBJECT_HANDLE PlantAes(CK_SESSION_HANDLE session);
};

}  // namespace keyclave::pkcs11::testing
