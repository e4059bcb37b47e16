// Evidence of every type: whatever comes in, an answer. The corpus was signed for other report data
// than is wanted here, so nothing is ever verified: neither it nor what becomes of it.

#include <cstdlib>

#include "attest/tee_type.h"
#include "tests/fuzz/corpus_trust.h"

using keyclave::FromC;
using keyclave::FromHex;
using keyclave::attest::AllTeeTypes;
using keyclave::attest::ParseEvidence;
using keyclave::attest::TeeType;
using keyclave::attest::Trust;
using keyclave::attest::VerifyEvidence;

namespace {

// The development root that signed the corpus; nobody has kept its private key.
constexpr std::string_view kRoot =
    "3059301306072a8648ce3d020106082a8648ce3d030107034200045333b7203e7abe316cd6e77762d6e1e1b4f5"
    "9a8ee4b6a167cd4819bb5a11e2c4f6d8df9d03ee6a6666269b32ff7317d41ba417480f82e9704208e898bf47cabf";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Trust& corpus = *new Trust([] {
    Trust made;
    made.simulated_roots.push_back(FromHex(kRoot).value());
    keyclave::test::AddCorpusTrust(made);
    return made;
  }());
  Trust trust = corpus;
  for (const TeeType* type : AllTeeTypes()) {
    trust.accepted_types = {std::string(type->name)};
    type->recognises(FromC(data, size));
    const auto parsed = ParseEvidence(type->name, FromC(data, size));
    if (!parsed.ok()) continue;
    type->describe(parsed->parsed());
    constexpr keyclave::UnixTime kIssued = 1'790'000'000;
    if (VerifyEvidence(*parsed, {trust, kIssued, keyclave::attest::ReportData{}}).ok())
      std::abort();
  }
  return 0;
}
