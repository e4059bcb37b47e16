// Callers in SEV-SNP guests, through the real daemon: every claim that a policy can name, and every
// way in which a report is not genuine, or not of this session.
#include <gtest/gtest.h>

#include "tests/e2e/tee_lab.h"
#include "tests/fakes/fake_snp.h"

namespace keyclave::test {
namespace {

// Where fields lie in a report (SEV-SNP firmware ABI specification, table ATTESTATION_REPORT).
constexpr size_t kReportId = 0x140;
constexpr size_t kReportIdMa = 0x160;
constexpr size_t kCommittedTcb = 0x1e0;
constexpr size_t kCurrentBuild = 0x1e8;
constexpr size_t kCommittedBuild = 0x1ec;
constexpr size_t kLaunchTcb = 0x1f0;
constexpr size_t kLaunchMitVector = 0x1f8;
constexpr size_t kCurrentMitVector = 0x200;
// The bytes of a TCB_VERSION of Milan that have names.
constexpr std::pair<size_t, const char*> kTcbParts[] = {
    {0, "bootloader"}, {1, "tee"}, {6, "snp"}, {7, "microcode"}};

std::string Tcb(const std::string& which, const char* part) {
  return "sev-snp." + which + "_tcb_" + part;
}

class SnpCallers : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    FakeSnpOptions options;
    options.version = 5;
    options.author_key_enabled = true;
    options.author_key_digest.fill(0xa1);
    snp_ = new FakeSnp(options);
    FakeSnpOptions in_cloud = options;
    in_cloud.signing_key = 1;
    in_cloud.vlek = true;
    cloud_ = new FakeSnp(std::move(in_cloud));
    FakeSnpOptions of_genoa = options;
    of_genoa.cpu = {0x19, 0x11, 0x01};
    of_genoa.product = "Genoa-B1";
    of_genoa.line = "Genoa";
    genoa_ = new FakeSnp(std::move(of_genoa));
    attest::Trust trust = snp_->OwnTrust();
    for (const FakeSnp* other : {cloud_, genoa_})
      trust.roots["sev-snp"].push_back(other->ark().certificate());
    lab_ = new TeeLab({"sev-snp"}, std::move(trust));
  }
  static void TearDownTestSuite() {
    delete lab_;
    for (const FakeSnp* one : {snp_, cloud_, genoa_}) delete one;
  }
  static Signer Of(const FakeSnp& snp, bool debug = false) {
    return [snp, debug](const attest::ReportData& report_data) {
      return snp.Evidence(report_data, 0, debug);
    };
  }
  static Signer Good() { return Of(*snp_); }
  // Another guest on the same chip.
  static Signer With(const std::function<void(FakeSnpOptions&)>& change) {
    FakeSnp other = *snp_;
    change(other.options());
    return Of(other);
  }
  // A guest on another chip of the same maker.
  static FakeSnpOptions Changed(const std::function<void(FakeSnpOptions&)>& change) {
    FakeSnpOptions options = snp_->options();
    change(options);
    return options;
  }
  static Signer OnChip(const std::function<void(FakeSnpOptions&)>& change) {
    return Of(snp_->WithOptions(Changed(change)));
  }
  // One byte of the report is another, before it is signed.
  static Signer WithByte(size_t at, uint8_t flip) {
    return [snp = *snp_, at, flip](const attest::ReportData& report_data) {
      const Bytes whole = snp.Evidence(report_data, 0, false);
      Bytes evidence = snp.Report(report_data, [&](Bytes& report) { report.at(at) ^= flip; });
      evidence.insert(evidence.end(), whole.begin() + attest::kSnpReportSize, whole.end());
      return evidence;
    };
  }
  static Variation OfByte(const std::string& claim, size_t at) {
    return {{"sev-snp." + claim}, WithByte(at, 1)};
  }
  static Variation OfPolicy(unsigned bit, const std::string& claim) {
    return {{"sev-snp.policy", "sev-snp.policy_" + claim},
            With([bit](FakeSnpOptions& o) { o.policy ^= uint64_t{1} << bit; })};
  }
  static Variation OfPlatform(unsigned bit, const std::string& claim) {
    return {{"sev-snp.platform_info", "sev-snp.platform_" + claim},
            With([bit](FakeSnpOptions& o) { o.platform_info ^= uint64_t{1} << bit; })};
  }

  static void AddIdentity(std::vector<Variation>& list);
  static void AddBits(std::vector<Variation>& list);
  static void AddTcb(std::vector<Variation>& list);
  static void AddPlatform(std::vector<Variation>& list);

