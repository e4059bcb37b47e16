// A TEE type: one row of the registry, one file in attest/tee/, one line in tee_list.inc.
#pragma once

#include "attest/evidence.h"

namespace keyclave::attest {

// Where a producer finds what it needs.
struct ProducerConfig {
  // `simulated`: PEM file with the development root's private key.
  std::string simulated_key_file;
};

struct TeeType {
  std::string_view name;
  // Bytes -> the type's own parsed form. kEvidenceMalformed.
  Result<std::any> (*parse)(ByteSpan bytes);
  // Signatures, chain, time and report data -> claims (all kAttested). Must check every byte that
  // it turns into a claim.
  Result<ClaimSet> (*verify)(const std::any& parsed, const VerifyContext& context);
  // Makes evidence about the calling process or machine that carries the report data.
  // kEvidenceUnavailable.
  Result<Bytes> (*produce)(const ReportData& report_data, const ProducerConfig& config,
                           UnixTime now);
};

// nullptr if there is no such type.
const TeeType* FindTeeType(std::string_view name);
std::vector<const TeeType*> AllTeeTypes();

}  // namespace keyclave::attest
