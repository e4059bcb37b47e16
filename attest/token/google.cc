// Google Confidential Space: of a hardened virtual machine that runs one container. What identifies
// the workload is the digest of the container's image.

#include "attest/strict_json.h"
#include "attest/token/family.h"
#include "attest/token/fields.h"

namespace keyclave::attest::token {
namespace {

constexpr std::string_view kSoftware = "CONFIDENTIAL_SPACE";
constexpr std::string_view kNoDebug = "disabled-since-boot";

constexpr FieldRow kTop[] = {
    {"hwmodel", "token.hw_model", FieldType::kText},
    {"swname", "token.sw_name", FieldType::kText},
    {"swversion", "token.sw_version", FieldType::kTexts},
    {"secboot", "token.secure_boot", FieldType::kBool},
    {"dbgstat", "token.dbgstat", FieldType::kText},
    {"oemid", "token.oem_id", FieldType::kInteger},
    {"sub", "token.subject", FieldType::kText},
    {"attester_tcb", "token.attester_tcb", FieldType::kTexts},
    {"google_service_accounts", "token.service_accounts", FieldType::kTexts},
};

constexpr FieldRow kContainer[] = {
    {"image_digest", "measurement", FieldType::kDigest},
    {"image_digest", "token.image_digest", FieldType::kDigest},
    {"image_id", "token.image_id", FieldType::kDigest},
    {"image_reference", "token.image_reference", FieldType::kText},
    {"restart_policy", "token.restart_policy", FieldType::kText},
    {"args", "token.args", FieldType::kTexts},
};

constexpr FieldRow kSpace[] = {
    {"support_attributes", "token.support_attributes", FieldType::kTexts},
};

constexpr FieldRow kGce[] = {
    {"project_id", "token.project_id", FieldType::kText},
    {"project_number", "token.project_number", FieldType::kText},
    {"zone", "token.zone", FieldType::kText},
    {"instance_id", "token.instance_id", FieldType::kText},
    {"instance_name", "token.instance_name", FieldType::kText},
};

struct Part {
  const char* name;
  std::span<const FieldRow> rows;
};
constexpr Part kParts[] = {
    {"container", kContainer}, {"confidential_space", kSpace}, {"gce", kGce}};

struct Model {
  std::string_view model;
  const char* tee;
};
constexpr Model kModels[] = {{"GCP_AMD_SEV", "sev"},
                             {"GCP_AMD_SEV_ES", "sev-es"},
                             {"GCP_AMD_SEV_SNP", "sev-snp"},
                             {"GCP_INTEL_TDX", "tdx"}};

bool Is(const Json& payload) {
  return TextMember(payload, "swname") == kSoftware && Member(payload, "hwmodel") != nullptr;
}

Result<ClaimSet> Claims(const Json& payload) {
  ClaimSet claims;
  const std::string model = TextMember(payload, "hwmodel").value_or("");
  for (const Model& one : kModels) {
    if (one.model == model) claims.Set("token.tee", std::string(one.tee));
  }
  // Among others GCP_SHIELDED_VM, which keeps nobody out.
  if (claims.Find("token.tee") == nullptr)
    return FailWanted(Code::kEvidenceMalformed, "hwmodel", "a confidential machine of Google's",
                      model);
  const auto debug = TextMember(payload, "dbgstat");
  if (!debug.has_value()) return Fail(Code::kEvidenceMalformed, "dbgstat is missing");
  claims.Set("debug", *debug != kNoDebug);
  CopyFields(payload, kTop, claims);
  const Json* submods = Member(payload, "submods");
  if (submods == nullptr) return Fail(Code::kEvidenceMalformed, "submods are missing");
  for (const Part& part : kParts) {
    const Json* found = Member(*submods, part.name);
    if (found != nullptr) CopyFields(*found, part.rows, claims);
  }
  return claims;
}

std::vector<Bytes> Bindings(const Json& payload) {
  std::vector<Bytes> list;
  AddNonces(payload, list);
  return list;
}

}  // namespace

const Family kGoogle = {"google", Is, Claims, Bindings};

}  // namespace keyclave::attest::token
