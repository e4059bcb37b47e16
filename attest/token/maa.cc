// Microsoft Azure Attestation. Only what begins with x-ms- (and tdx_, of its TDX profile) is the
// service's own word: an instance's policy may add claims of any other name, and the older names
// (is-debuggable, product-id) are among those. Whoever owns the instance writes that policy:
// token.policy_hash tells which it was.

#include "attest/strict_json.h"
#include "attest/token/family.h"
#include "attest/token/maa_fields.h"

namespace keyclave::attest::token {
namespace {

bool Is(const Json& payload) { return TextMember(payload, "x-ms-attestation-type").has_value(); }

Result<ClaimSet> Claims(const Json& payload) {
  ClaimSet claims;
  CopyFields(payload, kMaaCommon, claims);
  // Of a virtual machine with a vTPM (azurevm) the hardware's claims stand one level below.
  const Json* isolation = Member(payload, "x-ms-isolation-tee");
  const Json& hardware = isolation == nullptr ? payload : *isolation;
  const std::string type = TextMember(hardware, "x-ms-attestation-type").value_or("");
  for (const MaaType& row : kMaaTypes) {
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
  for (const MaaType& row : kMaaTypes) {
    if (TextMember(payload, "x-ms-attestation-type") == row.type)
      AddHex(payload, row.report_data, list);
  }
  AddBase64(payload, "x-ms-sgx-ehd", list);
  return list;
}

}  // namespace

const Family kMaa = {"maa", Is, Claims, Bindings};

}  // namespace keyclave::attest::token
