// The root secret under the sealing keys of Gramine, Occlum and SEV-SNP.
#include "enclave/seal/seal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "enclave/base/byte_reader.h"
#include "enclave/keys/key_schedule.h"
#include "tests/fakes/fake_enclaves.h"
#include "tests/fakes/fake_guests.h"
#include "tests/fakes/fake_snp.h"

namespace keyclave::seal {
namespace {

using attest::SgxIdentity;
using testing::HasSubstr;

SecretBytes Secret() { return SecretBytes::CopyOf(Bytes(keys::kRootSecretSize, 0x5e)); }

class SealTest : public testing::Test {
 protected:
  SealTest() { producer_.host = &host_; }
  void TearDown() override { EXPECT_EQ(host_.open_files(), 0U); }

  static Bytes MustSeal(const keys::RootSealer& sealer) {
    auto sealed = sealer.Seal(Secret());
    EXPECT_TRUE(sealed.ok()) << (sealed.ok() ? "" : sealed.error().Text());
    return sealed.ok() ? *sealed : Bytes();
  }
  static void ExpectOpens(const keys::RootSealer& sealer, ByteSpan sealed) {
    const auto secret = sealer.Unseal(sealed);
    ASSERT_TRUE(secret.ok()) << secret.error().Text();
    EXPECT_TRUE(*secret == Secret());
  }
  static void ExpectRefused(const keys::RootSealer& sealer, ByteSpan sealed,
                            const std::string& word) {
    const auto secret = sealer.Unseal(sealed);
    ASSERT_FALSE(secret.ok());
    EXPECT_EQ(secret.code(), Code::kSealingKeyUnavailable);
    EXPECT_THAT(secret.error().Text(), HasSubstr(word));
  }
  // Whatever was cut, added or changed opens to nothing.
  static void ExpectOnlyWhole(const keys::RootSealer& sealer, const Bytes& sealed) {
    for (size_t size = 0; size < sealed.size(); ++size)
      EXPECT_FALSE(sealer.Unseal(ByteSpan(sealed).first(size)).ok()) << size;
    for (size_t at = 0; at < sealed.size(); ++at) {
      Bytes changed = sealed;
      changed[at] = static_cast<uint8_t>(changed[at] ^ 1);
      EXPECT_FALSE(sealer.Unseal(changed).ok()) << at;
    }
    Bytes longer = sealed;
    longer.push_back(0);
    EXPECT_FALSE(sealer.Unseal(longer).ok());
    EXPECT_FALSE(sealer.Unseal(Bytes(100000, 0x59)).ok());
  }
  static bool Contains(const Bytes& bytes, const Bytes& part) {
    return std::search(bytes.begin(), bytes.end(), part.begin(), part.end()) != bytes.end();
  }

