// A report as the Rust crate `sev` (7 and 8) writes it: what Trustee's clients on SEV-SNP send.
#pragma once

#include <nlohmann/json.hpp>

#include "attest/snp/report.h"

namespace keyclave::kbs {

using Json = nlohmann::json;

inline Json List(ByteSpan bytes) {
  Json list = Json::array();
  for (const uint8_t byte : bytes) list.push_back(byte);
  return list;
}

inline uint64_t Little(ByteSpan bytes, size_t at, size_t size) {
  uint64_t value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | bytes[at + i];
  return value;
}

inline Json TcbJson(ByteSpan tcb, bool turin) {
  if (turin) {
    return {{"fmc", tcb[0]},
            {"bootloader", tcb[1]},
            {"tee", tcb[2]},
            {"snp", tcb[3]},
            {"microcode", tcb[7]}};
  }
  return {{"fmc", nullptr},
          {"bootloader", tcb[0]},
          {"tee", tcb[1]},
          {"snp", tcb[6]},
          {"microcode", tcb[7]}};
}

inline Json VersionJson(ByteSpan bytes, size_t at) {
  return {{"major", bytes[at + 2]}, {"minor", bytes[at + 1]}, {"build", bytes[at]}};
}

// By the offsets of AMD's table.
inline Json SevReportJson(ByteSpan r) {
  const uint64_t version = Little(r, 0, 4);
  const bool turin = r[0x188] == 0x1a;
  const auto tcb = [&](size_t at) { return TcbJson(r.subspan(at, 8), turin); };
  const auto since = [&](uint64_t first, uint64_t value) {
    return version >= first ? Json(value) : Json();
  };
  return {{"version", version},
          {"guest_svn", Little(r, 4, 4)},
          {"policy", Little(r, 8, 8)},
          {"family_id", List(r.subspan(0x10, 16))},
          {"image_id", List(r.subspan(0x20, 16))},
          {"vmpl", Little(r, 0x30, 4)},
          {"sig_algo", Little(r, 0x34, 4)},
          {"current_tcb", tcb(0x38)},
          {"plat_info", Little(r, 0x40, 8)},
          {"key_info", Little(r, 0x48, 4)},
          {"report_data", List(r.subspan(0x50, 64))},
          {"measurement", List(r.subspan(0x90, 48))},
          {"host_data", List(r.subspan(0xc0, 32))},
          {"id_key_digest", List(r.subspan(0xe0, 48))},
          {"author_key_digest", List(r.subspan(0x110, 48))},
          {"report_id", List(r.subspan(0x140, 32))},
          {"report_id_ma", List(r.subspan(0x160, 32))},
          {"reported_tcb", tcb(0x180)},
          {"cpuid_fam_id", since(3, r[0x188])},
          {"cpuid_mod_id", since(3, r[0x189])},
          {"cpuid_step", since(3, r[0x18a])},
          {"chip_id", List(r.subspan(0x1a0, 64))},
          {"committed_tcb", tcb(0x1e0)},
          {"current", VersionJson(r, 0x1e8)},
          {"committed", VersionJson(r, 0x1ec)},
          {"launch_tcb", tcb(0x1f0)},
          {"launch_mit_vector", since(5, Little(r, 0x1f8, 8))},
          {"current_mit_vector", since(5, Little(r, 0x200, 8))},
          {"signature", {{"r", List(r.subspan(0x2a0, 72))}, {"s", List(r.subspan(0x2e8, 72))}}}};
}

}  // namespace keyclave::kbs
