// A TEE type: one row of the registry, one file in attest/tee/, one line in tee_list.inc.
#pragma once

#include "attest/evidence.h"
#include "attest/tpm/device.h"

namespace keyclave::attest {

class Host;

// Where a producer finds what it needs.
struct ProducerConfig {
  // `simulated`: PEM file with the development root's private key.
  std::string simulated_key_file = {};
  // `token`: a file that holds one, or a program that prints one (produce/produce.h). The program's
  // absolute path and its arguments; nothing secret belongs there: every user of the machine can
  // read it.
  std::string token_file = {};
  std::vector<std::string> token_command = {};
  tpm::DeviceConfig tpm = {};
  // Whose system calls are made; null: the operating system's (produce/host.h).
  Host* host = nullptr;
};

// One line of what people see of evidence, in the vendor's own words: "quote.header.version".
struct Field {
  std::string name;
  std::string value;
};

struct TeeType {
  std::string_view name;
  // Whether the bytes look like this type's evidence, or a common container of it: cheap, by its
  // first bytes and sizes. For files; on a session the peer names its type.
  bool (*recognises)(ByteSpan bytes);
  // Bytes -> the type's own parsed form. kEvidenceMalformed.
  Result<std::any> (*parse)(ByteSpan bytes);
  // Signatures, chain, time, collateral and binding -> claims (all kAttested). Must check every
  // byte that it turns into a claim.
  Result<ClaimSet> (*verify)(const std::any& parsed, const VerifyContext& context);
  // Every field of the parsed form; nothing of it is verified.
  std::vector<Field> (*describe)(const std::any& parsed);
  // Makes evidence about the calling process or machine that carries the report data.
  // kEvidenceUnavailable.
  Result<Bytes> (*produce)(const ReportData& report_data, const ProducerConfig& config,
                           UnixTime now);
  // CollateralNeeds of the parsed form; nullptr: whatever it needs comes with it.
  std::vector<CollateralNeed> (*needs)(const std::any& parsed,
                                       const VerifyContext& context) = nullptr;
};

// nullptr if there is no such type.
const TeeType* FindTeeType(std::string_view name);
std::vector<const TeeType*> AllTeeTypes();

}  // namespace keyclave::attest
