// Credentials that no TPM made, opened by a real one, in software.

#include "enclave/ctl/tpm_credential.h"

#include <gtest/gtest.h>

#include "attest/tpm/enrolled_key.h"
#include "enclave/base/file.h"
#include "tests/fakes/must.h"
#include "tests/fakes/soft_tpm.h"

namespace keyclave::ctl {
namespace {

using attest::PublicKey;
using attest::tpm::Credential;
using attest::tpm::EkKind;
using test::Must;

struct Kind {
  EkKind kind;
  uint32_t certificate;  // its NV index: what is there is not looked at here
  const char* tool_name;
};
constexpr Kind kKinds[] = {{EkKind::kRsa2048, 0x01c0'0002, "rsa2048"},
                           {EkKind::kP256, 0x01c0'000a, "ecc256"},
                           {EkKind::kP384, 0x01c0'0016, "ecc384"}};

class TpmCredential : public testing::Test {
 protected:
  // The endorsement key as tpm2-tools make it.
  PublicKey EndorsementKey(const Kind& kind) {
    const std::string file = folder_.path() + "/" + kind.tool_name;
    EXPECT_TRUE(tpm_.Tool(
        {"tpm2_createek", "-G", kind.tool_name, "-c", file + ".ctx", "-f", "pem", "-u", file}));
    EXPECT_TRUE(tpm_.Tool({"tpm2_flushcontext", "-t"}));
    return Must(PublicKey::FromPem(Must(ReadFile(file, 4096))));
  }
  Bytes NameOfAttestationKey(const Kind& kind) {
    const auto made = attest::tpm::MakeAttestationKey(tpm_.Config(), kind.kind);
    return Must(attest::tpm::ParseEnrolledArea(Must(made).area)).name;
  }

  test::SoftTpm tpm_;
  fakes::TemporaryDirectory folder_;
};

TEST_F(TpmCredential, OpensOnlyAsItWasMade) {
  for (const Kind& kind : kKinds) {
    tpm_.WriteIndex(kind.certificate, ToBytes("certificate"));
    const Bytes name = NameOfAttestationKey(kind);
    const PublicKey ek = EndorsementKey(kind);
    ASSERT_EQ(Must(EkKindOf(ek)), kind.kind);
    const SecretBytes secret = SecretBytes::CopyOf(RandomArray<32>());
    const Credential made = Must(MakeCredential(ek, name, secret));
    const auto opened = ActivateCredential(tpm_.Config(), kind.kind, made);
    ASSERT_TRUE(opened.ok()) << kind.tool_name << ": " << opened.error().Text();
    EXPECT_TRUE(*opened == secret);

    Bytes other_name = name;
    other_name.back() ^= 1;
    const Credential for_other = Must(MakeCredential(ek, other_name, secret));
    EXPECT_FALSE(ActivateCredential(tpm_.Config(), kind.kind, for_other).ok());
    for (const bool in_identity : {true, false}) {
      Credential changed = made;
      Bytes& part = in_identity ? changed.identity : changed.secret;
      part.back() ^= 1;
      EXPECT_FALSE(ActivateCredential(tpm_.Config(), kind.kind, changed).ok());
    }
  }
}

TEST_F(TpmCredential, EveryLengthOfSecret) {
  const Kind& kind = kKinds[1];
  tpm_.WriteIndex(kind.certificate, ToBytes("certificate"));
  const Bytes name = NameOfAttestationKey(kind);
  const PublicKey ek = EndorsementKey(kind);
  for (const size_t size : {size_t{1}, size_t{31}, size_t{32}}) {
    const SecretBytes secret(size);
    const auto opened =
        ActivateCredential(tpm_.Config(), kind.kind, Must(MakeCredential(ek, name, secret)));
    ASSERT_TRUE(opened.ok()) << opened.error().Text();
    EXPECT_TRUE(*opened == secret);
  }
  EXPECT_FALSE(MakeCredential(ek, name, SecretBytes(33)).ok());
  EXPECT_FALSE(MakeCredential(ek, name, SecretBytes()).ok());
}

}  // namespace
}  // namespace keyclave::ctl
