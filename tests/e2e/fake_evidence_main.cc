// fake_evidence TYPE DIRECTORY [--answer]: evidence of a fake TEE for tests of the command line, in
// files. With --answer it then reads lines of report data (hexadecimal, 64 bytes each) and writes
// a line of evidence (base64) for each.
//
//   evidence.bin         genuine, under a root of its own; debug.bin the same in debug mode
//   trust/               what it is trusted by: roots.pem, key.pem, jwks.json
//   collateral/          what its verification needs
//   variants/            other editions of the collateral (SGX and TDX), by names that say how they
//                        differ
#include <cstdio>
#include <filesystem>
#include <iostream>

#include "enclave/base/file.h"
#include "tests/fakes/fake_intel.h"
#include "tests/fakes/fake_snp.h"
#include "tests/fakes/must.h"

namespace {

using namespace keyclave;        // NOLINT(google-build-using-namespace)
using namespace keyclave::test;  // NOLINT(google-build-using-namespace)

class Folder {
 public:
  explicit Folder(std::string path) : path_(std::move(path)) {
    std::filesystem::create_directories(path_);
  }
  Folder Under(const std::string& name) const { return Folder(path_ + "/" + name); }
  void Write(const std::string& name, ByteSpan bytes) const {
    if (!WriteNewFile(path_ + "/" + name, bytes, 0644).ok()) std::abort();
  }
  void Write(const std::string& name, const std::string& text) const { Write(name, AsBytes(text)); }

