#include "attest/snp/verify.h"

namespace keyclave::attest {
namespace {

constexpr std::string_view kPrefix = "sev-snp.";

std::string Name(std::string_view name) { return std::string(kPrefix).append(name); }

bool IsZero(ByteSpan bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

void SetTcb(ClaimSet& claims, std::string_view which, SnpProduct product, const SnpTcb& tcb) {
  ForEachTcbPart(product, tcb, [&](std::string_view part, uint8_t value) {
    claims.Set(Name(which).append("_").append(part), int64_t{value});
  });
}

void SetFirmware(ClaimSet& claims, std::string_view which, const SnpFirmware& firmware) {
  claims.Set(Name(which) + "_major", int64_t{firmware.major});
  claims.Set(Name(which) + "_minor", int64_t{firmware.minor});
  claims.Set(Name(which) + "_build", int64_t{firmware.build});
}

void SetBits(ClaimSet& claims, std::string_view prefix, const std::vector<SnpBit>& bits,
             uint64_t value, uint32_t version) {
  for (const SnpBit& one : bits) {
    if (version >= one.since) claims.Set(Name(prefix).append(one.name), HasBit(value, one.bit));
  }
}

void SetNormal(ClaimSet& claims, const SnpReport& report) {
  claims.Set("tee", std::string("sev-snp"));
  claims.Set("measurement", ToHex(report.measurement));
  if (!IsZero(report.id_key_digest)) claims.Set("signer", ToHex(report.id_key_digest));
  claims.Set("product_id", ToHex(report.family_id));
  claims.Set("svn", int64_t{report.guest_svn});
  claims.Set("debug", HasBit(report.policy, kSnpPolicyDebugBit));
  const bool current = report.reported_tcb == report.current_tcb;
  claims.Set("tcb_status", std::string(current ? "up-to-date" : "out-of-date"));
  if (!report.ChipIdIsMasked()) claims.Set("platform_id", ToHex(report.chip_id));
  claims.Set("host_data", ToHex(report.host_data));
}

void SetGuest(ClaimSet& claims, const SnpReport& report) {
  claims.Set(Name("version"), int64_t{report.version});
  claims.Set(Name("vmpl"), int64_t{report.vmpl});
  claims.Set(Name("measurement"), ToHex(report.measurement));
  claims.Set(Name("family_id"), ToHex(report.family_id));
  claims.Set(Name("image_id"), ToHex(report.image_id));
  claims.Set(Name("report_data"), ToHex(report.report_data));
  claims.Set(Name("report_id"), ToHex(report.report_id));
  claims.Set(Name("report_id_ma"), ToHex(report.report_id_ma));
  claims.Set(Name("author_key_enabled"), report.author_key_enabled);
  // Digests of zeros are of no key: a policy that wants one must not be satisfied by its absence.
  if (!IsZero(report.id_key_digest)) claims.Set(Name("id_key_digest"), ToHex(report.id_key_digest));
  if (report.author_key_enabled && !IsZero(report.author_key_digest))
    claims.Set(Name("author_key_digest"), ToHex(report.author_key_digest));
  claims.Set(Name("policy"), static_cast<int64_t>(report.policy));
  claims.Set(Name("abi_major"), static_cast<int64_t>(report.policy >> 8 & 0xff));
  claims.Set(Name("abi_minor"), static_cast<int64_t>(report.policy & 0xff));
  SetBits(claims, "policy_", SnpPolicyBits(), report.policy, report.version);
}

void SetPlatform(ClaimSet& claims, const SnpReport& report, SnpProduct product) {
  SetTcb(claims, "reported_tcb", product, report.reported_tcb);
  SetTcb(claims, "current_tcb", product, report.current_tcb);
  SetTcb(claims, "committed_tcb", product, report.committed_tcb);
  SetTcb(claims, "launch_tcb", product, report.launch_tcb);
  SetFirmware(claims, "current", report.current);
  SetFirmware(claims, "committed", report.committed);
  claims.Set(Name("platform_info"), static_cast<int64_t>(report.platform_info));
  SetBits(claims, "platform_", SnpPlatformBits(), report.platform_info, report.version);
  claims.Set(Name("mask_chip_key"), report.mask_chip_key);
  if (!report.ChipIdIsMasked()) claims.Set(Name("chip_id"), ToHex(report.chip_id));
  if (report.launch_mit_vector.has_value())
    claims.Set(Name("launch_mit_vector"), static_cast<int64_t>(*report.launch_mit_vector));
  if (report.current_mit_vector.has_value())
    claims.Set(Name("current_mit_vector"), static_cast<int64_t>(*report.current_mit_vector));
}

}  // namespace

ClaimSet SnpClaims(const SnpReport& report, const SnpEndorsement& endorsement) {
  ClaimSet claims;
  SetNormal(claims, report);
  SetGuest(claims, report);
  SetPlatform(claims, report, endorsement.product);
  claims.Set(Name("product"), std::string(SnpProductName(endorsement.product)));
  claims.Set(Name("signing_key"), std::string(SnpSigningKeyName(endorsement.key)));
  if (endorsement.key == SnpSigningKey::kVlek) claims.Set(Name("csp_id"), endorsement.csp_id);
  return claims;
}

}  // namespace keyclave::attest
