// evidence_bench: verifications of evidence per second, on one thread with collateral parsed and
// kept as the daemon keeps it, beside the signatures alone that one of them must check: those that
// the evidence itself brings, up to the root. The same number and kinds, over as many bytes, by the
// same library (GnuTLS). What vouches for collateral (Intel's documents and lists) is no part of
// them. The two sides take turns of a hundredth of a second; prints one line of JSON per type.
//
// Unlike the other programs here it links Keyclave's library: no application sees this work.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <functional>

#include "tests/fakes/fake_intel.h"
#include "tests/fakes/fake_snp.h"
#include "tests/fakes/fake_tee.h"
#include "tests/fakes/fake_token.h"
#include "tests/fakes/must.h"

namespace {

using namespace keyclave;        // NOLINT(google-build-using-namespace)
using namespace keyclave::test;  // NOLINT(google-build-using-namespace)
using attest::SignatureScheme;

constexpr size_t kCertificate = 800;  // bytes that the signature of one covers, about

struct SignedBytes {
  FakeKeyKind key;
  SignatureScheme scheme;
  size_t size;
};

struct Subject {
  std::string name;
  std::string type;
  Bytes evidence;
  attest::Trust trust;
  std::vector<SignedBytes> signatures;
  std::shared_ptr<FakeTee> tee;  // keeps what the trust points to
};

constexpr UnixTime kNow = 1'790'000'000;

attest::ReportData SomeReportData() {
  attest::ReportData data{};
  data.fill(0x33);
  return data;
}

SignedBytes P256(size_t size) {
  return {FakeKeyKind::kP256, SignatureScheme::kEcdsaP256Sha256, size};
}
SignedBytes P384(size_t size) {
  return {FakeKeyKind::kP384, SignatureScheme::kEcdsaP384Sha384, size};
}

// TCB info of as many levels as Intel's have.
Subject Dcap(attest::dcap::Tee tee) {
  const FakeIntel intel(tee);
  FakeCollateral collateral;
  collateral.tcb_info.levels.resize(16);
  for (FakeTcbLevel& level : collateral.tcb_info.levels)
    level.finding.advisories = {"INTEL-SA-00615", "INTEL-SA-00657", "INTEL-SA-00837"};
  const size_t body = tee == attest::dcap::Tee::kSgx ? 384 : 584;
  return {.name = std::string(TypeName(tee)),
          .type = std::string(TypeName(tee)),
          .evidence = intel.Quote(SampleQuote(tee, SomeReportData(), false)),
          .trust = intel.Trust(collateral),
          // The quote, the QE's report, the PCK certificate and its authority's.
          .signatures = {P256(48 + body), P256(384), P256(kCertificate), P256(kCertificate)},
          .tee = nullptr};
}

Subject Any(std::string type, std::vector<SignedBytes> signatures) {
  const std::shared_ptr<FakeTee> tee = FakeTee::Create(type);
  return {.name = type,
          .type = type,
          .evidence = tee->Evidence(SomeReportData(), kNow, false),
          .trust = tee->OwnTrust(),
          .signatures = std::move(signatures),
          .tee = tee};
}

Subject Token(const std::string& algorithm, const std::string& family, SignedBytes signature) {
  const auto tee =
      std::make_shared<FakeToken>(FakeTokenOptions{.family = family, .algorithm = algorithm});
  const Bytes evidence = tee->Evidence(SomeReportData(), kNow, false);
  signature.size = evidence.size();
  return {.name = "token " + family + " " + algorithm,
          .type = "token",
          .evidence = evidence,
          .trust = tee->OwnTrust(),
          .signatures = {signature},
          .tee = tee};
}

Subject Make(const std::string& name) {
  const SignedBytes amd = {FakeKeyKind::kRsa4096, SignatureScheme::kRsaPssSha384, kCertificate};
  const SignedBytes rsa = {FakeKeyKind::kRsa2048, SignatureScheme::kRsaPkcs1Sha256, 0};
  if (name == "sgx") return Dcap(attest::dcap::Tee::kSgx);
  if (name == "tdx") return Dcap(attest::dcap::Tee::kTdx);
  // The report, the VCEK, the signing key (ASK).
  if (name == "sev-snp") return Any(name, {P384(672), amd, amd});
  // The document, its certificate, the certificate above.
  if (name == "nitro") return Any(name, {P384(1000), P384(kCertificate), P384(kCertificate)});
  // The quote, the AK's certificate, the certificate above.
  if (name == "tpm") return Any(name, {P256(145), P256(kCertificate), P256(kCertificate)});
  // The platform's token and the realm's.
  if (name == "cca") return Any(name, {P384(900), P384(500)});
  if (name == "token-ita") return Token("ES256", "ita", P256(0));
  if (name == "token-maa") return Token("RS256", "maa", rsa);
  if (name == "token-google") return Token("RS256", "google", rsa);
  if (name == "token-trustee") return Token("ES384", "trustee", P384(0));
  return Any("simulated", {P256(300)});
}

std::function<void()> Verification(const Subject& subject) {
  return [&subject] {
    const auto parsed = Must(attest::ParseEvidence(subject.type, subject.evidence));
    Must(attest::VerifyEvidence(parsed, {subject.trust, kNow, SomeReportData()}));
  };
}

std::function<void()> SignaturesAlone(const Subject& subject) {
  struct Check {
    attest::PublicKey key;
    SignatureScheme scheme;
    Bytes message;
    Bytes signature;
  };
  std::vector<Check> checks;
  for (const SignedBytes& one : subject.signatures) {
    const FakeKey key = FakeKey::Make(one.key);
    const Bytes message(one.size, 0x6b);
    checks.push_back({key.Public(), one.scheme, message, key.Sign(one.scheme, message)});
  }
  return [checks = std::move(checks)] {
    for (const Check& check : checks) {
      if (!check.key.Verify(check.scheme, check.message, check.signature).ok()) std::abort();
    }
  };
}

// How often a piece of work was done, in how long.
class Rate {
 public:
  void Run(const std::function<void()>& work, double seconds) {
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    std::chrono::duration<double> taken{};
    do {
      work();
      ++done_;
      taken = Clock::now() - begin;
    } while (taken.count() < seconds);
    seconds_ += taken.count();
  }
  double seconds() const { return seconds_; }
  double PerSecond() const { return static_cast<double>(done_) / seconds_; }

