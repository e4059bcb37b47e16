// Intel's signed JSON: where the signed bytes begin and end, and everything that is not as it
// should be.

#include <gtest/gtest.h>

#include "attest/dcap/enclave_identity.h"
#include "attest/dcap/signed_document.h"
#include "attest/dcap/tcb_info.h"
#include "tests/fakes/fake_intel.h"

namespace keyclave::attest::dcap {
namespace {

const std::string kSignature = "\"signature\":\"" + std::string(128, 'a') + "\"";

std::optional<std::string> MemberOf(const std::string& text) {
  const auto found = FindSignedMember(AsBytes(text), "tcbInfo");
  if (found.ok()) return std::string(AsText(found->member));
  EXPECT_EQ(found.code(), Code::kCollateralInvalid);
  return std::nullopt;
}

TEST(SignedMembers, AreTheBytesThatStandThere) {
  const char* members[] = {"{}", "{ }", R"({"a":"}","b":[{"c":"]"}]})", R"({"a":"\"}","b":"\\"})",
                           "{\n \"tcbInfo\" : {}, \"signature\" : 1\t}"};
  for (const std::string member : members) {
    EXPECT_EQ(MemberOf("{\"tcbInfo\":" + member + "," + kSignature + "}"), member);
    EXPECT_EQ(MemberOf(" { " + kSignature + " , \"tcbInfo\" : " + member + " } \n"), member);
  }
}

TEST(SignedMembers, OfWhatIsNoneAreNotFound) {
  const std::string good = "{\"tcbInfo\":{}," + kSignature + "}";
  ASSERT_EQ(MemberOf(good), "{}");
  for (size_t n = 0; n < good.size(); ++n) EXPECT_EQ(MemberOf(good.substr(0, n)), std::nullopt);
  const std::string bad[] = {good + "x",
                             good + good,
                             "{" + kSignature + "}",
                             "{\"tcbInfo\":{}}",
                             "{\"tcbInfo\":{},\"tcbInfo\":{}," + kSignature + "}",
                             "{\"tcbInfo\":{}," + kSignature + "," + kSignature + "}",
                             "{\"tcbInfo\":{},\"other\":1," + kSignature + "}",
                             "{\"tcbInfo\":[]," + kSignature + "}",
                             "{\"tcbInfo\":\"{}\"," + kSignature + "}",
                             "{\"tcbInfo\":{},\"signature\":{}}",
                             "{\"tcbInfo\":{},\"signature\":\"\"}",
                             "{\"tcbInfo\":{},\"signature\":\"" + std::string(126, 'a') + "\"}",
                             "{\"tcbInfo\":{},\"signature\":\"" + std::string(130, 'a') + "\"}",
                             "{\"tcbInfo\":{},\"signature\":\"" + std::string(128, 'x') + "\"}",
                             "{\"tcb\\u0049nfo\":{}," + kSignature + "}",
                             "[" + good + "]"};
  for (const std::string& text : bad) EXPECT_EQ(MemberOf(text), std::nullopt) << text;
}

TEST(SignedMembers, NestedTooDeeplyAreRefused) {
  const auto nested = [](size_t depth) {
    return "{\"tcbInfo\":{\"a\":" + std::string(depth, '[') + std::string(depth, ']') + "}," +
           kSignature + "}";
  };
  EXPECT_TRUE(MemberOf(nested(15)).has_value());
  EXPECT_EQ(MemberOf(nested(16)), std::nullopt);
  EXPECT_EQ(MemberOf(nested(1'000'000)), std::nullopt);
}

// Each member once of another type, once out of range and once missing.
template <class Parse>
void ExpectStrict(const std::string& text, const std::vector<std::string>& members, Parse parse) {
  ASSERT_TRUE(parse(text).ok()) << parse(text).error().Text();
  for (const std::string& name : members) {
    const size_t at = text.find("\"" + name + "\":");
    ASSERT_NE(at, std::string::npos) << name;
    std::string missing = text;
    missing.replace(at + 1, name.size(), std::string(name.size(), 'x'));
    EXPECT_EQ(parse(missing).code(), Code::kCollateralInvalid) << name << " missing";
    const size_t value = at + name.size() + 3;
    for (const char* other : {"null", "true", "-1", "1.5", "\"g\"", "4294967296", "[]", "[1]", "{}",
                              "[null]", "\"\""}) {
      // Put before the value, under this name; the old value goes to another.
      std::string wrong = text;
      wrong.insert(value, std::string(other) + ",\"old\":");
      EXPECT_EQ(parse(wrong).code(), Code::kCollateralInvalid) << name << ": " << other;
    }
  }
}

Document Wrap(DocumentKind kind, const std::string& text) {
  return {kind, "file.json", ToBytes(text)};
}

TEST(TcbInfos, AreReadStrictly) {
  const test::FakeIntel intel(Tee::kTdx);
  test::FakeTcbInfo info;
  info.levels[0].finding.advisories = {"INTEL-SA-00615"};
  const std::string text(AsText(intel.TcbInfo(info)));
  ExpectStrict(
      text,
      {"id",
       "version",
       "issueDate",
       "nextUpdate",
       "fmspc",
       "pceId",
       "tcbEvaluationDataNumber",
       "tdxModule",
       "mrsigner",
       "attributes",
       "attributesMask",
       "tcbLevels",
       "tcb",
       "isvsvn",
       "sgxtcbcomponents",
       "svn",
       "pcesvn",
       "tdxtcbcomponents",
       "tcbDate",
       "tcbStatus"},
      [](const std::string& one) { return ParseTcbInfo(Wrap(DocumentKind::kTcbInfo, one)); });
}

TEST(TcbInfos, WithANulByteOrANameTwiceAreRefused) {
  const test::FakeIntel intel(Tee::kSgx);
  std::string good(AsText(intel.TcbInfo({})));
  good = good.substr(good.find(':') + 1);
  good = good.substr(0, good.rfind(",\"signature\""));
  const auto parse = [&](const std::string& member) {
    return ParseTcbInfo(
        Wrap(DocumentKind::kTcbInfo, std::string(AsText(intel.Signed("tcbInfo", member)))));
  };
  ASSERT_TRUE(parse(good).ok());
  for (const std::string& more : {std::string(1, '\0'), std::string(R"(,"version":2)")}) {
    std::string bad = good;
    bad.insert(bad.size() - 1, more);
    const auto parsed = parse(bad);
    ASSERT_FALSE(parsed.ok());
    EXPECT_EQ(parsed.code(), Code::kCollateralInvalid);
  }
}

TEST(EnclaveIdentities, AreReadStrictly) {
  const test::FakeIntel intel(Tee::kSgx);
  const std::string text(AsText(intel.EnclaveIdentity({})));
  ExpectStrict(text,
               {"version", "issueDate", "nextUpdate", "tcbEvaluationDataNumber", "miscselect",
                "miscselectMask", "attributes", "attributesMask", "mrsigner", "isvprodid",
                "tcbLevels", "tcb", "isvsvn", "tcbDate", "tcbStatus"},
               [](const std::string& one) {
                 return ParseEnclaveIdentity(Wrap(DocumentKind::kEnclaveIdentity, one));
               });
}

}  // namespace
}  // namespace keyclave::attest::dcap
