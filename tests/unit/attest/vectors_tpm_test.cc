// Evidence of real TPMs and of Azure's virtual ones, where it is at hand: KEYCLAVE_EVIDENCE_DIR
// names a folder with an INDEX.md that says what each must give.

#include <gtest/gtest.h>

#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "attest/tee_type.h"
#include "attest/tpm/evidence.h"
#include "enclave/base/file.h"

namespace keyclave::attest {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr size_t kMaxFile = size_t{1} << 20;

class Vector {
 public:
  explicit Vector(fs::path folder) : folder_(std::move(folder)) {
    meta_ = Json::parse(Read("META.json"), nullptr, false);
  }
  bool Has(const std::string& name) const { return fs::exists(folder_ / name); }
  Bytes Read(const std::string& name) const {
    auto bytes = ReadFile((folder_ / name).string(), kMaxFile);
    return bytes.ok() ? *std::move(bytes) : Bytes();
  }
  const Json& meta() const { return meta_; }
  std::string name() const { return folder_.filename().string(); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

 private:
  fs::path folder_;
  Json meta_;
};

Bytes FirstOf(const Vector& vector, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (vector.Has(name)) return vector.Read(name);
  }
  return {};
}

tpm::PcrValues PcrsOf(const Vector& vector) {
  tpm::PcrValues values;
  for (const tpm::Bank& bank : tpm::AllBanks()) {
    const std::string name = "pcrs_" + std::string(bank.name) + ".json";
    if (!vector.Has(name)) continue;
    const Json json = Json::parse(vector.Read(name), nullptr, false);
    for (const auto& [index, value] : json.items())
      values[bank.id][static_cast<unsigned>(std::stoul(index))] =
          FromHex(value.get<std::string>()).value();
  }
  return values;
}

std::vector<Bytes> CertificatesIn(const Vector& vector, const std::string& name) {
  std::vector<Bytes> list;
  if (!vector.Has(name)) return list;
  const auto certificates = Certificate::ListFrom(vector.Read(name));
  EXPECT_TRUE(certificates.ok());
  if (!certificates.ok()) return list;
  for (const Certificate& one : *certificates) list.push_back(one.der());
  return list;
}

Bytes EvidenceOf(const Vector& vector) {
  tpm::Evidence evidence;
  evidence.attest = FirstOf(vector, {"quote.attest.bin", "tpm_quote.attest.bin"});
  evidence.signature = FirstOf(vector, {"quote.tpmt_signature.bin"});
  if (evidence.signature.empty()) {
    const Bytes raw = FirstOf(vector, {"tpm_quote.rsassa_sha256.sig.bin", "signature.raw.bin"});
    if (!raw.empty()) evidence.signature = tpm::WrapRsassaSha256(raw);
  }
  // The files hold all registers.
  const auto attest = tpm::ParseAttest(evidence.attest);
  if (attest.ok()) evidence.pcrs = tpm::OnlySelected(attest->selections, PcrsOf(vector));
  evidence.hcl_report = FirstOf(vector, {"hcl_report.bin"});
  evidence.td_quote = FirstOf(vector, {"td_quote.bin"});
  for (const char* name : {"vcek.der", "vcek_chain.pem"}) {
    for (Bytes& one : CertificatesIn(vector, name))
      evidence.hardware_chain.push_back(std::move(one));
  }
  evidence.certificate = FirstOf(vector, {"ak_cert.der"});
  evidence.chain = CertificatesIn(vector, "ak_chain.pem");
  if (vector.Has("ak_pub.pem"))
    evidence.key = PublicKey::FromPem(vector.Read("ak_pub.pem")).value().spki();
  return tpm::EncodeEvidence(evidence);
}

// What the folder brings counts, because this caller says so.
Trust TrustOf(const Vector& vector) {
  Trust trust;
  if (vector.Has("ak_pub.pem"))
    trust.keys["tpm"] = {PublicKey::FromPem(vector.Read("ak_pub.pem")).value().spki()};
  if (vector.Has("trusted_ca.pem"))
    trust.roots["tpm"] = Certificate::ListFrom(vector.Read("trusted_ca.pem")).value();
  if (vector.Has("collateral")) {
    auto collateral = Collateral::Load(vector.path("collateral"));
    EXPECT_TRUE(collateral.ok()) << collateral.error().Text();
    if (collateral.ok()) trust.collateral = std::make_shared<Collateral>(*std::move(collateral));
  }
  return trust;
}

Result<ClaimSet> Examine(const Vector& vector) {
  const Json& expected = vector.meta()["expected"];
  // Where nothing says when, nothing depends on it.
  const std::string at = expected.value("verify_at", "2025-06-01T00:00:00Z");
  auto binding = ExpectedBinding::None();
  if (vector.Has("expected_nonce.hex")) {
    std::string hex(AsText(vector.Read("expected_nonce.hex")));
    while (!hex.empty() && (hex.back() == '\n' || hex.back() == ' ')) hex.pop_back();
    binding = ExpectedBinding::Nonce(FromHex(hex).value());
  }
  KC_ASSIGN(const Unverified parsed, ParseEvidence("tpm", EvidenceOf(vector)));
  EXPECT_FALSE(parsed.type().describe(parsed.parsed()).empty());
  const Trust trust = TrustOf(vector);
  return ExamineEvidence(parsed, {trust, ParseTime(at).value(), std::move(binding)});
}

// The default policy refuses PCRs of SHA-1.
std::string VerdictOf(const Result<ClaimSet>& claims) {
  if (!claims.ok()) return "reject";
  const Claim* bank = claims->Find("tpm.pcr_bank");
  return bank == nullptr || bank->value == ClaimValue(std::string("sha1")) ? "policy" : "accept";
}

// Whether a claim is there and says this.
class Comparison {
 public:
  Comparison(const ClaimSet& claims, std::string vector)
      : claims_(claims), vector_(std::move(vector)) {}
  void Is(const char* name, const ClaimValue& wanted) {
    const Claim* claim = claims_.Find(name);
    const std::string got = claim == nullptr ? "absent" : ToText(claim->value);
    EXPECT_EQ(got, ToText(wanted)) << vector_ << ": " << name;
    same_ = same_ && got == ToText(wanted);
  }
  bool same() const { return same_; }

