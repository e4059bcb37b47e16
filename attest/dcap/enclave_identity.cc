#include "attest/dcap/enclave_identity.h"

#include <nlohmann/json.hpp>

namespace keyclave::attest::dcap {
namespace {

using Json = nlohmann::json;

Status ParseInto(const Json& json, EnclaveIdentity& identity) {
  if (identity.version != 2)
    return Fail(
        Code::kCollateralInvalid,
        "enclave identity of version " + std::to_string(identity.version) + " is not supported");
  KC_ASSIGN(identity.id, GetText(json, "id"));
  KC_ASSIGN(identity.miscselect, GetHexArray<4>(json, "miscselect"));
  KC_ASSIGN(identity.miscselect_mask, GetHexArray<4>(json, "miscselectMask"));
  KC_ASSIGN(identity.attributes, GetHexArray<16>(json, "attributes"));
  KC_ASSIGN(identity.attributes_mask, GetHexArray<16>(json, "attributesMask"));
  KC_ASSIGN(identity.mrsigner, GetHexArray<32>(json, "mrsigner"));
  KC_ASSIGN(const uint64_t isvprodid, GetNumber(json, "isvprodid", UINT16_MAX));
  identity.isvprodid = static_cast<uint16_t>(isvprodid);
  KC_ASSIGN(const Json* levels, GetArray(json, "tcbLevels"));
  for (const Json& one : *levels) {
    EnclaveIdentity::Level& level = identity.levels.emplace_back();
    KC_ASSIGN(const Json* tcb, GetMember(one, "tcb"));
    KC_ASSIGN(const uint64_t isvsvn, GetNumber(*tcb, "isvsvn", UINT16_MAX));
    level.isvsvn = static_cast<uint16_t>(isvsvn);
    KC_ASSIGN(level.finding, GetFinding(one));
  }
  return Done{};
}

// The report's bytes that the mask keeps must be the identity's.
template <size_t N>
Status CheckMasked(const char* what, const ByteArray<N>& wanted, const ByteArray<N>& mask,
                   const ByteArray<N>& got) {
  for (size_t i = 0; i < N; ++i) {
    if ((got.at(i) & mask.at(i)) == wanted.at(i)) continue;
    return FailWanted(Code::kEvidenceIdentity, std::string("quoting enclave: ") + what,
                      ToHex(wanted) + " under mask " + ToHex(mask), ToHex(got));
  }
  return Done{};
}

}  // namespace

Result<EnclaveIdentity> ParseEnclaveIdentity(const Document& document) {
  EnclaveIdentity identity;
  Json json;
  KC_CHECK_OK(ReadStatement(document, "enclaveIdentity", identity, json));
  const auto parsed = ParseInto(json, identity);
  if (!parsed.ok()) return parsed.error().In(document.source());
  return identity;
}

Status CheckEnclave(const EnclaveIdentity& identity, const EnclaveReport& report) {
  if (!Equal(identity.mrsigner, report.mr_signer))
    return FailWanted(Code::kEvidenceIdentity, "quoting enclave: MRSIGNER",
                      ToHex(identity.mrsigner), ToHex(report.mr_signer));
  if (identity.isvprodid != report.isv_prod_id)
    return FailWanted(Code::kEvidenceIdentity, "quoting enclave: ISVPRODID",
                      std::to_string(identity.isvprodid), std::to_string(report.isv_prod_id));
  // Both in the order of memory.
  KC_CHECK_OK(
      CheckMasked("MISCSELECT", identity.miscselect, identity.miscselect_mask, report.miscselect));
  return CheckMasked("ATTRIBUTES", identity.attributes, identity.attributes_mask,
                     report.attributes);
}

Result<TcbFinding> FindEnclaveLevel(const EnclaveIdentity& identity, uint16_t isvsvn) {
  for (const EnclaveIdentity::Level& level : identity.levels) {
    if (isvsvn >= level.isvsvn) return level.finding;
  }
  return FailWanted(Code::kEvidenceTcb, "no TCB level fits the quoting enclave: ISVSVN",
                    std::to_string(identity.levels.back().isvsvn) + " or more",
                    std::to_string(isvsvn));
}

}  // namespace keyclave::attest::dcap
