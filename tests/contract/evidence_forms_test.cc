// The forms that evidence of one type can have beside the one that the TEE contract tries, and the
// collateral that vouches for it: whatever byte is changed, cut off or added, it is refused, or it
// says the very same.
#include <gtest/gtest.h>

#include "attest/tee_type.h"
#include "tests/fakes/fake_azure.h"
#include "tests/fakes/fake_cca.h"
#include "tests/fakes/fake_intel.h"
#include "tests/fakes/fake_nitro.h"
#include "tests/fakes/fake_token.h"
#include "tests/fakes/must.h"

namespace keyclave::attest {
namespace {

using dcap::Tee;
using test::FakeIntel;
using test::FakeKeyKind;
using test::FakeTee;
using test::Must;

constexpr UnixTime kNow = 1'790'000'000;

ReportData SomeReportData() {
  ReportData data;
  for (size_t i = 0; i < data.size(); ++i) data.at(i) = static_cast<uint8_t>(i * 37 + 5);
  return data;
}

struct Form {
  std::string type;
  Trust trust;
  Bytes evidence;
  // Bytes that nothing covers, with the reason where the form is made.
  std::function<bool(size_t)> is_uncovered = [](size_t) { return false; };
  // Whether so many zeros may follow: hosts hand out buffers of fixed size.
  std::function<bool(size_t)> may_follow = [](size_t) { return false; };
};

// All claims in one text; empty if it is refused.
std::string ClaimsOf(const Form& form, ByteSpan evidence, const Trust& trust) {
  const auto parsed = ParseEvidence(form.type, evidence);
  if (!parsed.ok()) return {};
  const auto verified = VerifyEvidence(*parsed, {trust, kNow, SomeReportData()});
  if (!verified.ok()) return {};
  std::string text;
  for (const auto& [name, claim] : verified->claims())
    text += name + "=" + ToText(claim.value) + "\n";
  return text;
}

Form OfIntel(Tee tee, const std::function<void(test::FakeQuote&)>& change) {
  const FakeIntel intel(tee);
  test::FakeQuote quote = test::SampleQuote(tee, SomeReportData(), false);
  change(quote);
  const Bytes evidence = intel.Quote(quote);
  return {std::string(TypeName(tee)), intel.Trust(), evidence,
          [intel, evidence](size_t at) { return intel.IsUncovered(evidence, at); },
          [](size_t) { return true; }};
}

Form Of(const FakeTee& tee) {
  return {std::string(tee.type()), tee.OwnTrust(), tee.Evidence(SomeReportData(), kNow, false)};
}

Form OfSnp(const std::function<void(test::FakeSnpOptions&)>& change) {
  test::FakeSnpOptions options;
  change(options);
  const test::FakeSnp snp(options);
  Form form = Of(snp);
  // Behind a report alone there may be a table that is empty.
  const size_t least = options.bring_table ? 1 : 24;
  form.may_follow = [least](size_t zeros) { return zeros >= least; };
  Collateral collateral;
  if (!collateral.Add(snp.leaf().certificate().der(), "leaf").ok()) std::abort();
  if (!collateral.Add(snp.ask().certificate().der(), "ask").ok()) std::abort();
  if (!options.bring_table)
    form.trust.collateral = std::make_shared<const Collateral>(std::move(collateral));
  return form;
}

Form OfNitro() {
  test::FakeNitroOptions options;
  options.indefinite = options.tagged = true;
  return Of(test::FakeNitro(std::move(options)));
}

Form OfCca() {
  test::FakeCcaOptions options;
  options.cose_key = true;
  options.key_hash = "sha-512";
  return Of(test::FakeCca(std::move(options)));
}

Form OfTpm(FakeKeyKind key, bool pss, bool certified) {
  test::FakeTpmOptions options;
  options.key = key;
  options.pss = pss;
  options.certified = certified;
  Form form = Of(test::FakeTpm(std::move(options)));
  // The parameters of an RSA key's algorithm, NULL, which nobody reads (RFC 3279 §2.3.1).
  const Bytes rsa = Must(FromHex("06092a864886f70d010101"));
  const auto found =
      std::search(form.evidence.begin(), form.evidence.end(), rsa.begin(), rsa.end());
  const auto null = static_cast<size_t>(found - form.evidence.begin()) + rsa.size();
  if (!certified) form.is_uncovered = [null](size_t at) { return at == null || at == null + 1; };
  return form;
}

Form OfAzure() {
  const test::FakeSnp guest;
  const test::FakeTpm vtpm({.key = FakeKeyKind::kRsa2048, .certified = false});
  Form form = {"tpm", guest.OwnTrust(),
               EncodeEvidence(AzureParts(guest, vtpm, ByteSpan(SomeReportData()).first(32)))};
  form.trust.accepted_types = {"tpm"};
  const std::string_view text = AsText(form.evidence);
  const size_t start = text.find("HCLA");
  // The paravisor's header: version, sizes and types of its own request, and the runtime data's
  // version. The hardware signs the report between them and the runtime data behind them.
  form.is_uncovered = [start](size_t at) {
    return (at >= start + 4 && at < start + 32) || (at >= start + 1220 && at < start + 1224);
  };
  return form;
}

Form OfToken(const std::string& family, const std::string& algorithm) {
  test::FakeTokenOptions options;
  options.family = family;
  options.algorithm = algorithm;
  return Of(test::FakeToken(std::move(options)));
}

struct Named {
  const char* name;
  Form (*make)();
};

constexpr Named kForms[] = {
    {"SgxVersion4", [] { return OfIntel(Tee::kSgx, [](auto& quote) { quote.version = 4; }); }},
    {"TdxVersion5", [] { return OfIntel(Tee::kTdx, [](auto& quote) { quote.version = 5; }); }},
    {"Tdx15",
     [] {
       return OfIntel(Tee::kTdx, [](auto& quote) {
         quote.version = 5;
         std::get<dcap::TdReport>(quote.body).of_15 = dcap::Td15Fields();
       });
     }},
    {"SnpAlone", [] { return OfSnp([](auto& options) { options.bring_table = false; }); }},
    {"SnpVersion5", [] { return OfSnp([](auto& options) { options.version = 5; }); }},
    {"SnpVlek",
     [] {
       return OfSnp([](auto& options) {
         options.vlek = true;
         options.signing_key = 1;
       });
     }},
    {"NitroTaggedIndefinite", OfNitro},
    {"CcaWithProfile", OfCca},
    {"TpmRsaEnrolled", [] { return OfTpm(FakeKeyKind::kRsa2048, false, false); }},
    {"TpmRsaPss", [] { return OfTpm(FakeKeyKind::kRsa2048, true, true); }},
    {"TpmP384", [] { return OfTpm(FakeKeyKind::kP384, false, true); }},
    {"Azure", OfAzure},
    {"TokenMaa", [] { return OfToken("maa", "RS256"); }},
    {"TokenGoogle", [] { return OfToken("google", "PS256"); }},
    {"TokenEar", [] { return OfToken("trustee", "ES384"); }},
};

class EvidenceForms : public testing::TestWithParam<Named> {
 protected:
  const Form form_ = GetParam().make();
  const std::string claims_ = ClaimsOf(form_, form_.evidence, form_.trust);
};

TEST_P(EvidenceForms, AChangedByteIsRefusedOrSaysTheSame) {
  ASSERT_NE(claims_, "");
  for (size_t i = 0; i < form_.evidence.size(); ++i) {
    Bytes bad = form_.evidence;
    bad[i] = static_cast<uint8_t>(bad[i] ^ (1U << i % 8));
    const std::string claims = ClaimsOf(form_, bad, form_.trust);
    if (claims.empty()) continue;
    EXPECT_TRUE(form_.is_uncovered(i)) << "byte " << i << " of " << form_.evidence.size();
    EXPECT_EQ(claims, claims_) << "byte " << i;
  }
}

TEST_P(EvidenceForms, OtherSizesAreRefused) {
  for (size_t n = 0; n < form_.evidence.size(); ++n)
    EXPECT_EQ(ClaimsOf(form_, ByteSpan(form_.evidence).first(n), form_.trust), "") << n;
  for (const size_t size : {form_.evidence.size() + 1, kMaxEvidence, kMaxEvidence + 1}) {
    Bytes longer = form_.evidence;
    longer.resize(size);
    const bool fine = form_.may_follow(size - form_.evidence.size()) && size <= kMaxEvidence;
    EXPECT_TRUE(ClaimsOf(form_, longer, form_.trust) == (fine ? claims_ : "")) << size;
  }
}

INSTANTIATE_TEST_SUITE_P(Each, EvidenceForms, testing::ValuesIn(kForms),
                         [](const auto& parameter) { return parameter.param.name; });

// ---- collateral ----

// One file of a folder of collateral.
struct Piece {
  std::string name;
  Bytes bytes;
};

std::vector<Piece> PiecesOf(const Collateral& collateral) {
  std::vector<Piece> pieces;
  for (const Document& one : collateral.documents()) pieces.push_back({one.source(), one.bytes()});
  for (const RevocationList& one : collateral.revocation_lists())
    pieces.push_back({"list of " + one.IssuerText(), one.der()});
  // The root comes along, but is not what is believed.
  for (const Certificate& one : collateral.certificates()) {
    if (!one.SelfIssued()) pieces.push_back({one.SubjectText(), one.der()});
  }
  return pieces;
}

class CollateralOf : public testing::TestWithParam<Tee> {
 protected:
  std::string With(size_t which, const Bytes& bytes) const {
    Collateral collateral;
    for (size_t i = 0; i < pieces_.size(); ++i) {
      const Bytes& piece = i == which ? bytes : pieces_[i].bytes;
      if (!collateral.Add(piece, pieces_[i].name).ok()) return {};
    }
    Trust trust = form_.trust;
    trust.collateral = std::make_shared<const Collateral>(std::move(collateral));
    return ClaimsOf(form_, form_.evidence, trust);
  }
  const Form form_ = OfIntel(GetParam(), [](test::FakeQuote&) {});
  const std::vector<Piece> pieces_ = PiecesOf(*form_.trust.collateral);
};

// The signature of a document is written in hexadecimal, of either case.
bool IsCaseOfSignature(const Bytes& document, size_t at, unsigned bit) {
  const size_t signature = AsText(document).find("\"signature\":\"");
  return bit == 5 && signature != std::string_view::npos && at > signature + 12;
}

TEST_P(CollateralOf, AChangedByteIsRefused) {
  ASSERT_EQ(pieces_.size(), 5U);
  const std::string claims = With(SIZE_MAX, {});
  ASSERT_NE(claims, "");
  for (size_t which = 0; which < pieces_.size(); ++which) {
    const Bytes& good = pieces_[which].bytes;
    for (size_t i = 0; i < good.size(); ++i) {
      const unsigned bit = i % 8;
      Bytes bad = good;
      bad[i] = static_cast<uint8_t>(bad[i] ^ (1U << bit));
      const std::string got = With(which, bad);
      if (got.empty()) continue;
      EXPECT_EQ(got, claims);
      EXPECT_TRUE(IsCaseOfSignature(good, i, bit))
          << pieces_[which].name << ", byte " << i << " bit " << bit << " of " << good.size();
    }
  }
}

TEST_P(CollateralOf, EveryTruncationIsRefused) {
  for (size_t which = 0; which < pieces_.size(); ++which) {
    const Bytes& good = pieces_[which].bytes;
    for (size_t n = 0; n < good.size(); ++n)
      EXPECT_EQ(With(which, Bytes(good.begin(), good.begin() + static_cast<ptrdiff_t>(n))), "")
          << pieces_[which].name << ", " << n << " bytes";
  }
}

INSTANTIATE_TEST_SUITE_P(Dcap, CollateralOf, testing::Values(Tee::kSgx, Tee::kTdx),
                         [](const auto& parameter) {
                           return std::string(TypeName(parameter.param));
                         });

}  // namespace
}  // namespace keyclave::attest
