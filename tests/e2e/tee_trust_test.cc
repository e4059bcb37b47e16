// What a daemon believes that nobody told to believe anything: the vendors, and no other root.
#include <gtest/gtest.h>

#include "tests/e2e/tee_lab.h"
#include "tests/fakes/fake_tee.h"

namespace keyclave::test {
namespace {

// Those that a caller's machine produces; the others need somebody to enrol or to configure.
constexpr std::string_view kTypes[] = {"sgx", "tdx", "sev-snp", "nitro", "token"};

Signer Of(const FakeTee& tee) {
  return [&tee](const attest::ReportData& report_data) {
    return tee.Evidence(report_data, SystemClock().Now(), false);
  };
}

TEST(DefaultTrust, NoRootButTheVendorsIsBelieved) {
  std::vector<std::string> types(std::begin(kTypes), std::end(kTypes));
  TeeLab lab(types, attest::Trust());
  for (const std::string& type : types) {
    SCOPED_TRACE(type);
    const auto tee = FakeTee::Create(type);
    CheckRefusal(lab, type, Of(*tee), Code::kEvidenceChain, {});
  }
}

TEST(DefaultTrust, ATypeThatIsNotAcceptedIsRefusedWhateverItsRoot) {
  for (const std::string_view accepted : {"sgx", "nitro"}) {
    const auto tee = FakeTee::Create(accepted);
    TeeLab lab({std::string(accepted)}, tee->OwnTrust());
    for (const std::string_view name : kTypes) {
      const std::string type(name);
      SCOPED_TRACE(type);
      const auto other = FakeTee::Create(type);
      if (type == accepted) {
        EXPECT_EQ(lab.Refusal(type, Of(*tee)), "");
      } else {
        CheckRefusal(lab, type, Of(*other), Code::kEvidenceNotAccepted, {type});
      }
    }
  }
}

}  // namespace
}  // namespace keyclave::test
