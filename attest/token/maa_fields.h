// What tokens of Microsoft Azure Attestation say, and as which claims: the tables that maa.cc reads
// them by, and that policies written over the service's names are converted by.
#pragma once

#include "attest/token/fields.h"

namespace keyclave::attest::token {

inline constexpr FieldRow kMaaSgx[] = {
    {"x-ms-sgx-mrenclave", "measurement", FieldType::kHex},
    {"x-ms-sgx-mrenclave", "token.mr_enclave", FieldType::kHex},
    {"x-ms-sgx-mrsigner", "signer", FieldType::kHex},
    {"x-ms-sgx-mrsigner", "token.mr_signer", FieldType::kHex},
    {"x-ms-sgx-product-id", "product_id", FieldType::kIntegerText},
    {"x-ms-sgx-svn", "svn", FieldType::kInteger},
    {"x-ms-sgx-is-debuggable", "debug", FieldType::kBool},
    {"x-ms-sgx-config-id", "token.config_id", FieldType::kHex},
};

inline constexpr FieldRow kMaaSnp[] = {
    {"x-ms-sevsnpvm-launchmeasurement", "measurement", FieldType::kHex},
    {"x-ms-sevsnpvm-idkeydigest", "signer", FieldType::kHex},
    {"x-ms-sevsnpvm-idkeydigest", "token.id_key_digest", FieldType::kHex},
    {"x-ms-sevsnpvm-authorkeydigest", "token.author_key_digest", FieldType::kHex},
    {"x-ms-sevsnpvm-guestsvn", "svn", FieldType::kInteger},
    {"x-ms-sevsnpvm-hostdata", "host_data", FieldType::kHex},
    {"x-ms-sevsnpvm-is-debuggable", "debug", FieldType::kBool},
    {"x-ms-sevsnpvm-familyId", "product_id", FieldType::kHex},
    {"x-ms-sevsnpvm-imageId", "token.image_id", FieldType::kHex},
    {"x-ms-sevsnpvm-vmpl", "token.vmpl", FieldType::kInteger},
    {"x-ms-sevsnpvm-migration-allowed", "token.migration_allowed", FieldType::kBool},
    {"x-ms-sevsnpvm-smt-allowed", "token.smt_allowed", FieldType::kBool},
    {"x-ms-sevsnpvm-bootloader-svn", "token.bootloader_svn", FieldType::kInteger},
    {"x-ms-sevsnpvm-tee-svn", "token.tee_svn", FieldType::kInteger},
    {"x-ms-sevsnpvm-snpfw-svn", "token.snp_svn", FieldType::kInteger},
    {"x-ms-sevsnpvm-microcode-svn", "token.microcode_svn", FieldType::kInteger},
    {"x-ms-compliance-status", "token.compliance_status", FieldType::kText},
};

inline constexpr FieldRow kMaaTdx[] = {
    {"tdx_mrtd", "measurement", FieldType::kHex},
    {"tdx_mrtd", "token.mrtd", FieldType::kHex},
    {"tdx_mrseam", "token.mrseam", FieldType::kHex},
    {"tdx_mrconfigid", "token.mrconfigid", FieldType::kHex},
    {"tdx_rtmr0", "token.rtmr0", FieldType::kHex},
    {"tdx_rtmr1", "token.rtmr1", FieldType::kHex},
    {"tdx_rtmr2", "token.rtmr2", FieldType::kHex},
    {"tdx_rtmr3", "token.rtmr3", FieldType::kHex},
    {"tdx_td_attributes_debug", "debug", FieldType::kBool},
    {"x-ms-compliance-status", "token.compliance_status", FieldType::kText},
};

// Of every token, beside the hardware's claims.
inline constexpr FieldRow kMaaCommon[] = {
    {"x-ms-policy-hash", "token.policy_hash", FieldType::kText},
    {"x-ms-ver", "token.version", FieldType::kText},
    {"x-ms-attestation-type", "token.attestation_type", FieldType::kText},
    {"secureboot", "token.secure_boot", FieldType::kBool},
};

struct MaaType {
  std::string_view type;  // x-ms-attestation-type
  const char* tee;
  std::span<const FieldRow> fields;
  const char* report_data;
};
inline constexpr MaaType kMaaTypes[] = {
    {"sgx", "sgx", kMaaSgx, "x-ms-sgx-report-data"},
    {"sevsnpvm", "sev-snp", kMaaSnp, "x-ms-sevsnpvm-reportdata"},
    {"tdxvm", "tdx", kMaaTdx, "tdx_report_data"}};

}  // namespace keyclave::attest::token
