// Callers who bring an attestation service's token, through the real daemon: every claim that a
// policy can name, and every way in which a token is not to be believed, or not of this session.
#include <gtest/gtest.h>

#include "tests/e2e/tee_lab.h"
#include "tests/fakes/fake_token.h"

namespace keyclave::test {
namespace {

class TokenCallers : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    FakeTokenOptions options;
    options.audience = "keyclave";
    service_ = new FakeToken(std::move(options));
    lab_ = new TeeLab({"token"}, service_->OwnTrust());
  }
  static void TearDownTestSuite() {
    delete lab_;
    delete service_;
  }
  static Signer Of(const FakeToken& service, bool debug = false, int64_t later = 0) {
    return [service, debug, later](const attest::ReportData& report_data) {
      return service.Evidence(report_data, SystemClock().Now() + later, debug);
    };
  }
  static Signer Good() { return Of(*service_); }
  static Signer With(const std::function<void(FakeTokenOptions&)>& change) {
    FakeToken other = *service_;
    change(other.options());
    return Of(other);
  }
  // This member of the token's claims is another (RFC 7396: null removes it).
  static Signer Saying(const std::string& json) {
    return With([&](FakeTokenOptions& options) { options.payload = json; });
  }

  static inline FakeToken* service_ = nullptr;
  static inline TeeLab* lab_ = nullptr;
};

TEST_F(TokenCallers, EveryClaimDecides) {
  const std::string another(96, '6');
  std::vector<Variation> variations = {
      {{"measurement", "token.mrtd"}, Saying(R"({"tdx_mrtd": ")" + another + "\"}")},
      {{"token.rtmr0"}, Saying(R"({"tdx_rtmr0": ")" + another + "\"}")},
      {{"token.rtmr3"}, Saying(R"({"tdx_rtmr3": null})")},
      {{"token.seamsvn"}, Saying(R"({"tdx_seamsvn": 2})")},
      {{"debug", "token.dbgstat"}, Of(*service_, true)},
      {{"tcb_status"}, Saying(R"({"attester_tcb_status": "OutOfDate"})")},
      {{"tcb_date"}, Saying(R"({"attester_tcb_date": "2024-02-15T00:00:00Z"})")},
      {{"advisories"},
       Saying(R"({"attester_advisory_ids": ["INTEL-SA-00837", "INTEL-SA-00999"]})")},
      {{"token.version"}, Saying(R"({"ver": "0.9"})")}};
  CheckThatEveryClaimDecides(
      *lab_, {"token",
              Good(),
              std::move(variations),
              {{"token.issuer", "the configuration's; see WhatIsNotGenuineIsRefused"},
               {"token.family", "an issuer has one"},
               {"token.tee", "another TEE has other claims"},
               {"token.audience", "the configuration's; see WhatIsNotGenuineIsRefused"},
               {"token.bound", "on a session it is"},
               {"token.issued", "each token's own"},
               {"token.expires", "each token's own"},
               {"token.expired", "on a session it is refused"}}});
}

// lesson 3: a token is no bearer's. lesson 1, lesson 2: it is of one session.
TEST_F(TokenCallers, EvidenceIsOfThisSession) {
  CheckThatEvidenceIsOfThisSession(*lab_, "token", Good());
}

// lesson 4: a token that names no session is none for a session.
TEST_F(TokenCallers, ATokenWithoutABindingIsRefused) {
  CheckRefusal(*lab_, "token", Saying(R"({"tdx_report_data": null})"), Code::kEvidenceUnbound, {});
}

// lesson 3, lesson 4: a bearer's token counts only where the operator takes it from this issuer and
// the key's policy wants it in as many words.
TEST_F(TokenCallers, ATokenWithoutABindingIsForPoliciesThatNameIt) {
  attest::Trust trust = service_->OwnTrust();
  for (attest::TokenIssuer& issuer : trust.token_issuers) issuer.unbound = true;
  TeeLab lab({"token"}, std::move(trust));
  const std::string workload =
      "tee: {is: token}, measurement: {is: \"" + service_->Measurement() + "\"}";
  const TeeLab::Key strict = lab.MakeKey("{" + workload + "}");
  const TeeLab::Key named = lab.MakeKey("{" + workload + ", token.bound: {is: false}}");
  Machine bearer(lab.daemon(), "token", Saying(R"({"tdx_report_data": null})"));
  EXPECT_EQ(TeeLab::Sign(bearer.caller(), strict).code(), Code::kDenied);
  EXPECT_EQ(lab.Explain(strict).permits.at(0).term, "token.bound");
  EXPECT_TRUE(TeeLab::Sign(bearer.caller(), named).ok());
  // What is bound to another session is refused all the same.
  CheckRefusal(lab, "token", Saying(R"({"tdx_report_data": ")" + std::string(128, '4') + "\"}"),
               Code::kEvidenceBinding, {});
  Machine ours(lab.daemon(), "token", Good());
  EXPECT_TRUE(TeeLab::Sign(ours.caller(), strict).ok());
}

// lesson 11: a policy that forgets debug mode does not admit it.
TEST_F(TokenCallers, DebugModeIsRefusedUnasked) {
  const TeeLab::Key key = lab_->MakeKey("token", service_->Measurement());
  Machine machine(lab_->daemon(), "token", Of(*service_, true));
  EXPECT_EQ(TeeLab::Sign(machine.caller(), key).code(), Code::kDenied);
  EXPECT_EQ(lab_->Explain(key).permits.at(0).got, "true");
}

TEST_F(TokenCallers, WhatIsNotGenuineIsRefused) {
  CheckRefusal(*lab_, "token",
               With([](FakeTokenOptions& o) { o.issuer = "https://elsewhere.test"; }),
               Code::kEvidenceChain, {"https://elsewhere.test"});
  CheckRefusal(*lab_, "token", With([](FakeTokenOptions& o) { o.audience = "somebody"; }),
               Code::kEvidenceIdentity, {"aud"});
  CheckRefusal(*lab_, "token", Of(*service_, false, -3600), Code::kEvidenceTime,
               {"wanted valid until"});
  CheckRefusal(*lab_, "token", Of(*service_, false, 3600), Code::kEvidenceTime,
               {"wanted valid from"});
  CheckRefusal(*lab_, "token", Saying(R"({"exp": null, "iat": null})"), Code::kEvidenceTime,
               {"neither when it was issued nor its end"});
  CheckRefusal(*lab_, "token", Saying(R"({"attester_tcb_status": "Revoked"})"), Code::kEvidenceTcb,
               {});
  FakeTokenOptions options = service_->options();
  CheckRefusal(*lab_, "token", Of(FakeToken(std::move(options))), Code::kEvidenceChain, {});
}

}  // namespace
}  // namespace keyclave::test