 private:
  uint64_t done_ = 0;
  double seconds_ = 0;
};

constexpr double kSlice = 0.01;  // seconds: what else the machine does hits both sides

void Measure(const std::string& name, double seconds, unsigned repeats) {
  const Subject subject = Make(name);
  const auto verification = Verification(subject);
  const auto signatures = SignaturesAlone(subject);
  Rate().Run(verification, seconds / 4);  // warm
  Rate().Run(signatures, seconds / 4);
  std::string ours;
  std::string theirs;
  for (unsigned i = 0; i < repeats; ++i) {
    Rate verified;
    Rate alone;
    while (alone.seconds() < seconds) {
      verified.Run(verification, kSlice);
      alone.Run(signatures, kSlice);
    }
    const char* comma = i == 0 ? "" : ",";
    ours += comma + std::to_string(verified.PerSecond());
    theirs += comma + std::to_string(alone.PerSecond());
  }
  std::printf("{\"type\":\"%s\",\"signatures\":%zu,\"verifications\":[%s],\"alone\":[%s]}\n",
              subject.name.c_str(), subject.signatures.size(), ours.c_str(), theirs.c_str());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"verifications of evidence per second, beside their signatures alone"};
  std::vector<std::string> types = {"sgx",          "tdx",           "sev-snp",   "nitro",
                                    "tpm",          "cca",           "token-ita", "token-maa",
                                    "token-google", "token-trustee", "simulated"};
  double seconds = 0.3;
  unsigned repeats = 7;
  app.add_option("--type", types, "which")->check(CLI::IsMember(types));
  app.add_option("--seconds", seconds, "per side and repeat")->check(CLI::PositiveNumber);
  app.add_option("--repeats", repeats)->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  for (const std::string& type : types) Measure(type, seconds, repeats);
  return 0;
}
