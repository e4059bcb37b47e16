// PCK certificates: what Intel says of the platform that a quote comes from (Intel SGX PCK
// Certificate and Certificate Revocation List Profile Specification).
#pragma once

#include "attest/x509.h"

namespace keyclave::attest::dcap {

// The extension 1.2.840.113741.1.13.1.
struct PckPlatform {
  ByteArray<16> ppid{};
  ByteArray<16> components{};  // SVN of each of the 16 TCB components
  uint16_t pcesvn = 0;
  ByteArray<16> cpusvn{};
  ByteArray<2> pceid{};
  ByteArray<6> fmspc{};
  uint8_t sgx_type = 0;  // 0 standard, 1 scalable, 2 scalable with integrity
  // Of the platforms with several packages that Intel's Platform CA certifies.
  std::optional<ByteArray<16>> platform_instance_id;
  std::optional<bool> dynamic_platform;
  std::optional<bool> cached_keys;
  std::optional<bool> smt_enabled;
};

std::string_view SgxTypeName(uint8_t sgx_type);

// The first of them that has the extension; nullptr if none has.
const Certificate* FindPck(const std::vector<Certificate>& certificates);
// kEvidenceMalformed.
Result<PckPlatform> ParsePckPlatform(const Certificate& pck);

}  // namespace keyclave::attest::dcap
