// Microsoft Azure Attestation. Only what begins with x-ms- (and tdx_, of its TDX profile) is the
// service's own word: an instance's policy may add claims of any other name, and the older names
// (is-debuggable, product-id) are among those. Whoever owns the instance writes that policy:
// token.policy_hash tells which it was.

#include "attest/strict_json.h"
#include "attest/token/family.h"
#include "attest/token/fields.h"

namespace keyclave::attest::token {
namespace {

constexpr FieldRow kSgx[] = {
    {"x-ms-sgx-mrenclave", "measurement", FieldType::kHex},
    {"x-ms-sgx-mrenclave", "token.mr_enclave", FieldType::kHex},
    {"x-ms-sgx-mrsigner", "signer", FieldType::kHex},
    {"x-ms-sgx-mrsigner", "token.mr_signer", FieldType::kHex},
    {"x-ms-sgx-product-id", "product_id", FieldType::kIntegerText},
    {"x-ms-sgx-svn", "svn", FieldType::kInteger},
    {"x-ms-sgx-is-debuggable", "debug", FieldType::kBool},
    {"x-ms-sgx-config-id", "token.config_id", FieldType::kHex},
};

constexpr FieldRow kSnp[] = {
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

constexpr FieldRow kTdx[] = {
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

constexpr FieldRow kCommon[] = {
    {"x-ms-policy-hash", "token.policy_hash", FieldType::kText},
    {"x-ms-ver", "token.version", FieldType::kText},
    {"x-ms-attestation-type", "token.attestation_type", FieldType::kText},
    {"secureboot", "token.secure_boot", FieldType::kBool},
};

struct TypeRow {
  std::string_view type;  // x-ms-attestation-type
  const char* tee;
  std::span<const FieldRow> fields;
  const char* report_data;
};
constexpr TypeRow kTypes[] = {{"sgx", "sgx", kSgx, "x-ms-sgx-report-data"},
                              {"sevsnpvm", "sev-snp", kSnp, "x-ms-sevsnpvm-reportdata"},
                              {"tdxvm", "tdx", kTdx, "tdx_report_data"}};

bool Is(const Json& payload) { return TextMember(payload, "x-ms-attestation-type").has_value(); }

Result<ClaimSet> Claims(const Json& payload) {
  ClaimSet claims;
  CopyFields(payload, kCommon, claims);
  // Of a virtual machine with a vTPM (azurevm) the hardware's claims stand one level below.
  const Json* isolation = Member(payload, "x-ms-isolation-tee");
  const Json& hardware = isolation == nullptr ? payload : *isolation;
  const std::string type = TextMember(hardware, "x-ms-attestation-type").value_or("");
  for (const TypeRow& row : kTypes) {
    if (row.type != type) continue;
    claims.Set("token.tee", std::string(row.tee));
    CopyFields(hardware, row.fields, claims);
    return claims;
  }
  return FailWanted(Code::kEvidenceMalformed, "x-ms-attestation-type", "sgx, sevsnpvm or tdxvm",
                    type.empty() ? "absent" : type);
}

std::vector<Bytes> Bindings(const Json& payload) {
  std::vector<Bytes> list;
  // Under a vTPM the hardware's report data are the vTPM's; its quote carries the client's payload.
  if (Member(payload, "x-ms-isolation-tee") != nullptr) {
    const Json* runtime = Member(payload, "x-ms-runtime");
    const Json* client = runtime == nullptr ? nullptr : Member(*runtime, "client-payload");
    if (client != nullptr) AddBase64(*client, "nonce", list);
    return list;
  }
  // Of its own type only: what the service does not say, the instance's policy may.
  for (const TypeRow& row : kTypes) {
    if (TextMember(payload, "x-ms-attestation-type") == row.type)
      AddHex(payload, row.report_data, list);
  }
  AddBase64(payload, "x-ms-sgx-ehd", list);
  return list;
}

}  // namespace

const Family kMaa = {"maa", Is, Claims, Bindings};

}  // namespace keyclave::attest::token
