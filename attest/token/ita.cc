// Intel Trust Authority. Older tokens hold their claims at the top, newer ones under the TEE's
// name.

#include "attest/strict_json.h"
#include "attest/token/family.h"
#include "attest/token/fields.h"

namespace keyclave::attest::token {
namespace {

constexpr std::string_view kProfile = "https://portal.trustauthority.intel.com/eat_profile";

constexpr FieldRow kSgx[] = {
    {"sgx_mrenclave", "measurement", FieldType::kHex},
    {"sgx_mrenclave", "token.mr_enclave", FieldType::kHex},
    {"sgx_mrsigner", "signer", FieldType::kHex},
    {"sgx_mrsigner", "token.mr_signer", FieldType::kHex},
    {"sgx_isvprodid", "product_id", FieldType::kIntegerText},
    {"sgx_isvsvn", "svn", FieldType::kInteger},
    {"sgx_is_debuggable", "debug", FieldType::kBool},
};

constexpr FieldRow kTdx[] = {
    {"tdx_mrtd", "measurement", FieldType::kHex},
    {"tdx_mrtd", "token.mrtd", FieldType::kHex},
    {"tdx_mrseam", "token.mrseam", FieldType::kHex},
    {"tdx_mrsignerseam", "token.mrsignerseam", FieldType::kHex},
    {"tdx_mrconfigid", "token.mrconfigid", FieldType::kHex},
    {"tdx_mrowner", "token.mrowner", FieldType::kHex},
    {"tdx_mrownerconfig", "token.mrownerconfig", FieldType::kHex},
    {"tdx_rtmr0", "token.rtmr0", FieldType::kHex},
    {"tdx_rtmr1", "token.rtmr1", FieldType::kHex},
    {"tdx_rtmr2", "token.rtmr2", FieldType::kHex},
    {"tdx_rtmr3", "token.rtmr3", FieldType::kHex},
    {"tdx_tee_tcb_svn", "token.tee_tcb_svn", FieldType::kHex},
    {"tdx_td_attributes", "token.td_attributes", FieldType::kHex},
    {"tdx_xfam", "token.xfam", FieldType::kHex},
    {"tdx_seamsvn", "token.seamsvn", FieldType::kInteger},
    {"tdx_is_debuggable", "debug", FieldType::kBool},
};

constexpr FieldRow kCommon[] = {
    {"attester_tcb_date", "tcb_date", FieldType::kText},
    {"attester_advisory_ids", "advisories", FieldType::kTexts},
    {"dbgstat", "token.dbgstat", FieldType::kText},
    {"ver", "token.version", FieldType::kText},
};

struct TypeRow {
  std::string_view type;  // attester_type
  const char* tee;
  std::span<const FieldRow> fields;
};
constexpr TypeRow kTypes[] = {{"SGX", "sgx", kSgx}, {"TDX", "tdx", kTdx}};

// Where the TEE's claims stand.
const Json& Place(const Json& payload) {
  for (const TypeRow& row : kTypes) {
    const Json* below = Member(payload, row.tee);
    if (below != nullptr && TextMember(*below, "attester_type") == row.type) return *below;
  }
  return payload;
}

bool Is(const Json& payload) {
  return TextMember(payload, "eat_profile") == kProfile ||
         TextMember(Place(payload), "attester_type").has_value();
}

Result<ClaimSet> Claims(const Json& payload) {
  const Json& place = Place(payload);
  const std::string type = TextMember(place, "attester_type").value_or("");
  for (const TypeRow& row : kTypes) {
    if (row.type != type) continue;
    ClaimSet claims;
    claims.Set("token.tee", std::string(row.tee));
    CopyFields(payload, kCommon, claims);
    CopyFields(place, kCommon, claims);
    CopyFields(place, row.fields, claims);
    KC_CHECK_OK(SetIntelStatus(place, "attester_tcb_status", claims));
    return claims;
  }
  return FailWanted(Code::kEvidenceMalformed, "attester_type", "SGX or TDX",
                    type.empty() ? "absent" : type);
}

std::vector<Bytes> Bindings(const Json& payload) {
  const Json& place = Place(payload);
  std::vector<Bytes> list;
  AddHex(place, "sgx_report_data", list);
  AddHex(place, "tdx_report_data", list);
  AddBase64(place, "attester_held_data", list);
  return list;
}

}  // namespace

const Family kIta = {"ita", Is, Claims, Bindings};

}  // namespace keyclave::attest::token
