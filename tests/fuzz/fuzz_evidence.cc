// Evidence of every type: whatever comes in, an answer. The corpus was signed for other report data
// than is wanted here, so nothing is ever verified: neither it nor what becomes of it.

#include <cstdlib>
#include <map>

#include "attest/tee_type.h"
#include "tests/fuzz/corpus_trust.h"

using keyclave::AsBytes;
using keyclave::FromC;
using keyclave::FromHex;
using keyclave::attest::AllTeeTypes;
using keyclave::attest::Certificate;
using keyclave::attest::Collateral;
using keyclave::attest::ParseEvidence;
using keyclave::attest::TeeType;
using keyclave::attest::Trust;
using keyclave::attest::VerifyEvidence;

namespace {

// The development root that signed the corpus; nobody has kept its private key.
constexpr std::string_view kRoot =
    "3059301306072a8648ce3d020106082a8648ce3d030107034200045333b7203e7abe316cd6e77762d6e1e1b4f5"
    "9a8ee4b6a167cd4819bb5a11e2c4f6d8df9d03ee6a6666269b32ff7317d41ba417480f82e9704208e898bf47cabf";

// What certificates and collateral of the corpus' other types chain to, likewise; by type, because
// each of these signers goes by the vendor's names.
std::map<std::string_view, Trust> CorpusTrust() {
  std::map<std::string_view, Trust> trust;
  std::map<std::string_view, Collateral> collateral;
#define KC_FUZZ_ROOT(type, pem) \
  trust[type].roots[type] = Certificate::ListFrom(AsBytes(pem)).value();
#define KC_FUZZ_COLLATERAL(type, text) \
  if (!collateral[type].Add(AsBytes(text), "corpus").ok()) std::abort();
#include "tests/fuzz/evidence_trust.inc"
#undef KC_FUZZ_ROOT
#undef KC_FUZZ_COLLATERAL
  for (auto& [type, all] : collateral)
    trust[type].collateral = std::make_shared<const Collateral>(std::move(all));
  for (const TeeType* type : AllTeeTypes())
    trust[type->name].accepted_types = {std::string(type->name)};
  trust["simulated"].simulated_roots.push_back(FromHex(kRoot).value());
  for (const std::string_view type : {"tpm", "token"}) keyclave::test::AddCorpusTrust(trust[type]);
  return trust;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto& trust = *new std::map<std::string_view, Trust>(CorpusTrust());
  for (const TeeType* type : AllTeeTypes()) {
    type->recognises(FromC(data, size));
    const auto parsed = ParseEvidence(type->name, FromC(data, size));
    if (!parsed.ok()) continue;
    if (type->describe(parsed->parsed()).empty()) std::abort();
    constexpr keyclave::UnixTime kIssued = 1'790'000'000;
    if (VerifyEvidence(*parsed, {trust.at(type->name), kIssued, keyclave::attest::ReportData{}})
            .ok())
      std::abort();
  }
  return 0;
}
