// Intel as a test plays it: a root of its own under Intel's names, PCK authorities and
// certificates, TCB info, enclave identities and revocation lists, all signed, and machines whose
// quotes verify under them.
#pragma once

#include <variant>

#include "attest/dcap/quote.h"
#include "attest/evidence.h"
#include "tests/fakes/fake_ca.h"

namespace keyclave::test {

// What the SGX extension of the PCK certificate says.
struct FakePlatform {
  ByteArray<16> ppid{};
  ByteArray<16> components{};
  uint16_t pcesvn = 13;
  ByteArray<2> pceid{};
  ByteArray<6> fmspc{0x00, 0xa0, 0x6f, 0x05, 0x00, 0x00};
  uint8_t sgx_type = 1;       // scalable; written where it is a multi-package platform
  ByteArray<16> cpusvn = {};  // as the platform measures it; zeros: like the components
  bool multi_package = true;  // with instance id and configuration
  uint8_t instance = 0x1d;    // each byte of the instance id
  bool dynamic_platform = true;
  bool cached_keys = false;
  bool smt_enabled = true;
  bool revoked = false;                 // the PCK certificate
  bool ca_revoked = false;              // the authority that issued it
  UnixTime not_before = 1'577'836'800;  // 2020-01-01
  UnixTime not_after = 2'524'608'000;   // 2050-01-01
  std::string pck_name = "CN=Intel SGX PCK Certificate,O=Test";

  FakePlatform();
};

// One entry of "tcbLevels" beside what it compares.
struct FakeFinding {
  std::string status = "UpToDate";
  std::string date = "2025-01-01T00:00:00Z";
  std::vector<std::string> advisories = {};
};
struct FakeTcbLevel {
  ByteArray<16> sgx{};
  ByteArray<16> tdx{};
  uint16_t pcesvn = 0;
  FakeFinding finding;
};
struct FakeSvnLevel {
  uint16_t isvsvn = 0;
  FakeFinding finding;
};
struct FakeModule {
  std::string id = "TDX_01";
  ByteArray<48> mrsigner{};
  ByteArray<8> attributes{};
  ByteArray<8> attributes_mask{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  std::vector<FakeSvnLevel> levels = {{1, {}}};
};

// What both documents have in common.
struct FakeStatement {
  UnixTime issued = 1'546'300'800;   // 2019-01-01
  UnixTime expires = 2'840'140'800;  // 2060-01-01
  unsigned evaluation_number = 17;
};

struct FakeTcbInfo : FakeStatement {
  unsigned version = 3;
  bool upper_case_fmspc = false;
  std::vector<FakeTcbLevel> levels = {{}};  // one that everybody reaches
  FakeModule module;                        // "tdxModule"
  std::vector<FakeModule> identities = {{}};
};

struct FakeEnclaveIdentity : FakeStatement {
  std::string id;  // empty: the one of the TEE
  ByteArray<32> mrsigner{};
  uint16_t isvprodid = 0;  // 0: the one of the TEE
  std::string miscselect = "00000000";
  std::string miscselect_mask = "FFFFFFFF";
  std::string attributes = "11000000000000000000000000000000";
  std::string attributes_mask = "FBFFFFFFFFFFFFFF0000000000000000";
  std::vector<FakeSvnLevel> levels = {{1, {}}};

  FakeEnclaveIdentity() { mrsigner.fill(0x8c); }
};

// What there is beside the documents.
struct FakeCollateral {
  FakeTcbInfo tcb_info;
  FakeEnclaveIdentity qe_identity;
  bool pck_list = true;
  bool root_list = true;
  bool signing_certificate = true;
  bool signing_revoked = false;
  std::string signing_name = "CN=Intel SGX TCB Signing,O=Test";
  UnixTime lists_from = 1'546'300'800;
  UnixTime lists_until = 2'840'140'800;
};

// A quote, whose defaults are those of a good one.
struct FakeQuote {
  uint16_t version = 4;
  uint16_t body_type = 0;  // of version 5; 0: what fits the body
  std::variant<attest::dcap::EnclaveReport, attest::dcap::TdReport> body;
  attest::dcap::EnclaveReport qe;  // report_data is filled in, unless qe_report_data is set
  std::optional<ByteArray<64>> qe_report_data;
  Bytes qe_auth_data = Bytes(32, 0x0a);
  uint16_t certification_type = 5;
  std::optional<Bytes> certification_data;  // instead of the chain
  uint16_t attestation_key_type = 2;
  ByteArray<16> qe_vendor_id = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};
  // Another key than the certified one signs the QE report, or than the bound one the quote.
  bool foreign_pck_key = false;
  bool foreign_attestation_key = false;
};

// A sample workload in an enclave, and one in a TD.
attest::dcap::EnclaveReport SampleEnclave(const attest::ReportData& report_data, bool debug);
attest::dcap::TdReport SampleTd(const attest::ReportData& report_data, bool debug);
FakeQuote SampleQuote(attest::dcap::Tee tee, const attest::ReportData& report_data, bool debug);

class FakeIntel {
 public:
  explicit FakeIntel(attest::dcap::Tee tee, FakePlatform platform = {});
  // Another machine, whose PCK certificate the same authorities issued. A platform of the other
  // kind (multi_package) has another PCK authority.
  FakeIntel WithPlatform(FakePlatform platform) const;

  Bytes Quote(const FakeQuote& quote) const;
  // The PCK chain as a quote brings it: leaf, authority, root, and a NUL.
  Bytes PckChain() const;
  // Bytes of a quote with a chain in PEM that nothing covers: the lines that begin and end blocks,
  // how lines are broken, and the root's certificate, in whose place the verifier uses its own.
  bool IsUncovered(ByteSpan quote, size_t at) const;
  // Everything that `collateral` says is there.
  attest::Collateral Collateral(const FakeCollateral& collateral) const;
  // The documents alone, signed.
  Bytes TcbInfo(const FakeTcbInfo& info) const;
  Bytes EnclaveIdentity(const FakeEnclaveIdentity& identity) const;
  // {"<name>":<text>,"signature":…} with the TCB signing key.
  Bytes Signed(std::string_view name, std::string_view text) const;
  // Believes in this root, with this collateral.
  attest::Trust Trust(const FakeCollateral& collateral = {}) const;

  const FakePlatform& platform() const { return platform_; }
  const FakeAuthority& root() const { return root_; }
  const FakeAuthority& pck_ca() const { return pck_ca_; }
  const FakeAuthority& pck() const { return pck_; }
  const FakeAuthority& tcb_signing() const { return tcb_signing_; }

 private:
  attest::dcap::Tee tee_;
  FakePlatform platform_;
  FakeAuthority root_;
  FakeAuthority pck_ca_;
  FakeAuthority pck_;
  FakeAuthority tcb_signing_;
  FakeKey attestation_key_;
};

}  // namespace keyclave::test
