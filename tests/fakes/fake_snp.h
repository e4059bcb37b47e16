// A secure processor of AMD under a root of its own: reports of any version and product, with or
// without the host's certificate table.
#pragma once

#include <functional>
#include <optional>

#include "attest/snp/report.h"
#include "tests/fakes/fake_ca.h"
#include "tests/fakes/fake_tee.h"

namespace keyclave::test {

// One entry of a certificate table as it is written, whatever it says.
struct FakeTableEntry {
  Bytes guid;
  Bytes bytes;
  std::optional<uint32_t> offset = std::nullopt;  // instead of where the bytes are put
  std::optional<uint32_t> length = std::nullopt;
};

struct FakeSnpOptions {
  // What the report says.
  uint32_t version = 3;
  uint32_t guest_svn = 3;
  uint64_t policy = 0x30000;
  uint32_t vmpl = 0;
  uint64_t platform_info = 0x25;
  bool author_key_enabled = false;
  bool mask_chip_key = false;
  uint32_t signing_key = 0;
  ByteArray<16> family_id = Filled<16>(0x0f);
  ByteArray<16> image_id = Filled<16>(0x1f);
  ByteArray<48> measurement = Filled<48>(0x5a);
  ByteArray<32> host_data = Filled<32>(0x0d);
  ByteArray<48> id_key_digest = Filled<48>(0x1d);
  ByteArray<48> author_key_digest{};
  attest::SnpTcb current_tcb = {4, 0, 0, 0, 0, 0, 23, 213};
  attest::SnpTcb reported_tcb = {4, 0, 0, 0, 0, 0, 23, 213};
  attest::SnpCpu cpu = {0x19, 0x01, 0x01};
  ByteArray<64> chip_id = Filled<64>(0xc1);
  uint64_t launch_mit_vector = 0;
  // What the certificate says; by default what the report does.
  std::optional<attest::SnpTcb> certified_tcb = std::nullopt;
  std::optional<Bytes> certified_hwid = std::nullopt;
  std::string product = "Milan-B0";
  std::string line = "Milan";  // in the names of ARK, ASK and ASVK
  bool vlek = false;           // the kind of certificate
  bool turin = false;          // layout of the certified TCB
  bool wrapped_hwid = false;   // HWID as an OCTET STRING
  std::vector<FakeExtension> more_extensions = {};
  std::string without_extension = {};  // this one is left out
  UnixTime leaf_not_before = 1'577'836'800;
  UnixTime leaf_not_after = 2'524'608'000;
  // How it comes.
  bool bring_table = true;
  bool bring_root = false;
  size_t table_padding = 0;
  std::vector<FakeTableEntry> more_entries = {};

  template <size_t N>
  static ByteArray<N> Filled(uint8_t byte) {
    ByteArray<N> bytes;
    bytes.fill(byte);
    return bytes;
  }
};

class FakeSnp final : public FakeTee {
 public:
  FakeSnp() : FakeSnp(FakeSnpOptions()) {}
  explicit FakeSnp(FakeSnpOptions options);
  // Another chip, whose certificate the same authorities issued.
  FakeSnp WithOptions(FakeSnpOptions options) const;

  std::string_view type() const override { return "sev-snp"; }
  attest::Trust OwnTrust() const override;
  Bytes Evidence(const attest::ReportData& report_data, UnixTime issued, bool debug) const override;
  std::string Measurement() const override { return ToHex(options_.measurement); }
  Window ValidAt(UnixTime issued) const override;
  // Pages behind the table may follow, all of zeros.
  bool AllowsTrailingBytes() const override { return true; }

  // A report of these options, signed with this fake's leaf. `edit` may change it before that.
  Bytes Report(const attest::ReportData& report_data,
               const std::function<void(Bytes& report)>& edit = nullptr) const;
  // The report with another signature, r and s big-endian.
  static Bytes WithSignature(Bytes report, ByteSpan r, ByteSpan s);
  static Bytes Table(const std::vector<FakeTableEntry>& entries, size_t padding = 0);
  static Bytes Guid(std::string_view name);  // of VCEK, VLEK, ASK, ARK

  FakeSnpOptions& options() { return options_; }
  const FakeAuthority& ark() const { return ark_; }
  const FakeAuthority& ask() const { return ask_; }  // or the ASVK
  const FakeAuthority& leaf() const { return leaf_; }
  FakeAuthority IssueLeaf(const FakeKey& key) const;  // with the options as they are now

 private:
  FakeSnpOptions options_;
  FakeAuthority ark_;
  FakeAuthority ask_;
  FakeAuthority leaf_;
};

}  // namespace keyclave::test