  static inline FakeSnp* snp_ = nullptr;
  static inline FakeSnp* cloud_ = nullptr;  // a host whose key is a VLEK
  static inline FakeSnp* genoa_ = nullptr;  // a machine of another line
  static inline TeeLab* lab_ = nullptr;
};

void SnpCallers::AddIdentity(std::vector<Variation>& list) {
  list.push_back({{"measurement", "sev-snp.measurement"},
                  With([](FakeSnpOptions& o) { o.measurement[0] ^= 1; })});
  list.push_back({{"signer", "sev-snp.id_key_digest"},
                  With([](FakeSnpOptions& o) { o.id_key_digest[47] ^= 1; })});
  list.push_back(
      {{"product_id", "sev-snp.family_id"}, With([](FakeSnpOptions& o) { o.family_id[0] ^= 1; })});
  list.push_back({{"sev-snp.image_id"}, With([](FakeSnpOptions& o) { o.image_id[0] ^= 1; })});
  list.push_back({{"svn"}, With([](FakeSnpOptions& o) { --o.guest_svn; })});
  list.push_back({{"host_data"}, With([](FakeSnpOptions& o) { o.host_data[31] ^= 1; })});
  list.push_back({{"sev-snp.vmpl"}, With([](FakeSnpOptions& o) { o.vmpl = 1; })});
  list.push_back({{"sev-snp.author_key_digest"},
                  With([](FakeSnpOptions& o) { o.author_key_digest[0] ^= 1; })});
  list.push_back(
      {{"sev-snp.author_key_enabled", "sev-snp.author_key_digest"}, With([](FakeSnpOptions& o) {
         o.author_key_enabled = false;
         o.author_key_digest = {};
       })});
  list.push_back(OfByte("report_id", kReportId));
  list.push_back(OfByte("report_id_ma", kReportIdMa));
}

void SnpCallers::AddBits(std::vector<Variation>& list) {
  list.push_back({{"debug", "sev-snp.policy", "sev-snp.policy_debug"}, Of(*snp_, true)});
  list.push_back(
      {{"sev-snp.policy", "sev-snp.abi_minor"}, With([](FakeSnpOptions& o) { o.policy ^= 1; })});
  list.push_back({{"sev-snp.policy", "sev-snp.abi_major"},
                  With([](FakeSnpOptions& o) { o.policy ^= 0x100; })});
  list.push_back(OfPolicy(16, "smt_allowed"));
  list.push_back(OfPolicy(18, "migrate_ma"));
  list.push_back(OfPolicy(20, "single_socket"));
  list.push_back(OfPolicy(21, "cxl_allowed"));
  list.push_back(OfPolicy(22, "mem_aes_256_xts"));
  list.push_back(OfPolicy(23, "rapl_disabled"));
  list.push_back(OfPolicy(24, "ciphertext_hiding_dram"));
  list.push_back(OfPolicy(25, "page_swap_disabled"));
  list.push_back(OfPlatform(0, "smt_enabled"));
  list.push_back(OfPlatform(1, "tsme_enabled"));
  list.push_back(OfPlatform(2, "ecc_enabled"));
  list.push_back(OfPlatform(3, "rapl_disabled"));
  list.push_back(OfPlatform(4, "ciphertext_hiding_dram_enabled"));
  list.push_back(OfPlatform(5, "alias_check_complete"));
}

void SnpCallers::AddTcb(std::vector<Variation>& list) {
  for (const auto& [byte, part] : kTcbParts) {
    list.push_back({{Tcb("committed", part)}, WithByte(kCommittedTcb + byte, 1)});
    list.push_back({{Tcb("launch", part)}, WithByte(kLaunchTcb + byte, 1)});
    // The firmware is newer than what the host lets the report say.
    list.push_back(
        {{"tcb_status", Tcb("current", part), Tcb("committed", part), Tcb("launch", part)},
         With([at = byte](FakeSnpOptions& o) { ++o.current_tcb.at(at); })});
    // The certificate is of the reported TCB, and so there is another one for it.
    list.push_back({{"tcb_status", Tcb("reported", part)},
                    OnChip([at = byte](FakeSnpOptions& o) { o.reported_tcb.at(at) ^= 1; })});
  }
  list.push_back(OfByte("current_build", kCurrentBuild));
  list.push_back(OfByte("current_minor", kCurrentBuild + 1));
  list.push_back(OfByte("current_major", kCurrentBuild + 2));
  list.push_back(OfByte("committed_build", kCommittedBuild));
  list.push_back(OfByte("committed_minor", kCommittedBuild + 1));
  list.push_back(OfByte("committed_major", kCommittedBuild + 2));
  list.push_back(OfByte("launch_mit_vector", kLaunchMitVector));
  list.push_back(OfByte("current_mit_vector", kCurrentMitVector));
}