 private:
  const ClaimSet& claims_;
  std::string vector_;
  bool same_ = true;
};

void CompareQuote(const Json& wanted, Comparison& comparison) {
  for (const char* name : {"qualified_signer", "firmware_version", "pcr_digest"})
    comparison.Is(("tpm." + std::string(name)).c_str(), wanted[name].get<std::string>());
  for (const char* name : {"clock", "reset_count", "restart_count"})
    comparison.Is(("tpm." + std::string(name)).c_str(), wanted[name].get<int64_t>());
  comparison.Is("tpm.safe", wanted["safe"].get<int>() == 1);
  const Json& selection = wanted["pcr_select"][0];
  std::string text = selection["alg"].get<std::string>() + ":";
  for (const Json& index : selection["pcrs"])
    text += (text.ends_with(":") ? "" : ",") + std::to_string(index.get<int>());
  comparison.Is("tpm.pcr_selection", text);
}

void CompareHardware(const Json& wanted, Comparison& comparison) {
  const bool snp = wanted.contains("snp");
  const Json& report = snp ? wanted["snp"] : wanted["td"];
  comparison.Is("tee", std::string(snp ? "sev-snp" : "tdx"));
  comparison.Is("measurement", report[snp ? "measurement" : "mrtd"].get<std::string>());
  comparison.Is("debug", false);
  comparison.Is("tpm.form", std::string("azure-cvm"));
  if (!snp) comparison.Is("tcb_status", std::string("out-of-date"));
}

bool Matches(const Vector& vector) {
  const Json& meta = vector.meta();
  const auto claims = Examine(vector);
  const std::string wanted = meta["expected"]["verdict_code"].get<std::string>();
  const std::string got = VerdictOf(claims);
  EXPECT_EQ(got, wanted) << vector.name() << ": " << (claims.ok() ? "" : claims.error().Text());
  if (!claims.ok()) {
    std::cout << "  " << vector.name() << ": " << claims.error().Text() << "\n";
    return got == wanted;
  }
  Comparison comparison(*claims, vector.name());
  const bool azure = meta["claims"].contains("tpm_quote");
  CompareQuote(azure ? meta["claims"]["tpm_quote"] : meta["claims"], comparison);
  if (azure) CompareHardware(meta["claims"], comparison);
  return got == wanted && comparison.same();
}

void RunFamily(const std::string& family) {
  const char* folder = std::getenv("KEYCLAVE_EVIDENCE_DIR");
  if (folder == nullptr || !fs::is_directory(fs::path(folder) / family))
    GTEST_SKIP() << "KEYCLAVE_EVIDENCE_DIR names no folder of real evidence with " << family;
  size_t all = 0;
  size_t good = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(folder) / family)) {
    ++all;
    if (Matches(Vector(entry.path()))) ++good;
  }
  std::cout << family << ": " << good << " of " << all << " vectors match\n";
  EXPECT_EQ(good, all);
  EXPECT_GT(all, 0U);
}

TEST(TpmVectors, GiveWhatTheirIndexSays) { RunFamily("tpm"); }
TEST(AzureVectors, GiveWhatTheirIndexSays) { RunFamily("azure-cvm"); }

}  // namespace
}  // namespace keyclave::attest
