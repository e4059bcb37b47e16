#include "enclave/mech/prepared_uses.h"

#include <thread>

#include "tests/unit/mech/mech_testing.h"

namespace keyclave::mech {
namespace {

// One key used by many threads, more uses than it remembers.
TEST(PreparedUsesTest, ThreadsShareAKey) {
  const KeyPair& pair = SomeRsaPair();
  const KeyPair ec = NewEcPair(kP256);
  std::vector<wire::Mechanism> uses;
  for (const uint64_t type : {CKM_RSA_PKCS, CKM_SHA1_RSA_PKCS, CKM_SHA224_RSA_PKCS,
                              CKM_SHA256_RSA_PKCS, CKM_SHA384_RSA_PKCS, CKM_SHA512_RSA_PKCS}) {
    uses.push_back(Mech(type));
  }
  for (const uint64_t salt : {0UL, 1UL, 2UL, 3UL, 32UL}) {
    uses.push_back(Pss(CKM_SHA256_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, salt));
  }
  const auto work = [&] {
    for (const wire::Mechanism& use : uses) {
      const Bytes signature = Get(Sign(pair.private_key, use, AsBytes("x")));
      EXPECT_EQ(CodeOf(Verify(pair.public_key, use, AsBytes("x"), signature)), "ok");
      const Bytes short_one = Get(Sign(ec.private_key, Mech(CKM_ECDSA_SHA256), AsBytes("x")));
      EXPECT_EQ(CodeOf(Verify(ec.public_key, Mech(CKM_ECDSA_SHA256), AsBytes("x"), short_one)),
                "ok");
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace keyclave::mech
