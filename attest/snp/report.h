// The attestation report of AMD SEV-SNP: "SEV Secure Nested Paging Firmware ABI Specification"
// (AMD document 56860), section 7.3, table ATTESTATION_REPORT; versions 2 to 5.
#pragma once

#include <optional>
#include <vector>

#include "attest/tee_type.h"

namespace keyclave::attest {

inline constexpr size_t kSnpReportSize = 1184;

// TCB_VERSION as it lies in the report: what each byte means depends on the product (product.h).
using SnpTcb = ByteArray<8>;

enum class SnpSigningKey : uint8_t { kVcek = 0, kVlek = 1, kNone = 7 };

// A firmware's version, in the order of the report.
struct SnpFirmware {
  uint8_t build = 0;
  uint8_t minor = 0;
  uint8_t major = 0;
};

// Family (with its extension), model (with its extension) and stepping; since version 3.
struct SnpCpu {
  uint8_t family = 0;
  uint8_t model = 0;
  uint8_t stepping = 0;
};

struct SnpReport {
  Bytes signed_bytes;  // bytes 000h to 29Fh, over which the signature goes
  uint32_t version = 0;
  uint32_t guest_svn = 0;
  uint64_t policy = 0;
  ByteArray<16> family_id{};
  ByteArray<16> image_id{};
  uint32_t vmpl = 0;
  SnpTcb current_tcb{};
  uint64_t platform_info = 0;
  bool author_key_enabled = false;
  bool mask_chip_key = false;
  SnpSigningKey signing_key = SnpSigningKey::kVcek;
  ByteArray<64> report_data{};
  ByteArray<48> measurement{};
  ByteArray<32> host_data{};
  ByteArray<48> id_key_digest{};
  ByteArray<48> author_key_digest{};
  ByteArray<32> report_id{};
  ByteArray<32> report_id_ma{};
  SnpTcb reported_tcb{};
  std::optional<SnpCpu> cpu;
  ByteArray<64> chip_id{};
  SnpTcb committed_tcb{};
  SnpFirmware current;
  SnpFirmware committed;
  SnpTcb launch_tcb{};
  std::optional<uint64_t> launch_mit_vector;  // since version 4
  std::optional<uint64_t> current_mit_vector;
  Bytes r;  // of the signature, big-endian
  Bytes s;

  // CHIP_ID is all zeros: the host masked it, or the key is not the chip's.
  bool ChipIdIsMasked() const;
};

// One bit of POLICY or PLATFORM_INFO, in the specification's words.
struct SnpBit {
  std::string_view name;
  unsigned bit;
  uint32_t since;  // the report version in which it first has a meaning
};
const std::vector<SnpBit>& SnpPolicyBits();
const std::vector<SnpBit>& SnpPlatformBits();
inline constexpr unsigned kSnpPolicyDebugBit = 19;
inline bool HasBit(uint64_t bits, unsigned bit) { return (bits >> bit & 1) != 0; }

std::string_view SnpSigningKeyName(SnpSigningKey key);

// Exactly kSnpReportSize bytes. Whatever the specification reserves must be zero, but in
// PLATFORM_INFO: firmware has set bits there before a specification named them, and all of that
// field is told as a claim. kTruncated, kTrailingBytes, kMalformed.
Result<SnpReport> ParseSnpReport(ByteSpan bytes);

// Every field, named as in the specification; the TCB versions by the layout of the CPU, or of
// Milan and Genoa where the report does not say.
std::vector<Field> DescribeSnpReport(const SnpReport& report);

}  // namespace keyclave::attest
