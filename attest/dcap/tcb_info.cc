#include "attest/dcap/tcb_info.h"

#include <nlohmann/json.hpp>

namespace keyclave::attest::dcap {
namespace {

using Json = nlohmann::json;

// Version 2: "sgxtcbcomp01svn" … "sgxtcbcomp16svn".
Result<ByteArray<16>> ParseNamedComponents(const Json& tcb) {
  ByteArray<16> components;
  for (size_t i = 0; i < components.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    const std::string name = "sgxtcbcomp" + (i < 9 ? "0" + number : number) + "svn";
    KC_ASSIGN(const uint64_t svn, GetNumber(tcb, name.c_str(), UINT8_MAX));
    components.at(i) = static_cast<uint8_t>(svn);
  }
  return components;
}

// Version 3: a list of sixteen {"svn": …}.
Result<ByteArray<16>> ParseListedComponents(const Json& tcb, const char* name) {
  KC_ASSIGN(const Json* list, GetArray(tcb, name));
  ByteArray<16> components;
  if (list->size() != components.size())
    return Fail(Code::kCollateralInvalid, std::string(name) + " has not 16 entries");
  for (size_t i = 0; i < components.size(); ++i) {
    KC_ASSIGN(const uint64_t svn, GetNumber((*list)[i], "svn", UINT8_MAX));
    components.at(i) = static_cast<uint8_t>(svn);
  }
  return components;
}

Result<TcbLevel> ParseLevel(const Json& json, uint64_t version, Tee tee) {
  TcbLevel level;
  KC_ASSIGN(const Json* tcb, GetMember(json, "tcb"));
  if (version == 2) {
    KC_ASSIGN(level.sgx_components, ParseNamedComponents(*tcb));
  } else {
    KC_ASSIGN(level.sgx_components, ParseListedComponents(*tcb, "sgxtcbcomponents"));
  }
  if (tee == Tee::kTdx) {
    KC_ASSIGN(level.tdx_components, ParseListedComponents(*tcb, "tdxtcbcomponents"));
  }
  KC_ASSIGN(const uint64_t pcesvn, GetNumber(*tcb, "pcesvn", UINT16_MAX));
  level.pcesvn = static_cast<uint16_t>(pcesvn);
  KC_ASSIGN(level.finding, GetFinding(json));
  return level;
}

Result<TdxModule> ParseModule(const Json& json) {
  TdxModule module;
  KC_ASSIGN(module.mrsigner, GetHexArray<48>(json, "mrsigner"));
  KC_ASSIGN(module.attributes, GetHexArray<8>(json, "attributes"));
  KC_ASSIGN(module.attributes_mask, GetHexArray<8>(json, "attributesMask"));
  return module;
}

Result<TdxModule> ParseModuleIdentity(const Json& json) {
  KC_ASSIGN(TdxModule module, ParseModule(json));
  KC_ASSIGN(module.id, GetText(json, "id"));
  KC_ASSIGN(const Json* levels, GetArray(json, "tcbLevels"));
  for (const Json& one : *levels) {
    TdxModule::Level& level = module.levels.emplace_back();
    KC_ASSIGN(const Json* tcb, GetMember(one, "tcb"));
    KC_ASSIGN(const uint64_t isvsvn, GetNumber(*tcb, "isvsvn", UINT8_MAX));
    level.isvsvn = static_cast<uint8_t>(isvsvn);
    KC_ASSIGN(level.finding, GetFinding(one));
  }
  return module;
}

// Version 2 knows no TDX and says no id.
Result<Tee> ParseTee(const Json& json, uint64_t version) {
  if (version == 2) return Tee::kSgx;
  KC_ASSIGN(const std::string id, GetText(json, "id"));
  if (id == "SGX") return Tee::kSgx;
  if (id == "TDX") return Tee::kTdx;
  return Fail(Code::kCollateralInvalid, "id is neither SGX nor TDX");
}

Status ParseModules(const Json& json, TcbInfo& info) {
  KC_ASSIGN(const Json* module, GetMember(json, "tdxModule"));
  KC_ASSIGN(info.tdx_module, ParseModule(*module));
  if (!json.contains("tdxModuleIdentities")) return Done{};
  KC_ASSIGN(const Json* identities, GetArray(json, "tdxModuleIdentities"));
  for (const Json& one : *identities) {
    KC_ASSIGN(TdxModule identity, ParseModuleIdentity(one));
    info.tdx_module_identities.push_back(std::move(identity));
  }
  return Done{};
}

Status ParseInto(const Json& json, TcbInfo& info) {
  if (info.version != 2 && info.version != 3)
    return Fail(Code::kCollateralInvalid,
                "TCB info of version " + std::to_string(info.version) + " is not supported");
  KC_ASSIGN(info.tee, ParseTee(json, info.version));
  KC_ASSIGN(info.fmspc, GetHexArray<6>(json, "fmspc"));
  KC_ASSIGN(info.pceid, GetHexArray<2>(json, "pceId"));
  // How components are compared; 0 is the only way that is defined.
  KC_CHECK_OK(GetNumber(json, "tcbType", 0));
  KC_ASSIGN(const Json* levels, GetArray(json, "tcbLevels"));
  for (const Json& one : *levels) {
    KC_ASSIGN(TcbLevel level, ParseLevel(one, info.version, info.tee));
    info.levels.push_back(std::move(level));
  }
  return info.tee == Tee::kTdx ? ParseModules(json, info) : Done{};
}

bool Reaches(const ByteArray<16>& has, const ByteArray<16>& wanted, size_t from) {
  for (size_t i = from; i < has.size(); ++i) {
    if (has.at(i) < wanted.at(i)) return false;
  }
  return true;
}

std::string ModuleId(uint8_t version) { return "TDX_" + ToHex(ByteSpan(&version, 1)); }

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

// tdxModule for a module without version, else the identity of its version.
Result<const TdxModule*> FindModule(const TcbInfo& info, uint8_t version) {
  if (version == 0) {
    if (info.tdx_module.has_value()) return &*info.tdx_module;
    return Fail(Code::kEvidenceTcb, "the TCB info has no tdxModule");
  }
  const std::string id = ModuleId(version);
  for (const TdxModule& identity : info.tdx_module_identities) {
    if (EqualIgnoringCase(identity.id, id)) return &identity;
  }
  return Fail(Code::kEvidenceTcb, "the TCB info has no TDX module identity " + id);
}

}  // namespace

Result<TcbInfo> ParseTcbInfo(const Document& document) {
  TcbInfo info;
  Json json;
  KC_CHECK_OK(ReadStatement(document, "tcbInfo", info, json));
  const auto parsed = ParseInto(json, info);
  if (!parsed.ok()) return parsed.error().In(document.source());
  return info;
}

Result<TcbFinding> FindPlatformLevel(const TcbInfo& info, const PckPlatform& platform,
                                     const ByteArray<16>* tee_tcb_svn) {
  const size_t from = tee_tcb_svn != nullptr && (*tee_tcb_svn)[1] > 0 ? 2 : 0;
  for (const TcbLevel& level : info.levels) {
    if (!Reaches(platform.components, level.sgx_components, 0) || platform.pcesvn < level.pcesvn)
      continue;
    if (tee_tcb_svn == nullptr || Reaches(*tee_tcb_svn, level.tdx_components, from))
      return level.finding;
  }
  std::string has =
      "components " + ToHex(platform.components) + ", PCE SVN " + std::to_string(platform.pcesvn);
  if (tee_tcb_svn != nullptr) has += ", tee_tcb_svn " + ToHex(*tee_tcb_svn);
  return FailWanted(
      Code::kEvidenceTcb, "no TCB level fits the platform",
      "one of " + std::to_string(info.levels.size()) + " levels of FMSPC " + ToHex(info.fmspc),
      has);
}

Result<std::optional<TcbFinding>> FindModuleLevel(const TcbInfo& info,
                                                  const ByteArray<16>& tee_tcb_svn) {
  const uint8_t version = tee_tcb_svn[1];
  if (version == 0) return std::optional<TcbFinding>();
  KC_ASSIGN(const TdxModule* module, FindModule(info, version));
  for (const TdxModule::Level& level : module->levels) {
    if (tee_tcb_svn[0] >= level.isvsvn) return std::optional(level.finding);
  }
  return FailWanted(Code::kEvidenceTcb, "no TCB level fits TDX module " + module->id,
                    std::to_string(module->levels.back().isvsvn) + " or more",
                    std::to_string(tee_tcb_svn[0]));
}

Status CheckModuleIdentity(const TcbInfo& info, const TdReport& report) {
  KC_ASSIGN(const TdxModule* module, FindModule(info, report.tee_tcb_svn[1]));
  if (!Equal(module->mrsigner, report.mrsignerseam))
    return FailWanted(Code::kEvidenceIdentity, "MRSIGNERSEAM", ToHex(module->mrsigner),
                      ToHex(report.mrsignerseam));
  ByteArray<8> masked = report.seamattributes;
  for (size_t i = 0; i < masked.size(); ++i)
    masked.at(i) = static_cast<uint8_t>(masked.at(i) & module->attributes_mask.at(i));
  if (!Equal(module->attributes, masked))
    return FailWanted(Code::kEvidenceIdentity, "SEAMATTRIBUTES", ToHex(module->attributes),
                      ToHex(report.seamattributes));
  return Done{};
}

}  // namespace keyclave::attest::dcap