  fakes::FakeHost host_;
  attest::ProducerConfig producer_;
};

class GramineSealTest : public SealTest {
 protected:
  GramineSealTest() {
    host_.Add(gramine_);
    gramine_.keys = {{"_sgx_mrenclave", Bytes(16, 1)}, {"_sgx_mrsigner", Bytes(16, 2)}};
  }
  fakes::FakeGramine gramine_;
  const std::unique_ptr<keys::RootSealer> build_ =
      MakeGramineSealer(producer_, SgxIdentity::kEnclave);
  const std::unique_ptr<keys::RootSealer> product_ =
      MakeGramineSealer(producer_, SgxIdentity::kSigner);
};

// lesson 27: the root secret never comes from the host's files: only what the platform sealed
// opens.
TEST_F(GramineSealTest, OpensUnderTheSameKeyOnly) {
  const Bytes sealed = MustSeal(*build_);
  EXPECT_FALSE(Contains(sealed, Bytes(8, 0x5e)));
  ExpectOpens(*build_, sealed);
  ExpectOnlyWhole(*build_, sealed);
  ExpectRefused(*product_, sealed, "the signer");
  gramine_.keys["_sgx_mrenclave"] = Bytes(16, 9);  // another build
  ExpectRefused(*build_, sealed, "MRENCLAVE");
}

TEST_F(GramineSealTest, ProductOutlivesABuild) {
  const Bytes sealed = MustSeal(*product_);
  gramine_.keys["_sgx_mrenclave"] = Bytes(16, 9);
  ExpectOpens(*product_, sealed);
}

TEST_F(GramineSealTest, NoKeyNoSecret) {
  const Bytes sealed = MustSeal(*build_);
  gramine_.keys.clear();
  ExpectRefused(*build_, sealed, "/dev/attestation/keys");
  EXPECT_EQ(build_->Seal(Secret()).code(), Code::kSealingKeyUnavailable);
}

// The platform's key is never used as it is: two platforms with one key do not open each other's.
TEST_F(GramineSealTest, AnotherPlatformWithTheSameKey) {
  fakes::FakeOcclum occlum;
  host_.Add(occlum);
  occlum.key = Bytes(16, 1);
  const auto other = MakeOcclumSealer(producer_, SgxIdentity::kEnclave);
  EXPECT_FALSE(other->Unseal(MustSeal(*build_)).ok());
  EXPECT_FALSE(build_->Unseal(MustSeal(*other)).ok());
}

class OcclumSealTest : public SealTest {
 protected:
  OcclumSealTest() {
    host_.Add(occlum_);
    occlum_.key = Bytes(16, 7);
    occlum_.cpu_svn = {3, 1, 4};
    occlum_.isv_svn = 0x0102;
  }
  fakes::FakeOcclum occlum_;
  const std::unique_ptr<keys::RootSealer> build_ =
      MakeOcclumSealer(producer_, SgxIdentity::kEnclave);
};

TEST_F(OcclumSealTest, OpensUnderTheSameKeyOnly) {
  const Bytes sealed = MustSeal(*build_);
  ExpectOpens(*build_, sealed);
  ExpectOnlyWhole(*build_, sealed);
  occlum_.key = Bytes(16, 8);
  ExpectRefused(*build_, sealed, "MRENCLAVE");
}

TEST_F(OcclumSealTest, AsksForTheKeyOfTheVersionsThatSealed) {
  const Bytes sealed = MustSeal(*build_);
  const Bytes asked = occlum_.last_key_request;
  occlum_.cpu_svn = {9, 9, 9};  // a TCB update
  occlum_.isv_svn = 0x0200;     // a newer enclave
  ExpectOpens(*build_, sealed);
  EXPECT_EQ(occlum_.last_key_request, asked);
  MustSeal(*build_);
  EXPECT_NE(occlum_.last_key_request, asked);
}

class SnpSealTest : public SealTest {
 protected:
  SnpSealTest() {
    host_.Add(guest_);
    test::FakeSnpOptions options;
    options.vmpl = 1;
    snp_ = std::make_unique<test::FakeSnp>(options);
    guest_.sign = [this](const attest::ReportData& data, uint32_t /*vmpl*/) {
      return snp_->Report(data);
    };
  }
  std::unique_ptr<test::FakeSnp> snp_;
  fakes::FakeSevGuest guest_;
  const std::unique_ptr<keys::RootSealer> sealer_ = MakeSnpSealer(producer_);
};

TEST_F(SnpSealTest, OpensForTheSameImageOnly) {
  const Bytes sealed = MustSeal(*sealer_);
  ExpectOpens(*sealer_, sealed);
  ExpectOnlyWhole(*sealer_, sealed);
  guest_.measurement = Bytes(48, 8);
  ExpectRefused(*sealer_, sealed, "launch digest");
}

TEST_F(SnpSealTest, IsBoundToTheCommittedTcbAndOpensUnderALaterOne) {
  const Bytes sealed = MustSeal(*sealer_);
  const auto asked = guest_.last_key_request;
  EXPECT_EQ(asked.guest_field_select, 1U | 8U | 32U) << "policy, measurement, TCB";
  EXPECT_EQ(asked.vmpl, 1U);
  const auto report = attest::ParseSnpReport(snp_->Report({}));
  ASSERT_TRUE(report.ok());
  ByteWriter committed;
  committed.PutLe(asked.tcb_version);
  EXPECT_TRUE(Equal(committed.bytes(), report->committed_tcb));
  for (uint8_t& part : snp_->options().current_tcb) ++part;
  ExpectOpens(*sealer_, sealed);
  EXPECT_EQ(guest_.last_key_request.tcb_version, asked.tcb_version);
}

TEST_F(SnpSealTest, NoDeviceNoSecret) {
  const Bytes sealed = MustSeal(*sealer_);
  guest_.zero_key = true;
  ExpectRefused(*sealer_, sealed, "zero");
  guest_.vmpck_lost = true;
  ExpectRefused(*sealer_, sealed, "/dev/sev-guest");
  EXPECT_EQ(sealer_->Seal(Secret()).code(), Code::kSealingKeyUnavailable);
}

}  // namespace
}  // namespace keyclave::seal
