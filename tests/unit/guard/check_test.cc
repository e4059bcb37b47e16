// Rules as a whole: digests, several forms, mechanisms.

#include "tests/unit/guard/guard_testing.h"

namespace keyclave::guard {
namespace {

using authz::InputForm;

TEST(CheckInput, OneOfTheFormsIsEnough) {
  const authz::InputRule both{.forms = {InputForm::kTlsClient, InputForm::kTlsServer}};
  EXPECT_TRUE(Check(both, Tls13("server", 32)).ok());
  EXPECT_TRUE(Check(both, Tls13("client", 32)).ok());
  const Status refused = Check(both, Pattern(50));
  ExpectRefused(refused, "not tls-client: ");
  ExpectRefused(refused, "not tls-server: ");
  ExpectRefused(Check(authz::InputRule{}, Tls13("server", 32)), "names no form");
  ExpectRefused(Check(Form(InputForm::kX509Tbs), Pattern(50)), "no constraints");
}

TEST(CheckInput, ADigestIsNoMessage) {
  for (const InputForm form : {InputForm::kTlsServer, InputForm::kTlsClient, InputForm::kX509Csr}) {
    for (const uint64_t type : {CKM_ECDSA, CKM_RSA_PKCS, CKM_RSA_PKCS_PSS, CKM_RSA_X_509}) {
      // Even if it has the form: what it is hashed to is not what others see.
      ExpectRefused(Check(Form(form), Tls13("server", 32), {.mechanism = Mech(type)}),
                    "the enclave has to see the message");
    }
  }
}

TEST(CheckInput, EveryMechanismThatHashesOrTakesMessagesWorks) {
  for (const mech::MechEntry& entry : mech::AllMechanisms()) {
    if (entry.row->input != mech::SignInput::kMessage) continue;
    const uint64_t type = entry.row->type;
    const bool weak =
        type == CKM_ECDSA_SHA1 || type == CKM_SHA1_RSA_PKCS || type == CKM_SHA1_RSA_PKCS_PSS;
    EXPECT_EQ(Check(kServer, Tls13("server", 32), {.mechanism = Mech(type)}).ok(), !weak) << type;
  }
}

// A row that says nothing counts as one that takes digests: these are meant.
TEST(CheckInput, TheMechanismsThatTakeDigests) {
  std::vector<uint64_t> digests;
  for (const mech::MechEntry& entry : mech::AllMechanisms()) {
    if ((entry.row->flags & CKF_SIGN) != 0 && entry.row->input == mech::SignInput::kDigest)
      digests.push_back(entry.row->type);
  }
  std::vector<uint64_t> meant = {CKM_RSA_PKCS, CKM_RSA_X_509, CKM_RSA_PKCS_PSS, CKM_ECDSA};
  for (const uint64_t type : {CKM_HASH_ML_DSA, CKM_HASH_SLH_DSA}) {
    if (mech::FindMechanism(type).ok()) meant.push_back(type);  // where OpenSSL has them
  }
  EXPECT_THAT(digests, testing::UnorderedElementsAreArray(meant));
}

TEST(CheckInput, ShaOneDoesNotTellMessagesApart) {
  ExpectRefused(Check(kServer, Tls13("server", 32), {.mechanism = Mech(CKM_ECDSA_SHA1)}), "SHA-1");
  EXPECT_TRUE(
      Check(Form(InputForm::kDigest), Pattern(9), {.mechanism = Mech(CKM_ECDSA_SHA1)}).ok());
}

TEST(CheckInput, AnyIsAnything) {
  for (const mech::MechEntry& entry : mech::AllMechanisms()) {
    if (entry.family->sign == nullptr) continue;
    EXPECT_TRUE(
        Check(Form(InputForm::kAny), Pattern(3), {.mechanism = Mech(entry.row->type)}).ok());
  }
}

TEST(CheckDigest, TakesDigestsOfKnownHashesOnly) {
  const authz::InputRule digest = Form(InputForm::kDigest);
  for (const uint64_t type : {CKM_ECDSA, CKM_RSA_PKCS_PSS}) {
    for (size_t size = 0; size <= 65; ++size) {
      const bool good = size == 20 || size == 28 || size == 32 || size == 48 || size == 64;
      EXPECT_EQ(Check(digest, Pattern(size), {.mechanism = Mech(type)}).ok(), good) << size;
    }
  }
  EXPECT_TRUE(Check(digest, Pattern(1000), {.mechanism = Mech(CKM_ECDSA_SHA256)}).ok());
  ExpectRefused(Check(digest, Pattern(256), {.mechanism = Mech(CKM_RSA_X_509)}), "bare blocks");
}

TEST(CheckDigest, WantsADigestInfoForPkcs1) {
  const authz::InputRule digest = Form(InputForm::kDigest);
  const Scene scene{.mechanism = Mech(CKM_RSA_PKCS)};
  const Bytes head{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                   0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
  const Bytes good = Join({head, Pattern(32)});
  EXPECT_TRUE(Check(digest, good, scene).ok());
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(Check(digest, ByteSpan(good).first(size), scene).ok()) << size;
  EXPECT_FALSE(Check(digest, Join({good, Bytes{0}}), scene).ok());
  for (size_t bit = 0; bit < 8 * head.size(); ++bit) {
    Bytes turned = good;
    turned[bit / 8] = static_cast<uint8_t>(turned[bit / 8] ^ (1U << bit % 8));
    EXPECT_FALSE(Check(digest, turned, scene).ok()) << bit;
  }
  // MD5 with SHA-1, as TLS 1.1 signed it.
  EXPECT_FALSE(Check(digest, Pattern(36), scene).ok());
}

}  // namespace
}  // namespace keyclave::guard
