// TPMS_ATTEST, TPMT_SIGNATURE and the HCL report: what is read, and what is refused.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "attest/tpm/azure.h"
#include "attest/tpm/evidence.h"
#include "enclave/base/byte_reader.h"
#include "tests/fakes/fake_tpm.h"
#include "tests/fakes/must.h"

namespace keyclave::attest::tpm {
namespace {

using test::FakeKeyKind;
using test::FakeTpm;
using testing::ElementsAre;
using testing::HasSubstr;

// The fields of a quote, each as it is written, so that a test can change one.
struct Fields {
  uint32_t magic = 0xff544347;
  uint16_t type = 0x8018;
  Bytes signer = Bytes(34, 0x11);
  Bytes extra = Bytes(32, 0x22);
  uint64_t clock = 5;
  uint8_t safe = 1;
  uint32_t count = 1;
  Bytes selections = {0x00, 0x0b, 0x03, 0x81, 0x00, 0x80};  // SHA-256: 0, 7, 23
  Bytes digest = Bytes(32, 0x33);

  Bytes Marshal() const {
    ByteWriter writer;
    writer.PutBe(magic);
    writer.PutBe(type);
    const auto sized = [&](const Bytes& bytes) {
      writer.PutBe(static_cast<uint16_t>(bytes.size()));
      writer.Put(bytes);
    };
    sized(signer);
    sized(extra);
    writer.PutBe(clock);
    writer.PutBe(uint32_t{6});
    writer.PutBe(uint32_t{7});
    writer.PutBe(safe);
    writer.PutBe(uint64_t{0x0102030405060708});
    writer.PutBe(count);
    writer.Put(selections);
    sized(digest);
    return std::move(writer).Finish();
  }
  Result<Attest> Parse() const { return ParseAttest(Marshal()); }
};

TEST(TpmAttest, ReadsEveryField) {
  const Result<Attest> attest = Fields{}.Parse();
  ASSERT_TRUE(attest.ok()) << attest.error().Text();
  EXPECT_EQ(attest->qualified_signer, Bytes(34, 0x11));
  EXPECT_EQ(attest->extra_data, Bytes(32, 0x22));
  EXPECT_EQ(attest->clock, 5U);
  EXPECT_EQ(attest->reset_count, 6U);
  EXPECT_EQ(attest->restart_count, 7U);
  EXPECT_TRUE(attest->safe);
  EXPECT_EQ(attest->firmware_version, 0x0102030405060708U);
  ASSERT_EQ(attest->selections.size(), 1U);
  EXPECT_THAT(attest->selections[0].registers, ElementsAre(0, 7, 23));
  EXPECT_EQ(SelectionText(attest->selections), "sha256:0,7,23");
  EXPECT_EQ(attest->pcr_digest, Bytes(32, 0x33));
  EXPECT_EQ(attest->quote_info.size(), 4U + 6U + 2U + 32U);
}

TEST(TpmAttest, SizesAroundTheEndAreRefused) {
  const Bytes whole = Fields{}.Marshal();
  for (size_t n = 0; n < whole.size(); ++n)
    EXPECT_FALSE(ParseAttest(ByteSpan(whole).first(n)).ok()) << n;
  Bytes longer = whole;
  longer.push_back(0);
  EXPECT_EQ(ParseAttest(longer).code(), Code::kTrailingBytes);
  longer.resize(kMaxAttest);
  EXPECT_EQ(ParseAttest(longer).code(), Code::kTrailingBytes);
  longer.resize(kMaxAttest + 1);
  EXPECT_EQ(ParseAttest(longer).code(), Code::kTooLarge);
}

TEST(TpmAttest, WhatNoTpmMadeIsRefusedFirst) {
  Fields fields;
  fields.type = 0x8017;
  fields.magic = 0xfe544347;
  EXPECT_THAT(fields.Parse().error().Text(), HasSubstr("not made by a TPM"));
  // Only those four bytes: whatever follows, the magic is what is complained about.
  EXPECT_THAT(ParseAttest(Bytes{0xff, 0x54, 0x43, 0x48}).error().Text(),
              HasSubstr("not made by a TPM"));
}

TEST(TpmAttest, OtherStructuresThanQuotesAreRefusedByName) {
  Fields fields;
  fields.type = 0x8017;
  const auto certify = fields.Parse();
  EXPECT_EQ(certify.code(), Code::kMalformed);
  EXPECT_EQ(certify.error().mismatch()->wanted, "TPM_ST_ATTEST_QUOTE");
  EXPECT_EQ(certify.error().mismatch()->got, "TPM_ST_ATTEST_CERTIFY");
  for (const int type : {0x0000, 0x8014, 0x8015, 0x8016, 0x8019, 0x801a, 0x801c, 0x1880}) {
    fields.type = static_cast<uint16_t>(type);
    EXPECT_EQ(fields.Parse().code(), Code::kMalformed) << type;
  }
}

TEST(TpmAttest, EveryFieldHasItsLimit) {
  const auto refused = [](auto change) {
    Fields fields;
    change(fields);
    return !fields.Parse().ok();
  };
  EXPECT_FALSE(refused([](Fields&) {}));
  EXPECT_FALSE(refused([](Fields& f) { f.signer.clear(); }));
  EXPECT_FALSE(refused([](Fields& f) { f.signer.resize(68); }));
  EXPECT_TRUE(refused([](Fields& f) { f.signer.resize(69); }));
  EXPECT_FALSE(refused([](Fields& f) { f.extra.clear(); }));
  EXPECT_FALSE(refused([](Fields& f) { f.extra.resize(66); }));
  EXPECT_TRUE(refused([](Fields& f) { f.extra.resize(67); }));
  EXPECT_FALSE(refused([](Fields& f) { f.digest.resize(64); }));
  EXPECT_TRUE(refused([](Fields& f) { f.digest.resize(65); }));
  EXPECT_FALSE(refused([](Fields& f) { f.clock = uint64_t{INT64_MAX}; }));
  EXPECT_TRUE(refused([](Fields& f) { f.clock = uint64_t{INT64_MAX} + 1; }));
  EXPECT_FALSE(refused([](Fields& f) { f.safe = 0; }));
  EXPECT_TRUE(refused([](Fields& f) { f.safe = 2; }));
}

TEST(TpmAttest, SelectionsAreWholeDistinctAndNotEmpty) {
  const auto parse = [](uint32_t count, Bytes selections) {
    Fields fields;
    fields.count = count;
    fields.selections = std::move(selections);
    return fields.Parse();
  };
  EXPECT_EQ(parse(0, {}).code(), Code::kMalformed);
  EXPECT_EQ(parse(1, {0x00, 0x0b, 0x03, 0, 0, 0}).code(), Code::kMalformed);
  EXPECT_EQ(parse(1, {0x00, 0x0b, 0x00}).code(), Code::kMalformed);
  EXPECT_TRUE(parse(1, {0x00, 0x0b, 0x01, 1}).ok());
  EXPECT_TRUE(parse(1, {0x00, 0x0b, 0x04, 0, 0, 0, 0x80}).ok());
  EXPECT_EQ(parse(1, {0x00, 0x0b, 0x05, 1, 0, 0, 0, 0}).code(), Code::kTooLarge);
  EXPECT_EQ(parse(1, {0x00, 0x05, 0x03, 1, 0, 0}).code(), Code::kMalformed);  // HMAC is no bank
  EXPECT_EQ(parse(2, {0x00, 0x0b, 0x01, 1, 0x00, 0x0b, 0x01, 2}).code(), Code::kMalformed);
  const auto two = parse(2, {0x00, 0x04, 0x01, 2, 0x00, 0x0c, 0x01, 1});
  ASSERT_TRUE(two.ok());
  EXPECT_EQ(SelectionText(two->selections), "sha1:1+sha384:0");
  EXPECT_EQ(parse(17, Bytes(17 * 4, 0)).code(), Code::kTooLarge);
  EXPECT_EQ(parse(0xffffffff, {}).code(), Code::kTooLarge);
}

TEST(TpmPcrs, DigestGoesInTheOrderOfTheSelections) {
  const std::vector<PcrSelection> selections = {{test::kTpmSha1, {2}, {}},
                                                {test::kTpmSha256, {1, 3}, {}}};
  PcrValues values;
  values[test::kTpmSha256] = {{3, Bytes(32, 3)}, {1, Bytes(32, 1)}, {9, Bytes(32, 9)}};
  values[test::kTpmSha1] = {{2, Bytes(20, 2)}};
  Bytes all(20, 2);
  all.insert(all.end(), 32, 1);
  all.insert(all.end(), 32, 3);
  EXPECT_EQ(*PcrDigest(selections, values, HashAlgorithm::kSha256), ToBytes(Sha256(all)));
  EXPECT_EQ(OnlySelected(selections, values).at(test::kTpmSha256).size(), 2U);
  values[test::kTpmSha256].erase(1);
  EXPECT_EQ(PcrDigest(selections, values, HashAlgorithm::kSha256).code(), Code::kMalformed);
  values.erase(test::kTpmSha256);
  EXPECT_EQ(PcrDigest(selections, values, HashAlgorithm::kSha256).code(), Code::kMalformed);
}

Bytes Hex(std::string_view hex) { return test::Must(FromHex(hex)); }

TEST(TpmSignature, SchemesAreReadAndOthersRefused) {
  EXPECT_EQ(SchemeText(*ParseSignature(Hex("0014000b000101"))), "RSASSA SHA-256");
  EXPECT_EQ(SchemeText(*ParseSignature(Hex("0016000c000101"))), "RSAPSS SHA-384");
  const auto ecdsa = ParseSignature(Hex("0018000b0001aa0002bbcc"));
  ASSERT_TRUE(ecdsa.ok());
  EXPECT_EQ(ecdsa->r, Hex("aa"));
  EXPECT_EQ(ecdsa->s, Hex("bbcc"));
  for (const std::string_view bad :
       {"", "00", "0014", "0014000b", "0014000b0001",
        "0014000b00020101"
        "01",
        "0005000b000101",                    // HMAC
        "0010",                              // TPM_ALG_NULL
        "001a000b0001aa0001bb",              // ECDAA
        "00140012000101", "0014ffff000101",  // hashes that are not known
        "0018000b0001aa", "0018000b0001aa0001bbcc"}) {
    EXPECT_FALSE(ParseSignature(Hex(bad)).ok()) << bad;
  }
  Bytes large = WrapRsassaSha256(Bytes(512, 1));
  EXPECT_TRUE(ParseSignature(large).ok());
  EXPECT_EQ(ParseSignature(WrapRsassaSha256(Bytes(513, 1))).code(), Code::kTooLarge);
  EXPECT_EQ(ParseSignature(Bytes(kMaxSignature + 1, 0)).code(), Code::kTooLarge);
}

TEST(TpmSignature, VerifiesUnderItsOwnKeyAndSchemeOnly) {
  struct Row {
    FakeKeyKind kind;
    bool pss;
    uint16_t hash;
    HashAlgorithm digest;
  };
  for (const Row& row :
       {Row{FakeKeyKind::kP256, false, 0, HashAlgorithm::kSha256},
        Row{FakeKeyKind::kP384, false, 0, HashAlgorithm::kSha384},
        Row{FakeKeyKind::kRsa2048, false, test::kTpmSha256, HashAlgorithm::kSha256},
        Row{FakeKeyKind::kRsa2048, true, test::kTpmSha256, HashAlgorithm::kSha256},
        Row{FakeKeyKind::kRsa2048, true, test::kTpmSha384, HashAlgorithm::kSha384}}) {
    const FakeTpm tpm({.key = row.kind, .pss = row.pss, .hash = row.hash});
    const Bytes message = ToBytes("message");
    const Bytes raw = tpm.Sign(message);
    const Signature signature = test::Must(ParseSignature(raw));
    const PublicKey key = tpm.ak().key().Public();
    EXPECT_EQ(*VerifySignature(signature, key, message), row.digest);
    EXPECT_EQ(VerifySignature(signature, key, ToBytes("massage")).code(), Code::kEvidenceSignature);
    const FakeTpm p256;
    const FakeTpm p384({.key = FakeKeyKind::kP384});
    for (const FakeTpm* other : {&p256, &p384})
      EXPECT_EQ(VerifySignature(signature, other->ak().key().Public(), message).code(),
                Code::kEvidenceSignature);
    // The other RSA scheme, and the other hash, by the same key.
    for (const uint8_t algorithm : ByteArray<2>{0x14, 0x16}) {
      for (const uint8_t hash : ByteArray<3>{0x0b, 0x0c, 0x0d}) {
        Bytes other = raw;
        other[1] = algorithm;
        other[3] = hash;
        const auto parsed = ParseSignature(other);
        if (!parsed.ok() || other == raw) continue;
        EXPECT_EQ(VerifySignature(*parsed, key, message).code(), Code::kEvidenceSignature);
      }
    }
  }
}

TEST(TpmSignature, Sha1IsRefusedThoughItVerifies) {
  const FakeTpm tpm({.key = FakeKeyKind::kRsa2048, .hash = test::kTpmSha1});
  const Signature signature = test::Must(ParseSignature(tpm.Sign(ToBytes("x"))));
  const auto verified = VerifySignature(signature, tpm.ak().key().Public(), ToBytes("x"));
  EXPECT_EQ(verified.code(), Code::kEvidenceSignature);
  EXPECT_THAT(verified.error().Text(), HasSubstr("SHA-1"));
}

constexpr std::string_view kModulus =
    "yJsXggAApem3jnAqQlvmgBIYzq1yR1W1ZQnfdb3DV-5nPKxEEyUwt15NmB_LfZ0YKXZ7n4xNG4w_Io7GmxytrOxh6zpNv-"
    "Ci-kSOLjx9q1PQFwMAmQf4GJVFNa9EPqoI_Ysh7dpIKzZKzvrMs7yeBCsf9fTiNfiMzyCGjUOC3gId9XyM82j8qMu3k8jW"
    "nV6ewdo_UQL0FZKZHxZFF2Q1jsaNaPAFWabmxAMfYHbhIvkhNaATZDQTWo-eSu19R1SAJ2-5w3CDv-Jln3Qx8xQx9Ozjrv"
    "QwaQNHMVh4DdEpntQTHNoIZAd-uf7OpERWXFokejUbMn3iX3wIef--D6Xq2w";

// The fields of an HCL report.
struct Hcl {
  std::string magic = "HCLA";
  uint32_t type = 2;
  uint32_t hash = 1;
  std::string runtime = Runtime(Key("HCLAkPub"));
  int64_t size_error = 0;
  int64_t length_error = 0;
  Bytes tail = Bytes(30, 0);