void SnpCallers::AddPlatform(std::vector<Variation>& list) {
  list.push_back(
      {{"platform_id", "sev-snp.chip_id"}, OnChip([](FakeSnpOptions& o) { o.chip_id[0] ^= 1; })});
  list.push_back(
      {{"sev-snp.mask_chip_key"}, With([](FakeSnpOptions& o) { o.mask_chip_key = true; })});
  list.push_back({{"sev-snp.version", "sev-snp.launch_mit_vector", "sev-snp.current_mit_vector"},
                  With([](FakeSnpOptions& o) { o.version = 3; })});
  list.push_back({{"sev-snp.product"}, Of(*genoa_)});
  list.push_back({{"sev-snp.signing_key"}, Of(*cloud_), {"sev-snp.csp_id"}});
}

TEST_F(SnpCallers, EveryClaimDecides) {
  std::vector<Variation> variations;
  AddIdentity(variations);
  AddBits(variations);
  AddTcb(variations);
  AddPlatform(variations);
  CheckThatEveryClaimDecides(
      *lab_,
      {"sev-snp", Good(), std::move(variations), {{"sev-snp.report_data", "the session's"}}});
}

TEST_F(SnpCallers, EvidenceIsOfThisSession) {
  CheckThatEvidenceIsOfThisSession(*lab_, "sev-snp", Good());
}

// lesson 11: a policy that forgets debug mode does not admit it.
TEST_F(SnpCallers, DebugModeIsRefusedUnasked) {
  const TeeLab::Key key = lab_->MakeKey("sev-snp", snp_->Measurement());
  Machine good(lab_->daemon(), "sev-snp", Good());
  EXPECT_TRUE(TeeLab::Sign(good.caller(), key).ok());
  Machine machine(lab_->daemon(), "sev-snp", Of(*snp_, true));
  EXPECT_EQ(TeeLab::Sign(machine.caller(), key).code(), Code::kDenied);
  EXPECT_EQ(lab_->Explain(key).permits.at(0).got, "true");
}

// lesson 36: a security version is compared by its order, so that newer ones pass.
TEST_F(SnpCallers, NewerVersionsPassAFloor) {
  const TeeLab::Key key = lab_->MakeKey("{tee: {is: sev-snp}, measurement: {is: \"" +
                                        snp_->Measurement() + "\"}, svn: {min: 3}}");
  for (const uint32_t svn : {2U, 3U, 4U}) {
    Machine machine(lab_->daemon(), "sev-snp", With([&](FakeSnpOptions& o) { o.guest_svn = svn; }));
    EXPECT_EQ(TeeLab::Sign(machine.caller(), key).ok(), svn >= 3) << svn;
  }
  EXPECT_EQ(lab_->Explain(key).permits.at(0).wanted, "min 3");
}

TEST_F(SnpCallers, WhatIsNotGenuineIsRefused) {
  FakeSnpOptions stranger;
  stranger.line = "Turin";
  CheckRefusal(*lab_, "sev-snp", Of(FakeSnp(std::move(stranger))), Code::kEvidenceChain,
               {"SEV-VCEK", "SEV-Turin"});
  CheckRefusal(*lab_, "sev-snp", With([](FakeSnpOptions& o) { o.signing_key = 7; }),
               Code::kEvidenceSignature, {"nothing signed it"});
  CheckRefusal(*lab_, "sev-snp",
               OnChip([](FakeSnpOptions& o) { o.leaf_not_after = 1'600'000'000; }),
               Code::kEvidenceTime, {"wanted"});
}

// lesson 42: what the report says of itself counts as far as the chip's certificate says the same.
TEST_F(SnpCallers, WhatTheCertificateDoesNotSayIsRefused) {
  CheckRefusal(*lab_, "sev-snp", With([](FakeSnpOptions& o) { ++o.reported_tcb[7]; }),
               Code::kEvidenceIdentity, {"reported TCB against the certificate's"});
  CheckRefusal(*lab_, "sev-snp", OnChip([](FakeSnpOptions& o) { o.certified_hwid = Bytes(64, 2); }),
               Code::kEvidenceIdentity, {"chip id against the certificate's", "c1c1", "0202"});
}

// What is not there is named: the chip, and the TCB that the certificate must be of.
TEST_F(SnpCallers, AMissingCertificateIsNamed) {
  CheckRefusal(*lab_, "sev-snp", With([](FakeSnpOptions& o) { o.bring_table = false; }),
               Code::kCollateralMissing, {ToHex(snp_->options().chip_id), "VCEK"});
}

}  // namespace
}  // namespace keyclave::test
