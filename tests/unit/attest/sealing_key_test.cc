// Sealing keys of Gramine, Occlum and SEV-SNP.

#include "attest/produce/sealing_key.h"

#include "enclave/base/byte_reader.h"
#include "tests/fakes/fake_enclaves.h"
#include "tests/fakes/fake_guests.h"
#include "tests/unit/attest/produce_fixture.h"

namespace keyclave::attest {
namespace {

using fakes::Call;

class SealingKeyTest : public ProduceTest {
 protected:
  template <class T>
  static void ExpectNone(const Result<T>& result, const std::vector<std::string>& words) {
    ExpectUnavailable(result, words, Code::kSealingKeyUnavailable);
  }
  static Bytes Exposed(const Result<SecretBytes>& key) {
    EXPECT_TRUE(key.ok()) << (key.ok() ? "" : key.error().Text());
    return key.ok() ? ToBytes(key->Expose(SecretAccess{})) : Bytes();
  }
  fakes::FakeGramine gramine_;
  fakes::FakeOcclum occlum_;
  fakes::FakeSevGuest guest_;
};

TEST_F(SealingKeyTest, GramineGivesTheKeyOfTheIdentity) {
  host_.Add(gramine_);
  gramine_.keys = {{"_sgx_mrenclave", Bytes(16, 1)}, {"_sgx_mrsigner", Bytes(16, 2)}};
  host_.most_at_once = 3;
  EXPECT_EQ(Exposed(GramineSealingKey(Config(), SgxIdentity::kEnclave)), Bytes(16, 1));
  EXPECT_EQ(Exposed(GramineSealingKey(Config(), SgxIdentity::kSigner)), Bytes(16, 2));
}

TEST_F(SealingKeyTest, GraminesKeyMustHaveItsSize) {
  host_.Add(gramine_);
  for (const size_t size : {0u, 1u, 15u, 17u, 32u}) {
    gramine_.keys["_sgx_mrenclave"] = Bytes(size, 1);
    ExpectNone(GramineSealingKey(Config(), SgxIdentity::kEnclave),
               {"/dev/attestation/keys/_sgx_mrenclave", "wanted 16 bytes"});
  }
  gramine_.keys["_sgx_mrenclave"] = Bytes(16, 0);
  ExpectNone(GramineSealingKey(Config(), SgxIdentity::kEnclave), {"zero"});
}

TEST_F(SealingKeyTest, OutsideOfAnyEnclave) {
  ExpectNone(GramineSealingKey(Config(), SgxIdentity::kSigner),
             {"_sgx_mrsigner", "No such file", "Gramine"});
  ExpectNone(OcclumSealingKey(Config(), SgxIdentity::kSigner, {}), {"/dev/sgx", "Occlum"});
  ExpectNone(OcclumSvn(Config()), {"/dev/sgx", "Occlum"});
  ExpectNone(SnpSealingKey(Config(), {}), {"/dev/sev-guest", "modprobe sev-guest"});
}

TEST_F(SealingKeyTest, OcclumTellsTheVersionsOfNow) {
  host_.Add(occlum_);
  occlum_.cpu_svn = {1, 2, 3};
  occlum_.isv_svn = 0x0102;
  const auto svn = OcclumSvn(Config());
  ASSERT_TRUE(svn.ok());
  EXPECT_EQ(svn->cpu, occlum_.cpu_svn);
  EXPECT_EQ(svn->enclave, 0x0102);
}

TEST_F(SealingKeyTest, OcclumIsAskedForExactlyThisKey) {
  host_.Add(occlum_);
  occlum_.key = Bytes(16, 7);
  SgxSvn svn;
  svn.cpu.fill(0xc5);
  svn.enclave = 0x0304;
  EXPECT_EQ(Exposed(OcclumSealingKey(Config(), SgxIdentity::kEnclave, svn)), Bytes(16, 7));
  ByteReader request(occlum_.last_key_request);
  EXPECT_EQ(*request.TakeLe<uint16_t>(), 4);       // KEYNAME: seal
  EXPECT_EQ(*request.TakeLe<uint16_t>(), 1);       // KEYPOLICY: MRENCLAVE
  EXPECT_EQ(*request.TakeLe<uint16_t>(), 0x0304);  // ISVSVN
  EXPECT_TRUE(request.ExpectZero(2).ok());
  EXPECT_TRUE(Equal(*request.Take(16), svn.cpu));
  const uint64_t attributes = *request.TakeLe<uint64_t>();
  EXPECT_EQ(attributes & 3, 3u);  // INIT and DEBUG make another key
  EXPECT_EQ(*request.TakeLe<uint64_t>(), 0u);
  EXPECT_TRUE(request.ExpectZero(32).ok());  // KEYID
  EXPECT_EQ(*request.TakeLe<uint32_t>(), 0xF0000000u);
  EXPECT_TRUE(request.ExpectZero(436).ok());
  EXPECT_TRUE(request.ExpectEnd().ok());

  EXPECT_TRUE(OcclumSealingKey(Config(), SgxIdentity::kSigner, svn).ok());
  EXPECT_EQ(occlum_.last_key_request[2], 2);  // MRSIGNER
}

TEST_F(SealingKeyTest, OcclumWithoutAKey) {
  host_.Add(occlum_);
  ExpectNone(OcclumSealingKey(Config(), SgxIdentity::kEnclave, {}),
             {"/dev/sgx", "Invalid argument", "Occlum before 2023"});
  occlum_.key = Bytes(16, 0);
  ExpectNone(OcclumSealingKey(Config(), SgxIdentity::kEnclave, {}), {"zero"});
}

TEST_F(SealingKeyTest, SnpKeyIsBoundToWhatWasAskedFor) {
  host_.Add(guest_);
  const Bytes by_default = Exposed(SnpSealingKey(Config(), {}));
  EXPECT_EQ(by_default.size(), 32u);
  EXPECT_EQ(guest_.last_key_request.guest_field_select, 0b001001u);  // policy and measurement
  EXPECT_EQ(guest_.last_key_request.root_key_select, 0u);
  EXPECT_EQ(Exposed(SnpSealingKey(Config(), {})), by_default);

  SnpKeyBinding all;
  all.family_id = true;
  all.image_id = true;
  all.guest_svn = 5;
  all.tcb_version = 0x1122334455667788;
  all.vmpl = 2;
  EXPECT_NE(Exposed(SnpSealingKey(Config(), all)), by_default);
  EXPECT_EQ(guest_.last_key_request.guest_field_select, 0b111111u);
  EXPECT_EQ(guest_.last_key_request.guest_svn, 5u);
  EXPECT_EQ(guest_.last_key_request.tcb_version, 0x1122334455667788u);
  EXPECT_EQ(guest_.last_key_request.vmpl, 2u);

  SnpKeyBinding none;
  none.measurement = false;
  EXPECT_TRUE(SnpSealingKey(Config(), none).ok());
  EXPECT_EQ(guest_.last_key_request.guest_field_select, 0b000001u);  // the policy stays

  guest_.measurement[0] ^= 1;
  EXPECT_NE(Exposed(SnpSealingKey(Config(), {})), by_default);
}

TEST_F(SealingKeyTest, SnpRefusalsAreTold) {
  host_.Add(guest_);
  guest_.status = 0x16;
  ExpectNone(SnpSealingKey(Config(), {}), {"refuses a derived key", "0x16"});
  guest_.status = 0;
  guest_.zero_key = true;
  ExpectNone(SnpSealingKey(Config(), {}), {"zero"});
  host_.FailNext(Call::kOpen, "sev-guest", EACCES);
  ExpectNone(SnpSealingKey(Config(), {}), {"Permission denied"});
  host_.FailNext(Call::kIoctl, "sev-guest", EIO);
  ExpectNone(SnpSealingKey(Config(), {}), {"Input/output error"});
  guest_.vmpck_lost = true;
  ExpectNone(SnpSealingKey(Config(), {}), {"VMPCK"});
}

}  // namespace
}  // namespace keyclave::attest