  static std::string Key(const std::string& kid) {
    return R"({"kid":")" + kid + R"(","key_ops":["sign"],"kty":"RSA","e":"AQAB","n":")" +
           std::string(kModulus) + R"("})";
  }
  static std::string Runtime(const std::string& keys) {
    return R"({"keys":[)" + keys +
           R"(],"vm-configuration":{"secure-boot":true,"console-enabled":false,"tpm-enabled":1,)"
           R"("vmUniqueId":"ABC"},"user-data":"00"})";
  }
  Bytes Marshal() const {
    ByteWriter writer;
    writer.Put(AsBytes(magic));
    for (const uint32_t word : {1U, 2346U, 2U, 0U, 0U, 0U, 0U}) writer.PutLe(word);
    writer.Put(Bytes(1184, 0x77));
    const auto length = static_cast<int64_t>(runtime.size());
    writer.PutLe(static_cast<uint32_t>(length + 20 + size_error));
    writer.PutLe(uint32_t{1});
    writer.PutLe(type);
    writer.PutLe(hash);
    writer.PutLe(static_cast<uint32_t>(length + length_error));
    writer.Put(AsBytes(runtime));
    writer.Put(tail);
    return std::move(writer).Finish();
  }
  Result<HclReport> Parse() const { return ParseHclReport(Marshal()); }
};

