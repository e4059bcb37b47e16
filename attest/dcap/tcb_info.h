// TCB info: Intel's list of what a family of platforms should run (PCS API, "Get TCB Info";
// versions 2 and 3), and the level in it that a platform reaches.
#pragma once

#include "attest/dcap/pck.h"
#include "attest/dcap/quote.h"
#include "attest/dcap/signed_document.h"

namespace keyclave::attest::dcap {

struct TcbLevel {
  ByteArray<16> sgx_components{};
  ByteArray<16> tdx_components{};  // of TCB info for TDX
  uint16_t pcesvn = 0;
  TcbFinding finding;
};

// tdxModule, or one of tdxModuleIdentities.
struct TdxModule {
  std::string id;  // "TDX_01"; empty for tdxModule
  ByteArray<48> mrsigner{};
  ByteArray<8> attributes{};
  ByteArray<8> attributes_mask{};
  struct Level {
    uint8_t isvsvn = 0;
    TcbFinding finding;
  };
  std::vector<Level> levels;  // none for tdxModule
};

struct TcbInfo : Statement {
  Tee tee = Tee::kSgx;
  ByteArray<6> fmspc{};
  ByteArray<2> pceid{};
  std::vector<TcbLevel> levels;  // the best first, as Intel sorts them
  std::optional<TdxModule> tdx_module;
  std::vector<TdxModule> tdx_module_identities;
};

// Not verified: neither signature nor time. kCollateralInvalid.
Result<TcbInfo> ParseTcbInfo(const Document& document);

// The first level that the platform reaches in all 16 components and the PCE's SVN, and for TDX in
// those of tee_tcb_svn: all, or, if the module has a version (tee_tcb_svn[1] > 0) and therefore an
// identity with levels of its own, those from the third on. kEvidenceTcb if there is none.
Result<TcbFinding> FindPlatformLevel(const TcbInfo& info, const PckPlatform& platform,
                                     const ByteArray<16>* tee_tcb_svn);

// The level of the TDX module that tee_tcb_svn names; nullopt for a module without version, which
// has none. kEvidenceTcb: no identity or level of it.
Result<std::optional<TcbFinding>> FindModuleLevel(const TcbInfo& info,
                                                  const ByteArray<16>& tee_tcb_svn);
// Whether the TD runs on a module signed by whom Intel says. kEvidenceTcb, kEvidenceIdentity.
Status CheckModuleIdentity(const TcbInfo& info, const TdReport& report);

}  // namespace keyclave::attest::dcap
