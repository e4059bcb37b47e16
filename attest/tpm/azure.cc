#include "attest/tpm/azure.h"

#include <nlohmann/json.hpp>

#include "attest/jwk.h"
#include "attest/strict_json.h"
#include "enclave/base/byte_reader.h"
#include "enclave/base/hash.h"

namespace keyclave::attest::tpm {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kMagic = "HCLA";
constexpr size_t kRestOfHeader = 24;  // versions and sizes that nothing here depends on
constexpr size_t kHardwareReport = 1184;
constexpr uint32_t kRuntimeHeader = 20;
constexpr uint32_t kSha256 = 1;
constexpr std::string_view kKeyName = "HCLAkPub";

// The report's parts, before its JSON is read.
struct Layout {
  uint32_t version = 0;
  HclType type = HclType::kSnp;
  ByteSpan hardware_report;
  ByteSpan runtime_data;
};

Status TakeHeader(ByteReader& reader, Layout& report) {
  KC_ASSIGN(const ByteSpan magic, reader.Take(kMagic.size()));
  if (AsText(magic) != kMagic) return Fail(Code::kMalformed, "no HCL report");
  KC_ASSIGN(report.version, reader.TakeLe<uint32_t>());
  KC_ASSIGN([[maybe_unused]] const ByteSpan rest, reader.Take(kRestOfHeader));
  KC_ASSIGN(report.hardware_report, reader.Take(kHardwareReport));
  return Done{};
}

Status TakeRuntimeData(ByteReader& reader, Layout& report) {
  KC_ASSIGN(const uint32_t size, reader.TakeLe<uint32_t>());
  KC_ASSIGN([[maybe_unused]] const uint32_t version, reader.TakeLe<uint32_t>());
  KC_ASSIGN(const uint32_t type, reader.TakeLe<uint32_t>());
  if (type != static_cast<uint32_t>(HclType::kSnp) && type != static_cast<uint32_t>(HclType::kTdx))
    return FailWanted(Code::kMalformed, "HCL report type", "2 (SNP) or 4 (TDX)",
                      std::to_string(type));
  report.type = static_cast<HclType>(type);
  KC_ASSIGN(const uint32_t hash, reader.TakeLe<uint32_t>());
  if (hash != kSha256)
    return FailWanted(Code::kMalformed, "HCL hash type", "1 (SHA-256)", std::to_string(hash));
  KC_ASSIGN(report.runtime_data, reader.TakePrefixedLe<uint32_t>(kMaxHclReport));
  const size_t whole = report.runtime_data.size() + kRuntimeHeader;
  if (size != whole)
    return FailWanted(Code::kMalformed, "size of the runtime claims", std::to_string(whole),
                      std::to_string(size));
  return reader.ExpectZero(reader.remaining());
}

Result<PublicKey> FindKey(const Json& runtime) {
  const auto keys = runtime.find("keys");
  const Json* found = nullptr;
  if (keys != runtime.end() && keys->is_array()) {
    for (const Json& one : *keys) {
      if (TextMember(one, "kid") != kKeyName) continue;
      if (found != nullptr) return Fail(Code::kMalformed, "two keys are called HCLAkPub");
      found = &one;
    }
  }
  if (found == nullptr) return Fail(Code::kMalformed, "the runtime data have no HCLAkPub");
  // Its key_ops are not asked: early paravisors wrote "encrypt" for this key.
  KC_ASSIGN(const Jwk jwk, ParseJwk(*found));
  return jwk.key;
}

// Members that policies may want; others are passed over, as Azure adds to them.
ClaimSet Configuration(const Json& runtime) {
  struct Row {
    const char* member;
    const char* claim;
  };
  constexpr Row kBools[] = {{"console-enabled", "tpm.console_enabled"},
                            {"secure-boot", "tpm.secure_boot"},
                            {"tpm-enabled", "tpm.tpm_enabled"},
                            {"tpm-persisted", "tpm.tpm_persisted"}};
  ClaimSet claims;
  const auto found = runtime.find("vm-configuration");
  if (found == runtime.end() || !found->is_object()) return claims;
  for (const Row& row : kBools) {
    const auto value = found->find(row.member);
    if (value != found->end() && value->is_boolean()) claims.Set(row.claim, value->get<bool>());
  }
  if (auto id = TextMember(*found, "vmUniqueId"); id.has_value())
    claims.Set("tpm.vm_unique_id", *std::move(id));
  return claims;
}

}  // namespace

bool LooksLikeHclReport(ByteSpan bytes) { return AsText(bytes).starts_with(kMagic); }

Result<HclReport> ParseHclReport(ByteSpan bytes) {
  if (bytes.size() > kMaxHclReport) return Fail(Code::kTooLarge, "HCL report");
  ByteReader reader(bytes);
  Layout layout;
  KC_CHECK_OK(TakeHeader(reader, layout));
  KC_CHECK_OK(TakeRuntimeData(reader, layout));
  KC_ASSIGN(const Json runtime, ParseStrictJson(layout.runtime_data));
  KC_ASSIGN(PublicKey key, FindKey(runtime));
  return HclReport{layout.version,
                   layout.type,
                   ToBytes(layout.hardware_report),
                   ToBytes(layout.runtime_data),
                   std::move(key),
                   Configuration(runtime)};
}

Status CheckRuntimeData(const HclReport& report, ByteSpan report_data) {
  const ByteArray<32> digest = Sha256(report.runtime_data);
  Bytes wanted(report_data.size(), 0);
  std::copy_n(digest.begin(), std::min(digest.size(), wanted.size()), wanted.begin());
  if (report_data.size() < digest.size() || !Equal(report_data, wanted))
    return FailWanted(Code::kEvidenceSignature, "SHA-256 of the runtime data", ToHex(wanted),
                      ToHex(report_data));
  return Done{};
}

}  // namespace keyclave::attest::tpm
