// TCB info and enclave identities, as Intel's service words them.
#include <nlohmann/json.hpp>

#include "attest/dcap/enclave_identity.h"
#include "tests/fakes/fake_intel.h"

namespace keyclave::test {
namespace {

using attest::dcap::Tee;
// Keeps the order of members, as the service has it.
using Json = nlohmann::ordered_json;

void PutStatement(Json& json, const FakeStatement& statement) {
  json["issueDate"] = FormatTime(statement.issued);
  json["nextUpdate"] = FormatTime(statement.expires);
}

void PutFinding(Json& json, const FakeFinding& finding) {
  json["tcbDate"] = finding.date;
  json["tcbStatus"] = finding.status;
  if (!finding.advisories.empty()) json["advisoryIDs"] = finding.advisories;
}

Json Listed(const ByteArray<16>& components) {
  Json list = Json::array();
  for (const uint8_t svn : components) list.push_back({{"svn", svn}});
  return list;
}

void PutNamed(Json& tcb, const ByteArray<16>& components) {
  for (size_t i = 0; i < components.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    tcb["sgxtcbcomp" + (i < 9 ? "0" + number : number) + "svn"] = components.at(i);
  }
}

Json Level(const FakeTcbLevel& level, unsigned version, Tee tee) {
  Json json;
  Json& tcb = json["tcb"];
  if (version == 2) {
    PutNamed(tcb, level.sgx);
  } else {
    tcb["sgxtcbcomponents"] = Listed(level.sgx);
  }
  tcb["pcesvn"] = level.pcesvn;
  if (tee == Tee::kTdx) tcb["tdxtcbcomponents"] = Listed(level.tdx);
  PutFinding(json, level.finding);
  return json;
}

Json SvnLevels(const std::vector<FakeSvnLevel>& levels) {
  Json list = Json::array();
  for (const FakeSvnLevel& level : levels) {
    Json json;
    json["tcb"]["isvsvn"] = level.isvsvn;
    PutFinding(json, level.finding);
    list.push_back(json);
  }
  return list;
}

Json Module(const FakeModule& module, bool identity) {
  Json json;
  if (identity) json["id"] = module.id;
  json["mrsigner"] = ToHex(module.mrsigner);
  json["attributes"] = ToHex(module.attributes);
  json["attributesMask"] = ToHex(module.attributes_mask);
  if (identity) json["tcbLevels"] = SvnLevels(module.levels);
  return json;
}

}  // namespace

Bytes FakeIntel::Signed(std::string_view name, std::string_view text) const {
  const auto signature =
      tcb_signing_.key().SignRaw(attest::SignatureScheme::kEcdsaP256Sha256, AsBytes(text));
  return ToBytes("{\"" + std::string(name) + "\":" + std::string(text) + ",\"signature\":\"" +
                 ToHex(signature.r) + ToHex(signature.s) + "\"}");
}

Bytes FakeIntel::TcbInfo(const FakeTcbInfo& info) const {
  Json json;
  if (info.version > 2) json["id"] = tee_ == Tee::kSgx ? "SGX" : "TDX";
  json["version"] = info.version;
  PutStatement(json, info);
  std::string fmspc = ToHex(platform_.fmspc);
  if (info.upper_case_fmspc)
    std::transform(fmspc.begin(), fmspc.end(), fmspc.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  json["fmspc"] = fmspc;
  json["pceId"] = ToHex(platform_.pceid);
  json["tcbType"] = 0;
  json["tcbEvaluationDataNumber"] = info.evaluation_number;
  if (tee_ == Tee::kTdx) {
    json["tdxModule"] = Module(info.module, false);
    Json& identities = json["tdxModuleIdentities"] = Json::array();
    for (const FakeModule& one : info.identities) identities.push_back(Module(one, true));
  }
  Json& levels = json["tcbLevels"] = Json::array();
  for (const FakeTcbLevel& level : info.levels) levels.push_back(Level(level, info.version, tee_));
  return Signed("tcbInfo", json.dump());
}

Bytes FakeIntel::EnclaveIdentity(const FakeEnclaveIdentity& identity) const {
  Json json;
  json["id"] = identity.id.empty() ? std::string(attest::dcap::QeIdentityId(tee_)) : identity.id;
  json["version"] = 2;
  PutStatement(json, identity);
  json["tcbEvaluationDataNumber"] = identity.evaluation_number;
  json["miscselect"] = identity.miscselect;
  json["miscselectMask"] = identity.miscselect_mask;
  json["attributes"] = identity.attributes;
  json["attributesMask"] = identity.attributes_mask;
  json["mrsigner"] = ToHex(identity.mrsigner);
  const uint16_t own = tee_ == Tee::kSgx ? 1 : 2;
  json["isvprodid"] = identity.isvprodid == 0 ? own : identity.isvprodid;
  json["tcbLevels"] = SvnLevels(identity.levels);
  return Signed("enclaveIdentity", json.dump());
}

}  // namespace keyclave::test
