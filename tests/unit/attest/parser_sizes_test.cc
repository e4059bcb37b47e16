// Every parser of attest/ at its edges: nothing, each length below a good vector's, the vector, one
// byte more, and the largest that it takes. Whatever stands there, it is answered with a reason.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "attest/cose.h"
#include "attest/dcap/enclave_identity.h"
#include "attest/dcap/tcb_info.h"
#include "attest/jwk.h"
#include "attest/snp/certificate_table.h"
#include "attest/snp/report.h"
#include "attest/strict_json.h"
#include "attest/token/jose.h"
#include "attest/tpm/evidence.h"
#include "tests/fakes/fake_azure.h"
#include "tests/fakes/fake_cca.h"
#include "tests/fakes/fake_intel.h"
#include "tests/fakes/fake_nitro.h"
#include "tests/fakes/fake_token.h"
#include "tests/fakes/must.h"

namespace keyclave::attest {
namespace {

using test::FakeAuthority;
using test::FakeKeyKind;
using test::Must;

constexpr UnixTime kNow = 1'790'000'000;

// What may follow a good vector.
enum class Tail { kNothing, kWhiteSpace, kZeros, kAnything };

struct Parser {
  const char* name;
  Bytes (*good)();
  Status (*parse)(ByteSpan bytes);
  size_t max = kMaxEvidence;
  Tail tail = Tail::kNothing;
};

template <class T>
Status Only(const Result<T>& result) {
  if (result.ok()) return Done{};
  return result.error();
}

Bytes Text(const std::string& text) { return ToBytes(std::string_view(text)); }
const ReportData kReportData{1, 2, 3};

FakeAuthority Root() { return FakeAuthority::Root(FakeKeyKind::kP256, {.name = "CN=Root"}); }
test::FakeIntel Intel() { return test::FakeIntel(dcap::Tee::kTdx); }
Bytes TpmQuote() { return test::FakeTpm().Attest(Bytes(32, 1)); }

const test::FakeToken& Service() {
  static const auto& service = *new test::FakeToken();
  return service;
}
// How long a token's signature is, its key says.
Status ParseToken(ByteSpan bytes) {
  KC_ASSIGN(const token::Token parsed, token::ParseToken(bytes));
  return token::VerifyToken(parsed, Service().signer().key().Public(), {});
}

const Parser kParsers[] = {
    {"Certificate", [] { return Root().certificate().der(); },
     [](ByteSpan bytes) { return Only(Certificate::FromDer(bytes)); }},
    {"RevocationList", [] { return Root().RevocationList({}, kNow, kNow + 1); },
     [](ByteSpan bytes) { return Only(RevocationList::From(bytes)); }},
    {"QuoteOfSgx",
     [] {
       const test::FakeIntel intel(dcap::Tee::kSgx);
       return intel.Quote(test::SampleQuote(dcap::Tee::kSgx, kReportData, false));
     },
     [](ByteSpan bytes) { return Only(dcap::ParseQuote(bytes, dcap::Tee::kSgx)); }, kMaxEvidence,
     Tail::kAnything},
    {"QuoteOfTdx",
     [] { return Intel().Quote(test::SampleQuote(dcap::Tee::kTdx, kReportData, false)); },
     [](ByteSpan bytes) { return Only(dcap::ParseQuote(bytes, dcap::Tee::kTdx)); }, kMaxEvidence,
     Tail::kAnything},
    {"TcbInfo", [] { return Intel().TcbInfo({}); },
     [](ByteSpan bytes) {
       return Only(dcap::ParseTcbInfo({DocumentKind::kTcbInfo, "file", ToBytes(bytes)}));
     },
     kMaxEvidence, Tail::kWhiteSpace},
    {"EnclaveIdentity", [] { return Intel().EnclaveIdentity({}); },
     [](ByteSpan bytes) {
       return Only(
           dcap::ParseEnclaveIdentity({DocumentKind::kEnclaveIdentity, "file", ToBytes(bytes)}));
     },
     kMaxEvidence, Tail::kWhiteSpace},
    {"SnpReport", [] { return test::FakeSnp().Report(kReportData); },
     [](ByteSpan bytes) { return Only(ParseSnpReport(bytes)); }},
    {"SnpTable",
     [] {
       return test::FakeSnp::Table({{test::FakeSnp::Guid("VCEK"), Bytes(40, 1)}});
     },
     [](ByteSpan bytes) { return Only(ParseSnpTable(bytes)); }, kMaxEvidence, Tail::kZeros},
    {"TpmsAttest", TpmQuote, [](ByteSpan bytes) { return Only(tpm::ParseAttest(bytes)); },
     tpm::kMaxAttest},
    {"TpmtSignature", [] { return test::FakeTpm().Sign(TpmQuote()); },
     [](ByteSpan bytes) { return Only(tpm::ParseSignature(bytes)); }, tpm::kMaxSignature},
    {"TpmEvidence", [] { return EncodeEvidence(test::FakeTpm().Parts(Bytes(32, 1))); },
     [](ByteSpan bytes) { return Only(tpm::ParseTpmEvidence(bytes)); }},
    {"HclReport",
     [] {
       const test::FakeTpm vtpm({.key = FakeKeyKind::kRsa2048});
       Bytes report = test::HclReport(Bytes(1184, 1), test::RuntimeData(vtpm));
       report.resize(report.size() - 64);  // the zeros behind it
       return report;
     },
     [](ByteSpan bytes) { return Only(tpm::ParseHclReport(bytes)); }, tpm::kMaxHclReport,
     Tail::kZeros},
    {"CoseSign1", [] { return test::FakeNitro().Sign(Bytes(40, 1)); },
     [](ByteSpan bytes) { return Only(ParseCoseSign1(bytes)); }},
    {"Token", [] { return Service().Evidence(kReportData, kNow, false); }, ParseToken},
    {"Jwk", [] { return Text(test::FakeToken().Jwk()); },
     [](ByteSpan bytes) { return Only(ParseJwks(bytes)); }, kMaxEvidence, Tail::kWhiteSpace},
    {"JwkSet", [] { return test::FakeToken().Issuer().keys; },
     [](ByteSpan bytes) { return Only(ParseJwks(bytes)); }, kMaxEvidence, Tail::kWhiteSpace},
    {"StrictJson", [] { return Text(R"({"a": [1, {"b": "c"}], "d": null})"); },
     [](ByteSpan bytes) { return Only(ParseStrictJson(bytes)); }, kMaxEvidence, Tail::kWhiteSpace},
    {"NitroDocument", [] { return test::FakeNitro().Evidence(kReportData, kNow, false); },
     [](ByteSpan bytes) { return Only(ParseEvidence("nitro", bytes)); }},
    {"CcaToken", [] { return test::FakeCca().Evidence(kReportData, kNow, false); },
     [](ByteSpan bytes) { return Only(ParseEvidence("cca", bytes)); }},
#ifdef KEYCLAVE_SIMULATED
    {"Simulated",
     [] { return test::FakeTee::Create("simulated")->Evidence(kReportData, kNow, false); },
     [](ByteSpan bytes) { return Only(ParseEvidence("simulated", bytes)); }},
#endif
};

bool MayFollow(Tail tail, uint8_t byte) {
  switch (tail) {
    case Tail::kNothing: return false;
    case Tail::kWhiteSpace: return byte == ' ';
    case Tail::kZeros: return byte == 0;
    case Tail::kAnything: return true;
  }
  return false;
}

class Parsers : public testing::TestWithParam<Parser> {
 protected:
  // Refused, and not because something broke.
  static bool Refused(ByteSpan bytes) {
    const Status status = GetParam().parse(bytes);
    if (status.ok()) return false;
    EXPECT_NE(status.code(), Code::kInternal) << status.error().Text();
    EXPECT_NE(status.code(), Code::kOutOfMemory) << status.error().Text();
    return true;
  }
  const Bytes good_ = GetParam().good();
};

TEST_P(Parsers, TakeAllOfAGoodVector) {
  const Status status = GetParam().parse(good_);
  EXPECT_TRUE(status.ok()) << status.error().Text();
  for (size_t n = 0; n < good_.size(); ++n)
    EXPECT_TRUE(Refused(ByteSpan(good_).first(n))) << n << " of " << good_.size();
}

TEST_P(Parsers, TakeNothingBehindIt) {
  for (const uint8_t byte : ByteArray<5>{0x00, 0x20, 0x30, 0x80, 0xff}) {
    Bytes longer = good_;
    longer.push_back(byte);
    EXPECT_EQ(Refused(longer), !MayFollow(GetParam().tail, byte)) << unsigned{byte};
  }
}

TEST_P(Parsers, AnswerTheLargestInputs) {
  for (const uint8_t fill : ByteArray<7>{0x00, 0x20, 0x30, 0x5b, 0x7b, 0x82, 0xff}) {
    for (const size_t size : {GetParam().max - 1, GetParam().max, GetParam().max + 1})
      EXPECT_TRUE(Refused(Bytes(size, fill)) || fill == 0) << unsigned{fill} << " * " << size;
  }
}

// What a changed byte means is for signatures to say; here it must be answered.
TEST_P(Parsers, AnswerEveryChangedByte) {
  for (size_t i = 0; i < good_.size(); ++i) {
    for (const uint8_t byte : ByteArray<4>{0x00, 0x7f, 0x80, 0xff}) {
      Bytes bad = good_;
      bad[i] = byte;
      Refused(bad);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Each, Parsers, testing::ValuesIn(kParsers),
                         [](const auto& parameter) { return parameter.param.name; });

// The kernel speaks for co-resident processes: their evidence has no bytes.
TEST(CoResidentParser, TakesNothing) {
  EXPECT_TRUE(ParseEvidence("co-resident", {}).ok());
  for (const size_t size : {size_t{1}, kMaxEvidence, kMaxEvidence + 1})
    EXPECT_EQ(ParseEvidence("co-resident", Bytes(size, 0)).code(), Code::kEvidenceMalformed);
}

}  // namespace
}  // namespace keyclave::attest
