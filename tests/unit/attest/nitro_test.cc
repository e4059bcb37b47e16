// What a Nitro attestation document must be, and what it then claims.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "attest/tee_type.h"
#include "enclave/base/cbor.h"
#include "tests/fakes/fake_nitro.h"

namespace keyclave::attest {
namespace {

using test::FakeNitro;
using test::FakeNitroOptions;

constexpr UnixTime kNow = 1'790'000'000;
constexpr uint8_t kNull = 0xf6;

ReportData SomeReportData() {
  ReportData data;
  data.fill(0x42);
  return data;
}

Bytes Cbor(const std::function<void(CborWriter&)>& write) {
  CborWriter writer;
  write(writer);
  return std::move(writer).Finish();
}
Bytes CborBytes(size_t size) {
  return Cbor([&](CborWriter& writer) { writer.ByteString(Bytes(size, 7)); });
}

class Nitro : public testing::Test {
 protected:
  FakeNitro fake_;

  Result<ClaimSet> Examine(ByteSpan document, UnixTime now = kNow,
                           const ExpectedBinding& binding = ExpectedBinding::None()) const {
    KC_ASSIGN(const Unverified evidence, ParseEvidence("nitro", document));
    const Trust trust = fake_.OwnTrust();
    return ExamineEvidence(evidence, {trust, now, binding});
  }
  FakeNitro::Members Members() const { return fake_.MembersOf(SomeReportData(), kNow, false); }
  bool Accepted(const FakeNitro::Members& members) const {
    return Examine(fake_.Document(members)).ok();
  }
  // With one member's value replaced.
  bool AcceptedWith(const std::string& name, const Bytes& value) const {
    auto members = Members();
    for (auto& [key, old] : members) {
      if (key == name) old = value;
    }
    return Accepted(members);
  }
  bool Refused(const std::string& name, const Bytes& value) const {
    return !AcceptedWith(name, value);
  }
  static std::string Claim(const ClaimSet& claims, std::string_view name) {
    const auto* claim = claims.Find(name);
    return claim == nullptr ? "(absent)" : ToText(claim->value);
  }
};

TEST_F(Nitro, ClaimsAreTheDocumentsMembers) {
  fake_.options().public_key = Bytes{1, 2};
  fake_.options().nonce = Bytes{3};
  const auto claims = Examine(fake_.Evidence(SomeReportData(), kNow, false));
  ASSERT_TRUE(claims.ok()) << claims.error().Text();
  EXPECT_EQ(Claim(*claims, "signer"), ToHex(Bytes(48, 0x58)));
  EXPECT_EQ(Claim(*claims, "platform_id"), "004fd167167daacf3b");
  EXPECT_EQ(Claim(*claims, "nitro.module_id"), fake_.options().module_id);
  EXPECT_EQ(Claim(*claims, "nitro.digest"), "SHA384");
  EXPECT_EQ(Claim(*claims, "nitro.timestamp"), std::to_string(kNow * 1000 + 7));
  EXPECT_EQ(Claim(*claims, "nitro.pcr4"), ToHex(Bytes(48, 0x54)));
  EXPECT_EQ(Claim(*claims, "nitro.pcr5"), "(absent)");
  EXPECT_EQ(Claim(*claims, "nitro.public_key"), "0102");
  EXPECT_EQ(Claim(*claims, "nitro.nonce"), "03");
  EXPECT_EQ(Claim(*claims, "nitro.user_data"), ToHex(SomeReportData()));
}

// lesson 5: what is empty or zero is absent, and satisfies nothing.
TEST_F(Nitro, EmptyFieldsAndUnsignedImagesMakeNoClaim) {
  fake_.options().public_key = Bytes();
  fake_.options().pcrs[8] = Bytes(48, 0);
  const auto claims = Examine(fake_.Evidence(SomeReportData(), kNow, false));
  ASSERT_TRUE(claims.ok());
  EXPECT_EQ(Claim(*claims, "signer"), "(absent)");
  EXPECT_EQ(Claim(*claims, "nitro.public_key"), "(absent)");
  EXPECT_EQ(Claim(*claims, "nitro.nonce"), "(absent)");
}

TEST_F(Nitro, AModuleWithoutAnInstanceNamesNoPlatform) {
  for (const char* name : {"x-0123-enc1", "i-", "i-xyz-enc1", "module"}) {
    fake_.options().module_id = name;
    const auto claims = Examine(fake_.Evidence(SomeReportData(), kNow, false));
    ASSERT_TRUE(claims.ok());
    EXPECT_EQ(Claim(*claims, "platform_id"), "(absent)") << name;
  }
}

TEST_F(Nitro, ATagAndAnIndefiniteMapAreAccepted) {
  fake_.options().tagged = true;
  EXPECT_TRUE(Accepted(Members()));
  fake_.options().indefinite = true;
  EXPECT_TRUE(Accepted(Members()));
  // An end before the last member, none, and one too many.
  const Bytes payload{0xbf, 0xff};
  EXPECT_FALSE(Examine(fake_.Sign(payload)).ok());
  EXPECT_FALSE(Examine(fake_.Sign(Bytes{0xbf})).ok());
  EXPECT_FALSE(Examine(fake_.Sign(Bytes{0xff})).ok());
}

TEST_F(Nitro, AnotherAlgorithmIsRefused) {
  for (const int64_t algorithm : {-7, -36, -37, -8, 5}) {
    fake_.options().algorithm = algorithm;
    EXPECT_EQ(Examine(fake_.Document(Members())).code(), Code::kEvidenceMalformed) << algorithm;
  }
}

TEST_F(Nitro, EveryMemberIsThereOnceAndNoOther) {
  const auto all = Members();
  EXPECT_TRUE(Accepted(all));
  for (size_t i = 0; i < all.size(); ++i) {
    auto without = all;
    without.erase(without.begin() + static_cast<ptrdiff_t>(i));
    const bool optional = i >= 6;
    EXPECT_EQ(Accepted(without), optional) << all[i].first;
    auto twice = all;
    twice.push_back(all[i]);
    EXPECT_FALSE(Accepted(twice)) << all[i].first;
    auto instead = all;
    instead[i] = all[(i + 1) % all.size()];
    EXPECT_FALSE(Accepted(instead)) << all[i].first;
  }
  auto more = all;
  more.emplace_back("nitrotpm_pcrs", Bytes{0xa0});
  EXPECT_FALSE(Accepted(more));
}

TEST_F(Nitro, MembersHaveTheirTypes) {
  for (const auto& [name, value] : Members()) {
    for (const Bytes& wrong : {Bytes{0x80}, Bytes{0xa0}, Bytes{0xf5}, Bytes{0x20}, Bytes{0x60},
                               Bytes{0xf7}, Bytes{0xfb, 0, 0, 0, 0, 0, 0, 0, 0}})
      EXPECT_TRUE(Refused(name, wrong)) << name << " " << ToHex(wrong);
  }
  for (const char* name : {"module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle"})
    EXPECT_TRUE(Refused(name, Bytes{kNull})) << name;
  for (const char* name : {"public_key", "user_data", "nonce"})
    EXPECT_TRUE(AcceptedWith(name, Bytes{kNull})) << name;
}

TEST_F(Nitro, MembersHaveTheirSizes) {
  for (const char* name : {"public_key", "user_data", "nonce"}) {
    for (const size_t size : {0U, 1U, 512U, 513U, 1023U, 1024U})
      EXPECT_TRUE(AcceptedWith(name, CborBytes(size))) << name << size;
    EXPECT_TRUE(Refused(name, CborBytes(1025))) << name;
  }
  const auto text = [](size_t size) {
    return Cbor([&](CborWriter& writer) { writer.Text(std::string(size, 'a')); });
  };
  EXPECT_TRUE(AcceptedWith("module_id", text(1)));
  EXPECT_TRUE(AcceptedWith("module_id", text(256)));
  EXPECT_TRUE(Refused("module_id", text(0)));
  EXPECT_TRUE(Refused("module_id", text(257)));
  EXPECT_TRUE(Refused("module_id", Cbor([](CborWriter& writer) { writer.Text("a\nb"); })));
  for (const char* digest : {"SHA256", "SHA512", "sha384", "SHA3840"})
    EXPECT_TRUE(Refused("digest", Cbor([&](CborWriter& writer) { writer.Text(digest); })));
  EXPECT_TRUE(Refused("certificate", CborBytes(0)));
  EXPECT_TRUE(Refused("certificate", CborBytes(1024)));
  EXPECT_TRUE(Refused("certificate", CborBytes(1025)));
  const auto number = [](uint64_t value) {
    return Cbor([&](CborWriter& writer) { writer.Uint(value); });
  };
  for (const uint64_t time : {uint64_t{0}, uint64_t{253'402'300'800'000}, UINT64_MAX})
    EXPECT_TRUE(Refused("timestamp", number(time)));
}

TEST_F(Nitro, PcrsHaveTheirIndicesAndSizes) {
  const auto accepted = [&](const std::map<uint64_t, Bytes>& more) {
    FakeNitro fake = fake_;
    for (const auto& [index, value] : more) fake.options().pcrs[index] = value;
    return Examine(fake.Evidence(SomeReportData(), kNow, false)).ok();
  };
  for (const size_t size : {32U, 48U, 64U}) EXPECT_TRUE(accepted({{31, Bytes(size, 1)}}));
  for (const size_t size : {0U, 1U, 20U, 31U, 33U, 47U, 49U, 63U, 65U})
    EXPECT_FALSE(accepted({{31, Bytes(size, 1)}})) << size;
  EXPECT_FALSE(accepted({{32, Bytes(48, 1)}}));
  EXPECT_FALSE(accepted({{UINT64_MAX, Bytes(48, 1)}}));
  for (const uint64_t index : {0U, 1U, 2U}) {
    FakeNitro fake = fake_;
    fake.options().pcrs.erase(index);
    // Encoded by hand: the fake's own measurement is PCR0.
    auto members = fake.MembersOf(SomeReportData(), kNow, false);
    EXPECT_FALSE(Accepted(members)) << index;
  }
  const Bytes twice = Cbor([](CborWriter& writer) {
    writer.Map(4);
    for (const uint64_t index : {0U, 1U, 2U, 2U}) {
      writer.Uint(index);
      writer.ByteString(Bytes(48, 1));
    }
  });
  EXPECT_TRUE(Refused("pcrs", twice));
}

TEST_F(Nitro, DebugModeIsThreeZeroPcrs) {
  const auto debug = [&](const FakeNitro& fake) {
    return Claim(*Examine(fake.Evidence(SomeReportData(), kNow, false)), "debug");
  };
  FakeNitro fake = fake_;
  EXPECT_EQ(debug(fake), "false");
  fake.options().pcrs[0] = Bytes(48, 0);
  fake.options().pcrs[1] = Bytes(48, 0);
  EXPECT_EQ(debug(fake), "false");
  fake.options().pcrs[2] = Bytes(48, 0);
  EXPECT_EQ(debug(fake), "true");
}

TEST_F(Nitro, TheBundleHasCertificatesAndLeadsToTheRoot) {
  const auto bundle = [](const std::vector<Bytes>& ders) {
    return Cbor([&](CborWriter& writer) {
      writer.Array(ders.size());
      for (const Bytes& der : ders) writer.ByteString(der);
    });
  };
  const Bytes root = fake_.root().certificate().der();
  const Bytes middle = fake_.middle().certificate().der();
  EXPECT_TRUE(AcceptedWith("cabundle", bundle({root, middle})));
  EXPECT_TRUE(AcceptedWith("cabundle", bundle({middle})));
  EXPECT_TRUE(Refused("cabundle", bundle({})));
  EXPECT_TRUE(Refused("cabundle", bundle({root})));
  EXPECT_TRUE(Refused("cabundle", bundle({root, Bytes()})));
  EXPECT_TRUE(Refused("cabundle", bundle(std::vector<Bytes>(33, middle))));
}

TEST_F(Nitro, TheTimestampIsWithinTheCertificates) {
  for (const int64_t after : {int64_t{-3}, int64_t{0}, int64_t{3 * 3600}}) {
    fake_.options().made_after = after;
    EXPECT_TRUE(Accepted(Members())) << after;
  }
  for (const int64_t after : {int64_t{-4}, int64_t{3 * 3600 + 1}, int64_t{86400}}) {
    fake_.options().made_after = after;
    EXPECT_EQ(Examine(fake_.Document(Members())).code(), Code::kEvidenceTime) << after;
  }
}

// A session's report data is in user_data; that it stands in nonce, where anybody may have asked
// for it, is not enough. A file's nonce is in nonce.
TEST_F(Nitro, ASessionIsBoundByUserDataAndAFileByNonce) {
  const ReportData data = SomeReportData();
  fake_.options().nonce = Bytes{9, 9};
  const Bytes document = fake_.Evidence(data, kNow, false);
  EXPECT_TRUE(Examine(document, kNow, ExpectedBinding(data)).ok());
  EXPECT_TRUE(Examine(document, kNow, ExpectedBinding::Nonce({9, 9})).ok());
  EXPECT_EQ(Examine(document, kNow, ExpectedBinding::Nonce({9})).code(), Code::kEvidenceBinding);
  EXPECT_EQ(Examine(document, kNow, ExpectedBinding::Nonce(ToBytes(data))).code(),
            Code::kEvidenceBinding);
  fake_.options().nonce = ToBytes(data);
  for (const Bytes& user_data : {Bytes(), Bytes(31, 0x42), Bytes(65, 0x42), Bytes(64, 0x41)}) {
    fake_.options().user_data = user_data;
    EXPECT_EQ(Examine(fake_.Evidence(data, kNow, false), kNow, ExpectedBinding(data)).code(),
              Code::kEvidenceBinding)
        << user_data.size();
  }
}

TEST_F(Nitro, EveryMemberIsDescribed) {
  const auto evidence = ParseEvidence("nitro", fake_.Evidence(SomeReportData(), kNow, false));
  ASSERT_TRUE(evidence.ok());
  std::map<std::string, std::string> fields;
  for (const Field& field : evidence->type().describe(evidence->parsed()))
    fields[field.name] = field.value;
  EXPECT_EQ(fields["module_id"], fake_.options().module_id);
  EXPECT_EQ(fields["timestamp.utc"], FormatTime(kNow));
  EXPECT_EQ(fields["pcrs.4"], ToHex(Bytes(48, 0x54)));
  EXPECT_EQ(fields["cabundle.0.subject"], fake_.root().certificate().SubjectText());
  EXPECT_EQ(fields["user_data"], ToHex(SomeReportData()));
}

}  // namespace
}  // namespace keyclave::attest
