// The form of DCAP quotes: versions, bodies, certification data, containers, hostile sizes.

#include <gtest/gtest.h>

#include "attest/dcap/quote.h"
#include "attest/tee_type.h"
#include "enclave/base/byte_reader.h"
#include "tests/fakes/fake_intel.h"

namespace keyclave::attest::dcap {
namespace {

using test::FakeIntel;
using test::FakeQuote;

constexpr UnixTime kNow = 1'790'000'000;

ReportData SomeData() {
  ReportData data;
  data.fill(0x77);
  return data;
}

class Quotes : public testing::TestWithParam<Tee> {
 protected:
  FakeQuote Sample() const { return test::SampleQuote(GetParam(), SomeData(), false); }
  Result<Quote> Parse(const FakeQuote& quote) const {
    return ParseQuote(intel_.Quote(quote), GetParam());
  }
  // The code with which it is refused, binding apart; nullopt if it is accepted.
  std::optional<Code> Refused(const FakeQuote& quote) const { return Refused(intel_.Quote(quote)); }
  std::optional<Code> Refused(ByteSpan bytes) const {
    const auto parsed = ParseEvidence(TypeName(GetParam()), bytes);
    if (!parsed.ok()) return parsed.code();
    const auto claims = ExamineEvidence(*parsed, {trust_, kNow, ExpectedBinding::None()});
    if (!claims.ok()) return claims.code();
    return std::nullopt;
  }
  FakeIntel intel_{GetParam()};
  Trust trust_ = intel_.Trust();
};

INSTANTIATE_TEST_SUITE_P(Dcap, Quotes, testing::Values(Tee::kSgx, Tee::kTdx),
                         [](const auto& tee) { return std::string(TypeName(tee.param)); });

TEST_P(Quotes, OfVersions4And5AreAccepted) {
  FakeQuote quote = Sample();
  for (const uint16_t version : {uint16_t{4}, uint16_t{5}}) {
    quote.version = version;
    EXPECT_EQ(Refused(quote), std::nullopt) << version;
    const auto parsed = Parse(quote);
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(parsed->tee(), GetParam());
    EXPECT_EQ(parsed->body_type.has_value(), version == 5);
  }
}

TEST_P(Quotes, OfOtherVersionsAreRefused) {
  FakeQuote quote = Sample();
  for (const uint16_t version : {uint16_t{0}, uint16_t{1}, uint16_t{2}, uint16_t{6}}) {
    quote.version = version;
    EXPECT_EQ(Refused(quote), Code::kEvidenceMalformed) << version;
  }
  quote.version = 3;
  EXPECT_EQ(Refused(quote),
            GetParam() == Tee::kSgx ? std::nullopt : std::optional(Code::kEvidenceMalformed));
}

TEST_P(Quotes, HeadersOfOthersAreRefused) {
  FakeQuote quote = Sample();
  quote.attestation_key_type = 3;  // ECDSA P-384
  EXPECT_EQ(Refused(quote), Code::kEvidenceMalformed);
  quote = Sample();
  quote.qe_vendor_id[0] = 0;
  EXPECT_EQ(Refused(quote), Code::kEvidenceMalformed);
  // The other TEE's quote, and this TEE's quote taken for the other's.
  const Tee other = GetParam() == Tee::kSgx ? Tee::kTdx : Tee::kSgx;
  EXPECT_FALSE(ParseQuote(intel_.Quote(Sample()), other).ok());
  EXPECT_FALSE(LooksLikeQuote(intel_.Quote(Sample()), other));
  EXPECT_TRUE(LooksLikeQuote(intel_.Quote(Sample()), GetParam()));
}

TEST_P(Quotes, BodyTypesThatDoNotFitAreRefused) {
  FakeQuote quote = Sample();
  quote.version = 5;
  const uint16_t right = GetParam() == Tee::kSgx ? 1 : 2;
  for (const uint16_t type :
       {uint16_t{1}, uint16_t{2}, uint16_t{3}, uint16_t{4}, uint16_t{65535}}) {
    quote.body_type = type;
    EXPECT_EQ(Refused(quote).has_value(), type != right) << type;
  }
}

TEST_P(Quotes, WithoutAChainAreRefusedByNamingWhatIsMissing) {
  FakeQuote quote = Sample();
  quote.certification_data = Bytes(404, 0x11);
  for (const uint16_t type : {uint16_t{1}, uint16_t{2}, uint16_t{3}}) {
    quote.certification_type = type;
    const auto parsed = Parse(quote);
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(parsed->certification_type, type);
    EXPECT_EQ(Refused(quote), Code::kCollateralMissing) << type;
  }
  for (const uint16_t type : {uint16_t{0}, uint16_t{6}, uint16_t{7}, uint16_t{65535}}) {
    quote.certification_type = type;
    EXPECT_EQ(Refused(quote), Code::kEvidenceMalformed) << type;
  }
  quote = Sample();
  for (const Bytes& data : {Bytes(), Bytes(1, 0x30), Bytes(10, 0), ToBytes("-----BEGIN "),
                            ToBytes("-----BEGIN CERTIFICATE-----\n")}) {
    quote.certification_data = data;
    EXPECT_EQ(Refused(quote), Code::kEvidenceMalformed) << data.size();
  }
}

TEST_P(Quotes, ChainsInDerAndInAnotherOrderAreFine) {
  FakeQuote quote = Sample();
  Bytes der;
  for (const test::FakeAuthority& one : {intel_.pck(), intel_.pck_ca(), intel_.root()})
    der.insert(der.end(), one.certificate().der().begin(), one.certificate().der().end());
  quote.certification_data = der;
  EXPECT_EQ(Refused(quote), std::nullopt);
  der.pop_back();
  quote.certification_data = der;
  EXPECT_EQ(Refused(quote), Code::kEvidenceMalformed);
  quote.certification_data =
      ToBytes(intel_.root().Pem() + intel_.pck_ca().Pem() + intel_.pck().Pem());
  EXPECT_EQ(Refused(quote), std::nullopt);
  // The authority may come from the collateral, which brings it with its revocation list.
  quote.certification_type = 4;
  quote.certification_data = ToBytes(intel_.pck().Pem());
  EXPECT_EQ(Refused(quote), Code::kEvidenceChain);
  Collateral collateral = intel_.Collateral({});
  ASSERT_TRUE(collateral.Add(AsBytes(intel_.pck_ca().Pem()), "pck_ca.pem").ok());
  trust_.collateral = std::make_shared<const Collateral>(std::move(collateral));
  EXPECT_EQ(Refused(quote), std::nullopt);
}

TEST_P(Quotes, TrailingBytesAreCountedAndNothingElse) {
  const Bytes bytes = intel_.Quote(Sample());
  for (const size_t more : {size_t{1}, size_t{39}, size_t{70}, size_t{3065}}) {
    Bytes longer = bytes;
    longer.resize(bytes.size() + more, 0xee);
    const auto parsed = ParseQuote(longer, GetParam());
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(parsed->trailing_bytes, more);
    EXPECT_EQ(Refused(longer), std::nullopt);
  }
}

TEST_P(Quotes, InOpenEnclavesContainerAreFound) {
  const Bytes bytes = intel_.Quote(Sample());
  const auto wrap = [&](uint32_t type, uint64_t size) {
    ByteWriter writer;
    writer.PutLe(uint32_t{1});
    writer.PutLe(type);
    writer.PutLe(size);
    writer.Put(bytes);
    writer.Put(Bytes(67, 0x0e));  // custom claims
    return std::move(writer).Finish();
  };
  EXPECT_TRUE(LooksLikeQuote(wrap(2, bytes.size()), GetParam()));
  EXPECT_EQ(Refused(wrap(2, bytes.size())), std::nullopt);
  EXPECT_EQ(Refused(wrap(1, bytes.size())), Code::kEvidenceMalformed);  // a local report
  for (const uint64_t size : {uint64_t{0}, uint64_t{bytes.size() - 1}, uint64_t{bytes.size() + 68},
                              uint64_t{UINT64_MAX}, uint64_t{UINT64_MAX - 15}})
    EXPECT_EQ(Refused(wrap(2, size)), Code::kEvidenceMalformed) << size;
}

// Each length field of the quote, one below and above what it must be, and at its ends.
TEST_P(Quotes, HostileLengthsAreRefused) {
  const FakeQuote sample = Sample();
  const Bytes good = intel_.Quote(sample);
  const size_t signature_data = good.size() - 4 - [&] {
    const auto parsed = ParseQuote(good, GetParam());
    return good.size() - parsed->signed_bytes.size() - 4;
  }();
  const bool wrapped = sample.version != 3;
  const size_t qe_report = signature_data + 4 + 128 + (wrapped ? 6 : 0);
  const size_t auth_size = qe_report + 384 + 64;
  const size_t chain_size = auth_size + 2 + sample.qe_auth_data.size() + 2;
  std::vector<std::pair<size_t, size_t>> fields = {
      {signature_data, 4}, {auth_size, 2}, {chain_size, 4}};
  if (wrapped) fields.emplace_back(signature_data + 4 + 128 + 2, 4);
  for (const auto& [at, width] : fields) {
    uint64_t value = 0;
    for (size_t i = width; i-- > 0;) value = value << 8 | good[at + i];
    for (const uint64_t bad : {uint64_t{0}, value - 1, value + 1, uint64_t{0x7fffffff},
                               uint64_t{0x80000000}, uint64_t{0xffffffff}}) {
      Bytes bytes = good;
      for (size_t i = 0; i < width; ++i) bytes[at + i] = static_cast<uint8_t>(bad >> (8 * i));
      EXPECT_EQ(Refused(bytes), Code::kEvidenceMalformed) << "at " << at << ": " << bad;
    }
  }
}

TEST_P(Quotes, AreDescribedFieldByField) {
  const auto parsed = ParseEvidence(TypeName(GetParam()), intel_.Quote(Sample()));
  ASSERT_TRUE(parsed.ok());
  std::map<std::string, std::string> fields;
  for (const Field& field : parsed->type().describe(parsed->parsed())) {
    EXPECT_TRUE(fields.emplace(field.name, field.value).second) << field.name;
  }
  EXPECT_EQ(fields["pck.fmspc"], "00a06f050000");
  EXPECT_EQ(fields["certificate[2].subject"], intel_.root().certificate().SubjectText());
  if (GetParam() == Tee::kSgx) {
    EXPECT_EQ(fields["header.version"], "3");
    EXPECT_EQ(fields["report_body.mr_enclave"], ToHex(Bytes(32, 0x5a)));
    EXPECT_EQ(fields["report_body.isv_svn"], "3");
  } else {
    EXPECT_EQ(fields["header.version"], "4");
    EXPECT_EQ(fields["td_report.rtmr2"], ToHex(Bytes(48, 0xb2)));
    EXPECT_EQ(fields["td_report.tdattributes.sept_ve_disable"], "true");
  }
}

TEST_P(Quotes, CannotBeProducedHere) {
  const TeeType* type = FindTeeType(TypeName(GetParam()));
  ASSERT_NE(type, nullptr);
  EXPECT_EQ(type->produce(SomeData(), {}, kNow).code(), Code::kEvidenceUnavailable);
}

TEST(TdQuotes, OfTdx15InVersion5) {
  const FakeIntel intel(Tee::kTdx);
  FakeQuote quote = test::SampleQuote(Tee::kTdx, SomeData(), false);
  quote.version = 5;
  auto& more = std::get<TdReport>(quote.body).of_15.emplace();
  more.tee_tcb_svn2 = {7, 1, 3};
  more.mrservicetd.fill(0x5d);
  const auto parsed = ParseQuote(intel.Quote(quote), Tee::kTdx);
  ASSERT_TRUE(parsed.ok()) << parsed.error().Text();
  EXPECT_EQ(parsed->body_type, 3);
  ASSERT_TRUE(std::get<TdReport>(parsed->body).of_15.has_value());
  // 648 bytes under the type of 584, and the other way round.
  quote.body_type = 2;
  EXPECT_FALSE(ParseQuote(intel.Quote(quote), Tee::kTdx).ok());
}

}  // namespace
}  // namespace keyclave::attest::dcap
