// EAT Attestation Results (draft-ietf-rats-ear) of Trustee and Veraison: an appraisal per
// submodule, with a status. The worst status counts for the whole: contraindicated is refused,
// affirming is tcb_status up-to-date and warning out-of-date; `none` says nothing, and gives no
// claim.

#include "attest/strict_json.h"
#include "attest/token/family.h"
#include "attest/token/fields.h"

namespace keyclave::attest::token {
namespace {

constexpr std::array<std::string_view, 2> kProfiles = {
    "tag:github.com,2023:veraison/ear", "tag:github.com,2024:confidential-containers/Trustee"};

// Trustworthiness tiers (draft-ietf-rats-ar4si §2.3.2), best first; EAR says them as a text or a
// number.
struct Tier {
  std::string_view name;
  int number;
};
constexpr Tier kTiers[] = {{"affirming", 2}, {"none", 0}, {"warning", 32}, {"contraindicated", 96}};

constexpr FieldRow kSnp[] = {
    {"measurement", "measurement", FieldType::kHex},
    {"policy_debug_allowed", "debug", FieldType::kBool},
    {"init_data", "host_data", FieldType::kHex},
};
constexpr FieldRow kTdxBody[] = {
    {"mr_td", "measurement", FieldType::kHex},
    {"mr_td", "token.mrtd", FieldType::kHex},
    {"rtmr_0", "token.rtmr0", FieldType::kHex},
    {"rtmr_1", "token.rtmr1", FieldType::kHex},
    {"rtmr_2", "token.rtmr2", FieldType::kHex},
    {"rtmr_3", "token.rtmr3", FieldType::kHex},
    {"mr_config_id", "token.mrconfigid", FieldType::kHex},
};
constexpr FieldRow kTdAttributes[] = {{"debug", "debug", FieldType::kBool}};
constexpr FieldRow kSgxBody[] = {
    {"mr_enclave", "measurement", FieldType::kHex},
    {"mr_enclave", "token.mr_enclave", FieldType::kHex},
    {"mr_signer", "signer", FieldType::kHex},
    {"mr_signer", "token.mr_signer", FieldType::kHex},
};

// The object at the end of these names; an empty one if one of them is absent.
const Json& Down(const Json& object, std::initializer_list<const char*> names) {
  static const auto& empty = *new Json(Json::object());
  const Json* at = &object;
  for (const char* name : names) {
    at = Member(*at, name);
    if (at == nullptr) return empty;
  }
  return *at;
}

// Trustee writes flags as "0" and "1" or "false" and "true", too.
void SetDebugFlag(const Json& value, ClaimSet& claims) {
  const auto* text = value.get_ptr<const std::string*>();
  if (text == nullptr) return;
  if (*text == "0" || *text == "false") claims.Set("debug", false);
  if (*text == "1" || *text == "true") claims.Set("debug", true);
}

// ATTRIBUTES.FLAGS of an enclave: little-endian; bit 1 is DEBUG.
void SetSgxDebug(const Json& body, ClaimSet& claims) {
  const auto flags = FromHex(TextMember(Down(body, {"attributes"}), "flags").value_or(""));
  if (flags.ok() && flags->size() == 8) claims.Set("debug", ((*flags)[0] & 2) != 0);
}

// What Trustee read out of the evidence, under the TEE's name.
void CopyEvidence(const Json& evidence, ClaimSet& claims) {
  if (const Json* snp = Member(evidence, "snp"); snp != nullptr) {
    claims.Set("token.tee", std::string("sev-snp"));
    CopyFields(*snp, kSnp, claims);
    SetDebugFlag(Down(*snp, {"policy_debug_allowed"}), claims);
  } else if (const Json* tdx = Member(evidence, "tdx"); tdx != nullptr) {
    claims.Set("token.tee", std::string("tdx"));
    CopyFields(Down(*tdx, {"quote", "body"}), kTdxBody, claims);
    CopyFields(Down(*tdx, {"td_attributes"}), kTdAttributes, claims);
  } else if (const Json* sgx = Member(evidence, "sgx"); sgx != nullptr) {
    claims.Set("token.tee", std::string("sgx"));
    CopyFields(Down(*sgx, {"body"}), kSgxBody, claims);
    SetSgxDebug(Down(*sgx, {"body"}), claims);
  }
}

// The place of the status in kTiers.
Result<size_t> StatusOf(const Json& submodule) {
  const Json* status = Member(submodule, "ear.status");
  for (size_t i = 0; status != nullptr && i < std::size(kTiers); ++i) {
    if (*status == Json(kTiers[i].name) || *status == Json(kTiers[i].number)) return i;
  }
  return Fail(Code::kEvidenceMalformed, "a submodule without ear.status");
}

bool Is(const Json& payload) {
  const auto profile = TextMember(payload, "eat_profile");
  return profile.has_value() &&
         std::find(kProfiles.begin(), kProfiles.end(), *profile) != kProfiles.end();
}

Status SetStatus(size_t worst, ClaimSet& claims) {
  const std::string name(kTiers[worst].name);
  if (name == "contraindicated")
    return FailWanted(Code::kEvidenceTcb, "ear.status", "affirming, warning or none", name);
  claims.Set("token.ear_status", name);
  if (name == "affirming") claims.Set("tcb_status", std::string("up-to-date"));
  if (name == "warning") claims.Set("tcb_status", std::string("out-of-date"));
  return Done{};
}

Result<ClaimSet> Claims(const Json& payload) {
  const Json* issued = Member(payload, "iat");
  if (issued == nullptr || !issued->is_number())
    return Fail(Code::kEvidenceMalformed, "iat is missing");
  const Json* submods = Member(payload, "submods");
  if (submods == nullptr || !submods->is_object() || submods->empty())
    return Fail(Code::kEvidenceMalformed, "submods are missing");
  ClaimSet claims;
  size_t worst = 0;
  std::vector<std::string> names;
  for (const auto& [name, submodule] : submods->items()) {
    KC_ASSIGN(const size_t status, StatusOf(submodule));
    worst = std::max(worst, status);
    names.push_back(name);
  }
  KC_CHECK_OK(SetStatus(worst, claims));
  claims.Set("token.submods", names);
  // Of several submodules none speaks for the whole; of cpu0, which is Trustee's name for the
  // machine beside its devices, everything else hangs.
  const Json& machine = names.size() == 1 ? submods->front() : Down(*submods, {"cpu0"});
  CopyEvidence(Down(machine, {"ear.veraison.annotated-evidence"}), claims);
  if (auto policy = TextMember(machine, "ear.appraisal-policy-id"); policy.has_value())
    claims.Set("token.appraisal_policy_id", *std::move(policy));
  return claims;
}

std::vector<Bytes> Bindings(const Json& payload) {
  std::vector<Bytes> list;
  AddNonces(payload, list);
  const Json& submods = Down(payload, {"submods"});
  if (!submods.is_object()) return list;
  const bool one = submods.size() == 1;
  for (const auto& [name, submodule] : submods.items()) {
    if (!one && name != "cpu0") continue;
    AddNonces(submodule, list);
    const Json& evidence = Down(submodule, {"ear.veraison.annotated-evidence"});
    AddHex(Down(evidence, {"snp"}), "report_data", list);
    AddHex(Down(evidence, {"tdx", "quote", "body"}), "report_data", list);
    AddHex(Down(evidence, {"sgx", "body"}), "report_data", list);
  }
  return list;
}

}  // namespace

const Family kEar = {"trustee", Is, Claims, Bindings};

// In this order: no other service lets x-ms-attestation-type into its tokens, while the policy of
// an Azure instance may add almost any name.
const Family* FindFamily(const Json& payload) {
  for (const Family* family : {&kMaa, &kGoogle, &kEar, &kIta}) {
    if (family->is(payload)) return family;
  }
  return nullptr;
}

}  // namespace keyclave::attest::token