TEST(HclReport, ReadsReportKeyAndConfiguration) {
  const auto report = Hcl{}.Parse();
  ASSERT_TRUE(report.ok()) << report.error().Text();
  EXPECT_EQ(report->type, HclType::kSnp);
  EXPECT_EQ(report->hardware_report, Bytes(1184, 0x77));
  EXPECT_EQ(report->runtime_data, ToBytes(Hcl{}.runtime));
  EXPECT_EQ(report->attestation_key.kind(), KeyKind::kRsa);
  EXPECT_EQ(report->attestation_key.bits(), 2048U);
  EXPECT_EQ(report->configuration.Find("tpm.secure_boot")->value, ClaimValue(true));
  EXPECT_EQ(report->configuration.Find("tpm.console_enabled")->value, ClaimValue(false));
  EXPECT_EQ(report->configuration.Find("tpm.vm_unique_id")->value, ClaimValue(std::string("ABC")));
  // Of another type than it ought to have: no claim, and so whatever needs it is refused.
  EXPECT_EQ(report->configuration.Find("tpm.tpm_enabled"), nullptr);
}

TEST(HclReport, HostileSizesAreRefused) {
  const auto refused = [](auto change) {
    Hcl hcl;
    change(hcl);
    return !hcl.Parse().ok();
  };
  EXPECT_FALSE(refused([](Hcl&) {}));
  EXPECT_FALSE(refused([](Hcl& h) { h.type = 4; }));
  EXPECT_FALSE(refused([](Hcl& h) { h.tail.clear(); }));
  EXPECT_TRUE(refused([](Hcl& h) { h.magic = "HCLB"; }));
  for (const uint32_t type : {0U, 1U, 3U, 5U, 0x02000000U, 0xffffffffU})
    EXPECT_TRUE(refused([&](Hcl& h) { h.type = type; })) << type;
  for (const uint32_t hash : {0U, 2U, 3U, 0xffffffffU})
    EXPECT_TRUE(refused([&](Hcl& h) { h.hash = hash; })) << hash;
  for (const int64_t error : {-1000L, -1L, 1L, 29L, 30L, 31L, 4'000'000'000L}) {
    EXPECT_TRUE(refused([&](Hcl& h) { h.size_error = error; })) << error;
    EXPECT_TRUE(refused([&](Hcl& h) { h.length_error = error; })) << error;
    EXPECT_TRUE(refused([&](Hcl& h) { h.size_error = h.length_error = error; })) << error;
  }
  EXPECT_TRUE(refused([](Hcl& h) { h.tail.back() = 1; }));
  EXPECT_TRUE(refused([](Hcl& h) { h.tail.resize(kMaxHclReport); }));
  const Bytes whole = Hcl{.tail = {}}.Marshal();
  for (size_t n = 0; n < whole.size(); n += n < 1300 ? 1 : 37)
    EXPECT_FALSE(ParseHclReport(ByteSpan(whole).first(n)).ok()) << n;
}

TEST(HclReport, TheKeyMustBeThereOnce) {
  const auto parse = [](const std::string& runtime) {
    Hcl hcl;
    hcl.runtime = runtime;
    return hcl.Parse();
  };
  EXPECT_TRUE(parse(Hcl::Runtime(Hcl::Key("HCLEkPub") + "," + Hcl::Key("HCLAkPub"))).ok());
  for (const std::string& bad :
       {std::string(), std::string("{}"), std::string("[]"), std::string(R"({"keys":{}})"),
        Hcl::Runtime(""), Hcl::Runtime(Hcl::Key("HCLEkPub")), Hcl::Runtime("7"),
        Hcl::Runtime(Hcl::Key("HCLAkPub") + "," + Hcl::Key("HCLAkPub")),
        // Two lists of keys: one reader sees the first, another the second.
        R"({"keys":[],)" + Hcl::Runtime(Hcl::Key("HCLAkPub")).substr(1)}) {
    EXPECT_FALSE(parse(bad).ok()) << bad;
  }
}

TEST(HclReport, RuntimeDataAreWhatTheHardwareSigned) {
  const HclReport report = test::Must(Hcl{}.Parse());
  Bytes field = ToBytes(Sha256(report.runtime_data));
  EXPECT_TRUE(CheckRuntimeData(report, field).ok());
  field.resize(64);
  EXPECT_TRUE(CheckRuntimeData(report, field).ok());
  for (const size_t at : {0U, 31U, 32U, 63U}) {
    Bytes bad = field;
    bad[at] ^= 1;
    EXPECT_EQ(CheckRuntimeData(report, bad).code(), Code::kEvidenceSignature) << at;
  }
  EXPECT_EQ(CheckRuntimeData(report, ByteSpan(field).first(31)).code(), Code::kEvidenceSignature);
  EXPECT_EQ(CheckRuntimeData(report, {}).code(), Code::kEvidenceSignature);
}

}  // namespace
}  // namespace keyclave::attest::tpm