 private:
  std::string path_;
};

std::string KeyPem(ByteSpan spki) {
  return "-----BEGIN PUBLIC KEY-----\n" + ToBase64(spki) + "\n-----END PUBLIC KEY-----\n";
}

void WriteTrust(const Folder& folder, const attest::Trust& trust) {
  std::string roots;
  std::string keys;
  for (const auto& [type, list] : trust.roots) {
    for (const attest::Certificate& root : list) roots += root.Pem();
  }
  for (const auto& [type, list] : trust.keys) {
    for (const Bytes& key : list) keys += KeyPem(key);
  }
  for (const Bytes& key : trust.simulated_roots) keys += KeyPem(key);
  for (const attest::TokenIssuer& issuer : trust.token_issuers)
    folder.Write("jwks.json", issuer.keys);
  if (!roots.empty()) folder.Write("roots.pem", roots);
  if (!keys.empty()) folder.Write("key.pem", keys);
}

attest::ReportData SomeReportData() {
  attest::ReportData data{};
  data.fill(0x33);
  return data;
}

// Makes evidence over the report data that it is given.
using Maker = std::function<Bytes(const attest::ReportData&)>;

Maker WriteDcap(attest::dcap::Tee tee, const Folder& folder) {
  const auto shared = std::make_shared<const FakeIntel>(tee);
  const FakeIntel& intel = *shared;
  const FakeCollateral good;
  WriteTrust(folder.Under("trust"), intel.Trust());
  folder.Write("evidence.bin", intel.Quote(SampleQuote(tee, SomeReportData(), false)));
  folder.Write("debug.bin", intel.Quote(SampleQuote(tee, SomeReportData(), true)));
  const Folder collateral = folder.Under("collateral");
  collateral.Write("tcb_info.json", intel.TcbInfo(good.tcb_info));
  collateral.Write("qe_identity.json", intel.EnclaveIdentity(good.qe_identity));
  collateral.Write("signing_chain.pem", intel.tcb_signing().Pem() + intel.root().Pem());
  collateral.Write("pck_crl_issuer_chain.pem", intel.pck_ca().Pem() + intel.root().Pem());
  collateral.Write("root_ca_crl.der",
                   intel.root().RevocationList({}, good.lists_from, good.lists_until));
  collateral.Write("pck_crl.der",
                   intel.pck_ca().RevocationList({}, good.lists_from, good.lists_until));

  const Folder variants = folder.Under("variants");
  FakeTcbInfo info;
  info.evaluation_number = good.tcb_info.evaluation_number + 1;
  info.issued += 1;
  variants.Write("tcb_info_newer.json", intel.TcbInfo(info));
  Bytes edited = intel.TcbInfo(info);
  // One digit of a date that is signed.
  const size_t at = AsText(edited).find("2019") + 3;
  edited.at(at) = '8';
  variants.Write("tcb_info_edited.json", edited);
  info.expires = info.issued + 30 * 86'400;
  info.evaluation_number += 1;
  variants.Write("tcb_info_expired.json", intel.TcbInfo(info));
  variants.Write("pck_crl_revoked.der",
                 intel.pck_ca().RevocationList({intel.pck().certificate()}, good.lists_from + 1,
                                               good.lists_until));
  const FakeIntel stranger(tee);
  variants.Write("tcb_info_stranger.json", stranger.TcbInfo(info));
  variants.Write("stranger_chain.pem", stranger.tcb_signing().Pem() + stranger.root().Pem());
  return [shared, tee](const attest::ReportData& data) {
    return shared->Quote(SampleQuote(tee, data, false));
  };
}

Maker WriteSnp(const Folder& folder) {
  FakeSnpOptions options;
  options.bring_table = false;
  const auto shared = std::make_shared<const FakeSnp>(options);
  const FakeSnp& snp = *shared;
  WriteTrust(folder.Under("trust"), snp.OwnTrust());
  folder.Write("evidence.bin", snp.Evidence(SomeReportData(), 0, false));
  folder.Write("debug.bin", snp.Evidence(SomeReportData(), 0, true));
  const Folder collateral = folder.Under("collateral");
  collateral.Write("vcek.pem", snp.leaf().Pem());
  collateral.Write("cert_chain.pem", snp.ask().Pem() + snp.ark().Pem());
  return [shared](const attest::ReportData& data) { return shared->Evidence(data, 0, false); };
}

// A type that needs nothing beside its evidence.
Maker WriteAny(std::unique_ptr<FakeTee> made, const Folder& folder) {
  const std::shared_ptr<const FakeTee> tee(std::move(made));
  WriteTrust(folder.Under("trust"), tee->OwnTrust());
  const UnixTime now = SystemClock().Now();
  folder.Write("evidence.bin", tee->Evidence(SomeReportData(), now, false));
  folder.Write("debug.bin", tee->Evidence(SomeReportData(), now, true));
  folder.Under("collateral");
  return [tee](const attest::ReportData& data) {
    return tee->Evidence(data, SystemClock().Now(), false);
  };
}

bool Answer(const Maker& maker) {
  for (std::string line; std::getline(std::cin, line);) {
    const auto bytes = FromHex(line);
    attest::ReportData data{};
    if (!bytes.ok() || bytes->size() != data.size()) return false;
    std::copy(bytes->begin(), bytes->end(), data.begin());
    std::cout << ToBase64(maker(data)) << std::endl;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const bool answers = argc == 4 && std::string_view(argv[3]) == "--answer";
  if (argc != 3 && !answers) {
    std::fprintf(stderr, "usage: fake_evidence TYPE DIRECTORY [--answer]\n");
    return 2;
  }
  Maker maker;
  const std::string type = argv[1];
  const Folder folder(argv[2]);
  if (type == "sgx" || type == "tdx") {
    maker = WriteDcap(type == "sgx" ? attest::dcap::Tee::kSgx : attest::dcap::Tee::kTdx, folder);
  } else if (type == "sev-snp") {
    maker = WriteSnp(folder);
  } else if (auto tee = FakeTee::Create(type); tee != nullptr) {
    maker = WriteAny(std::move(tee), folder);
  } else {
    std::fprintf(stderr, "fake_evidence: there is no fake TEE of type %s\n", type.c_str());
    return 2;
  }
  return !answers || Answer(maker) ? 0 : 1;
}
