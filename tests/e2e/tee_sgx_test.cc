// Callers in SGX enclaves, through the real daemon: every claim that a policy can name, and every
// way in which a quote is not genuine, or not of this session.
#include <gtest/gtest.h>

#include "tests/e2e/intel_machines.h"

namespace keyclave::test {
namespace {

using attest::dcap::EnclaveReport;

class SgxCallers : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    machines_ = new IntelMachines(attest::dcap::Tee::kSgx);
    lab_ = new TeeLab({"sgx"}, machines_->Trust());
  }
  static void TearDownTestSuite() {
    delete lab_;
    delete machines_;
  }
  static Signer With(const std::function<void(EnclaveReport&)>& change) {
    return machines_->With(
        [change](FakeQuote& quote) { change(std::get<EnclaveReport>(quote.body)); });
  }
  static Signer InDebugMode() {
    return With([](EnclaveReport& report) { report.attributes[0] |= 2; });
  }
  static std::vector<Variation> OfEnclave() {
    return {
        {{"measurement", "sgx.mr_enclave"}, With([](EnclaveReport& r) { r.mr_enclave[0] ^= 1; })},
        {{"signer", "sgx.mr_signer"}, With([](EnclaveReport& r) { r.mr_signer[31] ^= 1; })},
        {{"product_id", "sgx.isv_prod_id"}, With([](EnclaveReport& r) { ++r.isv_prod_id; })},
        {{"svn", "sgx.isv_svn"}, With([](EnclaveReport& r) { --r.isv_svn; })},
        {{"host_data", "sgx.config_id"}, With([](EnclaveReport& r) { r.config_id[0] ^= 1; })},
        {{"debug", "sgx.attributes"}, InDebugMode()},
        {{"sgx.attributes"}, With([](EnclaveReport& r) { r.attributes[0] ^= 0x80; })},
        {{"sgx.xfrm", "sgx.attributes"}, With([](EnclaveReport& r) { r.attributes[8] ^= 0x80; })},
        {{"sgx.cpusvn"}, With([](EnclaveReport& r) { r.cpusvn[15] ^= 1; })},
        {{"sgx.miscselect"}, With([](EnclaveReport& r) { r.miscselect[0] ^= 1; })},
        {{"sgx.config_svn"}, With([](EnclaveReport& r) { ++r.config_svn; })},
        {{"sgx.isv_family_id"}, With([](EnclaveReport& r) { r.isv_family_id[0] ^= 1; })},
        {{"sgx.isv_ext_prod_id"}, With([](EnclaveReport& r) { r.isv_ext_prod_id[0] ^= 1; })},
        {{"sgx.quote_version"}, machines_->With([](FakeQuote& quote) { quote.version = 4; })}};
  }

  static inline IntelMachines* machines_ = nullptr;
  static inline TeeLab* lab_ = nullptr;
};

TEST_F(SgxCallers, EveryClaimDecides) {
  std::vector<Variation> variations = OfEnclave();
  const std::vector<Variation> more = machines_->PlatformVariations();
  variations.insert(variations.end(), more.begin(), more.end());
  CheckThatEveryClaimDecides(*lab_, {"sgx",
                                     machines_->Good(),
                                     std::move(variations),
                                     {{"sgx.report_data", "the session's"},
                                      {"sgx.qe_mr_signer", "the QE identity's, or refused"}}});
}

TEST_F(SgxCallers, EvidenceIsOfThisSession) {
  CheckThatEvidenceIsOfThisSession(*lab_, "sgx", machines_->Good());
}

TEST_F(SgxCallers, OnlyGenuineQuotesAreAccepted) {
  CheckThatOnlyGenuineQuotesAreAccepted(*lab_, *machines_);
}

// lesson 11: a policy that forgets debug mode does not admit it.
TEST_F(SgxCallers, DebugModeIsRefusedUnasked) {
  const TeeLab::Key key = lab_->MakeKey("sgx", ToHex(Bytes(32, 0x5a)));
  Machine good(lab_->daemon(), "sgx", machines_->Good());
  EXPECT_TRUE(TeeLab::Sign(good.caller(), key).ok());
  Machine machine(lab_->daemon(), "sgx", InDebugMode());
  EXPECT_EQ(TeeLab::Sign(machine.caller(), key).code(), Code::kDenied);
  EXPECT_EQ(lab_->Explain(key).permits.at(0).got, "true");
}

// lesson 36: a security version is compared by its order, so that newer ones pass.
TEST_F(SgxCallers, NewerVersionsPassAFloor) {
  const TeeLab::Key key = lab_->MakeKey("{tee: {is: sgx}, signer: {is: \"" +
                                        ToHex(Bytes(32, 0x51)) + "\"}, svn: {min: 3}}");
  for (const uint16_t svn : {uint16_t{2}, uint16_t{3}, uint16_t{400}}) {
    Machine machine(lab_->daemon(), "sgx", With([svn](EnclaveReport& r) { r.isv_svn = svn; }));
    EXPECT_EQ(TeeLab::Sign(machine.caller(), key).ok(), svn >= 3) << svn;
  }
}

}  // namespace
}  // namespace keyclave::test
