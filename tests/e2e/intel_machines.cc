#include "tests/e2e/intel_machines.h"

namespace keyclave::test {
namespace {

constexpr UnixTime kFrom = 1'546'300'800;   // 2019-01-01
constexpr UnixTime kUntil = 2'840'140'800;  // 2060-01-01
constexpr UnixTime kPast = 1'577'836'800;   // 2020-01-01

FakePlatform Platform(uint8_t last_of_fmspc,
                      const IntelMachines::ChangePlatform& change = nullptr) {
  FakePlatform platform;
  platform.fmspc[5] = last_of_fmspc;
  platform.cpusvn = platform.components;
  if (change) change(platform);
  return platform;
}

bool Names(const Variation& variation, std::string_view claim) {
  const auto& claims = variation.claims;
  return std::find(claims.begin(), claims.end(), claim) != claims.end();
}

void Add(attest::Collateral& collateral, const Bytes& bytes, const char* name) {
  if (!collateral.Add(bytes, name).ok()) std::abort();
}

}  // namespace

IntelMachines::IntelMachines(attest::dcap::Tee tee)
    : tee_(tee),
      type_(attest::dcap::TypeName(tee)),
      late_since_(SystemClock().Now() - 3600),
      good_(tee, Platform(0)),
      other_fmspc_(good_.WithPlatform(Platform(1))),
      other_pceid_(good_.WithPlatform(Platform(0, [](FakePlatform& p) { p.pceid[0] = 1; }))),
      one_package_(
          good_.WithPlatform(Platform(0, [](FakePlatform& p) { p.multi_package = false; }))),
      revoked_level_(good_.WithPlatform(Platform(2))),
      no_level_(good_.WithPlatform(Platform(3))),
      expired_(good_.WithPlatform(Platform(4))),
      late_(good_.WithPlatform(Platform(6))),
      unknown_(good_.WithPlatform(Platform(5))),
      revoked_(good_.WithPlatform(Platform(0))) {}

FakeTcbInfo IntelMachines::GoodTcbInfo() const {
  FakeTcbLevel good;
  good.sgx = good_.platform().components;
  good.pcesvn = good_.platform().pcesvn;
  good.finding = {"SWHardeningNeeded", "2025-01-01T00:00:00Z", {"INTEL-SA-00334"}};
  FakeTcbLevel old;
  old.finding = {"OutOfDate", "2023-01-01T00:00:00Z", {"INTEL-SA-00334", "INTEL-SA-00615"}};
  FakeTcbInfo info;
  info.levels = {good, old};
  for (FakeModule& module : info.identities)
    module.levels = {{5, {}}, {1, {"OutOfDate", "2022-01-01T00:00:00Z", {}}}};
  return info;
}

attest::Trust IntelMachines::Trust() const {
  FakeCollateral what;
  what.tcb_info = GoodTcbInfo();
  what.qe_identity.levels = {{8, {}}, {1, {"OutOfDate", "2021-01-01T00:00:00Z", {}}}};
  what.pck_list = false;
  attest::Collateral collateral = good_.Collateral(what);
  Add(collateral, good_.pck_ca().RevocationList({revoked_.pck().certificate()}, kFrom, kUntil),
      "platform.crl");
  Add(collateral, one_package_.pck_ca().RevocationList({}, kFrom, kUntil), "processor.crl");
  FakeTcbInfo info = GoodTcbInfo();
  Add(collateral, other_pceid_.TcbInfo(info), "pceid.json");
  ++info.evaluation_number;
  Add(collateral, other_fmspc_.TcbInfo(info), "fmspc.json");
  info = GoodTcbInfo();
  info.levels = {FakeTcbLevel{.finding = {.status = "Revoked"}}};
  Add(collateral, revoked_level_.TcbInfo(info), "revoked.json");
  info.levels = {FakeTcbLevel{.pcesvn = 99, .finding = {}}};
  Add(collateral, no_level_.TcbInfo(info), "none.json");
  info = GoodTcbInfo();
  info.expires = kPast;
  Add(collateral, expired_.TcbInfo(info), "expired.json");
  info.expires = late_since_;
  Add(collateral, late_.TcbInfo(info), "late.json");
  attest::Trust trust;
  trust.roots[type_] = {good_.root().certificate()};
  trust.collateral = std::make_shared<const attest::Collateral>(std::move(collateral));
  return trust;
}

Signer IntelMachines::Of(const FakeIntel& intel, ChangeQuote change) const {
  return [intel, change, tee = tee_](const attest::ReportData& report_data) {
    FakeQuote quote = SampleQuote(tee, report_data, false);
    if (auto* td = std::get_if<attest::dcap::TdReport>(&quote.body)) {
      quote.version = 5;
      td->of_15 = attest::dcap::Td15Fields{.tee_tcb_svn2 = td->tee_tcb_svn, .mrservicetd = {7}};
    }
    if (change) change(quote);
    return intel.Quote(quote);
  };
}

Signer IntelMachines::Good() const { return Of(good_); }
Signer IntelMachines::With(ChangeQuote change) const { return Of(good_, std::move(change)); }
Signer IntelMachines::On(const ChangePlatform& change) const {
  return Of(good_.WithPlatform(Platform(0, change)));
}
Signer IntelMachines::OfStranger() const { return Of(FakeIntel(tee_, Platform(0))); }

std::vector<Variation> IntelMachines::PlatformVariations() const {
  const auto qe_svn = [this](uint16_t svn) {
    return With([svn](FakeQuote& quote) { quote.qe.isv_svn = svn; });
  };
  std::vector<Variation> list = {
      {{Own("qe_svn")}, qe_svn(9)},
      {{Own("qe_tcb_status"), "tcb_status", "tcb_date", Own("qe_svn")}, qe_svn(7)},
      {{Own("ppid")}, On([](FakePlatform& p) { p.ppid[0] ^= 1; })},
      {{"platform_id", Own("platform_instance_id")}, On([](FakePlatform& p) { ++p.instance; })},
      {{Own("fmspc"), Own("tcb_evaluation_data_number")}, Of(other_fmspc_)},
      {{Own("pceid")}, Of(other_pceid_)},
      {{Own("pcesvn")}, On([](FakePlatform& p) { ++p.pcesvn; })},
      {{Own("pck_cpusvn")}, On([](FakePlatform& p) { ++p.cpusvn[0]; })},
      {{Own("tcb_components")}, On([](FakePlatform& p) { ++p.components[0]; })},
      {{"tcb_status", "tcb_date", "advisories", Own("platform_tcb_status"),
        Own("platform_tcb_date"), Own("tcb_components")},
       On([](FakePlatform& p) { --p.components[0]; })},
      {{Own("sgx_type")}, On([](FakePlatform& p) { p.sgx_type = 2; })},
      {{Own("dynamic_platform")}, On([](FakePlatform& p) { p.dynamic_platform = false; })},
      {{Own("cached_keys")}, On([](FakePlatform& p) { p.cached_keys = true; })},
      {{Own("smt_enabled")}, On([](FakePlatform& p) { p.smt_enabled = false; })},
      {{Own("pck_ca"), "platform_id", Own("platform_instance_id"), Own("sgx_type"),
        Own("dynamic_platform"), Own("cached_keys"), Own("smt_enabled")},
       Of(one_package_)}};
  // The TCB that a TD runs on now is the same platform's.
  for (Variation& one : list) {
    if (tee_ == attest::dcap::Tee::kTdx && Names(one, "tcb_status"))
      one.claims.push_back(Own("current_tcb_status"));
  }
  return list;
}

void CheckThatOnlyGenuineQuotesAreAccepted(TeeLab& lab, const IntelMachines& machines) {
  const auto refused = [&](const Signer& sign, Code code, const std::vector<std::string>& words) {
    CheckRefusal(lab, machines.type(), sign, code, words);
  };
  refused(machines.OfStranger(), Code::kEvidenceChain, {"Intel SGX PCK"});
  refused(machines.OnRevoked(), Code::kEvidenceRevoked, {"serial"});
  refused(machines.With([](FakeQuote& q) { q.foreign_pck_key = true; }), Code::kEvidenceSignature,
          {"QE report"});
  refused(machines.With([](FakeQuote& q) { q.foreign_attestation_key = true; }),
          Code::kEvidenceSignature, {"attestation key"});
  refused(machines.With([](FakeQuote& q) { q.qe_report_data = ByteArray<64>{}; }),
          Code::kEvidenceSignature, {"attestation key that the QE report vouches for"});
  refused(machines.With([](FakeQuote& q) { q.qe.mr_signer[0] ^= 1; }), Code::kEvidenceIdentity,
          {"MRSIGNER", "wanted 8c8c", "got 8d8c"});
  refused(machines.On([](FakePlatform& p) { p.not_after = kPast; }), Code::kEvidenceTime,
          {"CN=Intel SGX PCK Certificate", "wanted", "got"});
  // What is not good of the platform, or not there, is named by its FMSPC.
  refused(machines.OnRevokedLevel(), Code::kEvidenceTcb, {"Revoked"});
  refused(machines.OnNoLevel(), Code::kEvidenceTcb, {});
  refused(machines.OnExpired(), Code::kCollateralExpired,
          {"00A06F050004", "to 2020-01-01T00:00:00Z", "https://"});
  refused(machines.OnUnknown(), Code::kCollateralMissing, {"00A06F050005", "https://"});
}

}  // namespace keyclave::test
