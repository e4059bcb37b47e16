#include "attest/snp/report.h"

#include "enclave/base/byte_reader.h"

namespace keyclave::attest {
namespace {

constexpr size_t kSignedSize = 0x2a0;
constexpr size_t kNumberSize = 72;      // of r and of s: 576 bits, little-endian
constexpr size_t kNumberUsed = 48;      // P-384
constexpr size_t kSignatureTail = 368;  // bytes behind r and s
constexpr uint32_t kEcdsaP384Sha384 = 1;
constexpr uint32_t kOldest = 2;
constexpr uint32_t kNewest = 5;
constexpr uint32_t kWithCpu = 3;
constexpr uint32_t kWithMitigations = 4;
constexpr uint32_t kMaxVmpl = 3;
constexpr unsigned kPolicyMustBeOne = 17;
constexpr unsigned kPolicyReserved = 26;  // and all bits above
constexpr unsigned kKeyInfoReserved = 5;  // and all bits above

Status TakePolicy(ByteReader& reader, SnpReport& report) {
  KC_ASSIGN(report.policy, reader.TakeLe<uint64_t>());
  if (!HasBit(report.policy, kPolicyMustBeOne))
    return Fail(Code::kMalformed, "POLICY: bit 17 must be one");
  if (report.policy >> kPolicyReserved != 0)
    return Fail(Code::kMalformed, "POLICY: a reserved bit is set");
  return Done{};
}

Status TakeKeyInfo(ByteReader& reader, SnpReport& report) {
  KC_ASSIGN(const uint32_t info, reader.TakeLe<uint32_t>());
  if (info >> kKeyInfoReserved != 0)
    return Fail(Code::kMalformed, "a reserved bit beside SIGNING_KEY is set");
  report.author_key_enabled = HasBit(info, 0);
  report.mask_chip_key = HasBit(info, 1);
  const uint32_t key = info >> 2;
  if (key > 1 && key != 7)
    return Fail(Code::kMalformed, "SIGNING_KEY has the reserved value " + std::to_string(key));
  report.signing_key = static_cast<SnpSigningKey>(key);
  return reader.ExpectZero(4);
}

// 000h to 04Fh
Status TakeHead(ByteReader& reader, SnpReport& report) {
  KC_ASSIGN(report.version, reader.TakeLe<uint32_t>());
  if (report.version < kOldest || report.version > kNewest)
    return Fail(Code::kMalformed, "VERSION is " + std::to_string(report.version));
  KC_ASSIGN(report.guest_svn, reader.TakeLe<uint32_t>());
  KC_CHECK_OK(TakePolicy(reader, report));
  KC_ASSIGN(report.family_id, reader.TakeArray<16>());
  KC_ASSIGN(report.image_id, reader.TakeArray<16>());
  KC_ASSIGN(report.vmpl, reader.TakeLe<uint32_t>());
  // A report that the host asked for has FFFFFFFFh here: it is not the guest's word.
  if (report.vmpl > kMaxVmpl)
    return Fail(Code::kMalformed, "VMPL is that of no guest: " + std::to_string(report.vmpl));
  KC_ASSIGN(const uint32_t algorithm, reader.TakeLe<uint32_t>());
  if (algorithm != kEcdsaP384Sha384)
    return Fail(Code::kMalformed, "SIGNATURE_ALGO is " + std::to_string(algorithm));
  KC_ASSIGN(report.current_tcb, reader.TakeArray<8>());
  KC_ASSIGN(report.platform_info, reader.TakeLe<uint64_t>());
  return TakeKeyInfo(reader, report);
}

// 050h to 187h
Status TakeGuest(ByteReader& reader, SnpReport& report) {
  KC_ASSIGN(report.report_data, reader.TakeArray<64>());
  KC_ASSIGN(report.measurement, reader.TakeArray<48>());
  KC_ASSIGN(report.host_data, reader.TakeArray<32>());
  KC_ASSIGN(report.id_key_digest, reader.TakeArray<48>());
  KC_ASSIGN(report.author_key_digest, reader.TakeArray<48>());
  KC_ASSIGN(report.report_id, reader.TakeArray<32>());
  KC_ASSIGN(report.report_id_ma, reader.TakeArray<32>());
  KC_ASSIGN(report.reported_tcb, reader.TakeArray<8>());
  return Done{};
}

// 188h to 19Fh
Status TakeCpu(ByteReader& reader, SnpReport& report) {
  if (report.version < kWithCpu) return reader.ExpectZero(24);
  SnpCpu cpu;
  KC_ASSIGN(cpu.family, reader.TakeLe<uint8_t>());
  KC_ASSIGN(cpu.model, reader.TakeLe<uint8_t>());
  KC_ASSIGN(cpu.stepping, reader.TakeLe<uint8_t>());
  report.cpu = cpu;
  return reader.ExpectZero(21);
}

Status TakeFirmware(ByteReader& reader, SnpFirmware& firmware) {
  KC_ASSIGN(firmware.build, reader.TakeLe<uint8_t>());
  KC_ASSIGN(firmware.minor, reader.TakeLe<uint8_t>());
  KC_ASSIGN(firmware.major, reader.TakeLe<uint8_t>());
  return reader.ExpectZero(1);
}

// 1A0h to 29Fh
Status TakePlatform(ByteReader& reader, SnpReport& report) {
  KC_ASSIGN(report.chip_id, reader.TakeArray<64>());
  KC_ASSIGN(report.committed_tcb, reader.TakeArray<8>());
  KC_CHECK_OK(TakeFirmware(reader, report.current));
  KC_CHECK_OK(TakeFirmware(reader, report.committed));
  KC_ASSIGN(report.launch_tcb, reader.TakeArray<8>());
  if (report.version < kWithMitigations) return reader.ExpectZero(168);
  KC_ASSIGN(report.launch_mit_vector, reader.TakeLe<uint64_t>());
  KC_ASSIGN(report.current_mit_vector, reader.TakeLe<uint64_t>());
  return reader.ExpectZero(152);
}

Result<Bytes> TakeNumber(ByteReader& reader) {
  KC_ASSIGN(const ByteSpan little, reader.Take(kNumberUsed));
  KC_CHECK_OK(reader.ExpectZero(kNumberSize - kNumberUsed));
  return Bytes(little.rbegin(), little.rend());
}

}  // namespace

bool SnpReport::ChipIdIsMasked() const {
  return std::all_of(chip_id.begin(), chip_id.end(), [](uint8_t byte) { return byte == 0; });
}

const std::vector<SnpBit>& SnpPolicyBits() {
  static const auto& bits =
      *new std::vector<SnpBit>{{"smt_allowed", 16, 2},           {"migrate_ma", 18, 2},
                               {"debug", kSnpPolicyDebugBit, 2}, {"single_socket", 20, 2},
                               {"cxl_allowed", 21, 2},           {"mem_aes_256_xts", 22, 2},
                               {"rapl_disabled", 23, 2},         {"ciphertext_hiding_dram", 24, 2},
                               {"page_swap_disabled", 25, 2}};
  return bits;
}

const std::vector<SnpBit>& SnpPlatformBits() {
  static const auto& bits = *new std::vector<SnpBit>{{"smt_enabled", 0, 2},
                                                     {"tsme_enabled", 1, 2},
                                                     {"ecc_enabled", 2, 2},
                                                     {"rapl_disabled", 3, 2},
                                                     {"ciphertext_hiding_dram_enabled", 4, 2},
                                                     {"alias_check_complete", 5, 3}};
  return bits;
}

std::string_view SnpSigningKeyName(SnpSigningKey key) {
  switch (key) {
    case SnpSigningKey::kVcek: return "vcek";
    case SnpSigningKey::kVlek: return "vlek";
    case SnpSigningKey::kNone: return "none";
  }
  return "none";
}

Result<SnpReport> ParseSnpReport(ByteSpan bytes) {
  ByteReader reader(bytes);
  KC_ASSIGN(const ByteSpan signed_bytes, reader.Take(kSignedSize));
  SnpReport report;
  report.signed_bytes = ToBytes(signed_bytes);
  ByteReader body(signed_bytes);
  KC_CHECK_OK(TakeHead(body, report));
  KC_CHECK_OK(TakeGuest(body, report));
  KC_CHECK_OK(TakeCpu(body, report));
  KC_CHECK_OK(TakePlatform(body, report));
  KC_CHECK_OK(body.ExpectEnd());
  KC_ASSIGN(report.r, TakeNumber(reader));
  KC_ASSIGN(report.s, TakeNumber(reader));
  KC_CHECK_OK(reader.ExpectZero(kSignatureTail));
  KC_CHECK_OK(reader.ExpectEnd());
  return report;
}

}  // namespace keyclave::attest
