// The SGX extension of PCK certificates, and DER that is hostile.

#include <gtest/gtest.h>

#include "attest/dcap/pck.h"
#include "attest/der.h"
#include "tests/fakes/fake_pck.h"

namespace keyclave::attest::dcap {
namespace {

using test::FakeAuthority;
using test::FakeKeyKind;
using test::FakePlatform;
using test::SgxField;

constexpr const char* kOid = "1.2.840.113741.1.13.1";

Result<PckPlatform> ParseExtension(Bytes extension) {
  static const auto& root =
      *new FakeAuthority(FakeAuthority::Root(FakeKeyKind::kP256, {.name = "CN=Root,O=Test"}));
  const auto pck = root.Issue(
      FakeKeyKind::kP256, {.name = "CN=PCK,O=Test", .extensions = {{kOid, std::move(extension)}}});
  return ParsePckPlatform(pck.certificate());
}

TEST(Pck, EveryFieldIsRead) {
  FakePlatform fake;
  fake.pcesvn = 300;
  const auto platform = ParseExtension(test::SgxExtension(fake));
  ASSERT_TRUE(platform.ok()) << platform.error().Text();
  EXPECT_EQ(platform->ppid, fake.ppid);
  EXPECT_EQ(platform->components, fake.components);
  EXPECT_EQ(platform->pcesvn, 300);
  EXPECT_EQ(platform->fmspc, fake.fmspc);
  EXPECT_EQ(platform->sgx_type, 1);
  EXPECT_EQ(SgxTypeName(platform->sgx_type), "scalable");
  ASSERT_TRUE(platform->platform_instance_id.has_value());
  EXPECT_EQ(platform->dynamic_platform, true);
  EXPECT_EQ(platform->cached_keys, false);
  EXPECT_EQ(platform->smt_enabled, true);
}

TEST(Pck, OfOnePackageHasNoConfiguration) {
  FakePlatform fake;
  fake.multi_package = false;
  const auto platform = ParseExtension(test::SgxExtension(fake));
  ASSERT_TRUE(platform.ok());
  EXPECT_FALSE(platform->platform_instance_id.has_value());
  EXPECT_FALSE(platform->smt_enabled.has_value());
}

TEST(Pck, EveryTruncationIsRefused) {
  const Bytes good = test::SgxExtension({});
  for (size_t n = 1; n < good.size(); n += 7)
    EXPECT_EQ(ParseExtension(Bytes(good.begin(), good.begin() + static_cast<ptrdiff_t>(n))).code(),
              Code::kEvidenceMalformed)
        << n;
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_EQ(ParseExtension(longer).code(), Code::kEvidenceMalformed);
}

TEST(Pck, MissingTwiceAndUnknownFields) {
  const Bytes good = test::SgxExtension({});
  const Bytes inner(good.begin() + 4, good.end());  // behind tag and a length of three bytes
  const auto with = [&](const Bytes& more) {
    Bytes fields = inner;
    fields.insert(fields.end(), more.begin(), more.end());
    return ParseExtension(test::Der(0x30, fields));
  };
  ASSERT_TRUE(with({}).ok());
  const Bytes octets = test::Der(0x04, Bytes(6, 0xee));
  EXPECT_TRUE(with(SgxField({99}, octets)).ok());
  EXPECT_EQ(with(SgxField({4}, octets)).code(), Code::kEvidenceMalformed);  // FMSPC again
  EXPECT_EQ(ParseExtension(test::Der(0x30, SgxField({4}, octets))).code(),
            Code::kEvidenceMalformed);
  EXPECT_EQ(ParseExtension(test::Der(0x30, {})).code(), Code::kEvidenceMalformed);
  EXPECT_EQ(ParseExtension({0x05, 0x00}).code(), Code::kEvidenceMalformed);
}

TEST(Pck, ACertificateWithoutTheExtensionIsNone) {
  const auto root = FakeAuthority::Root(FakeKeyKind::kP256, {.name = "CN=Root,O=Test"});
  EXPECT_EQ(ParsePckPlatform(root.certificate()).code(), Code::kEvidenceMalformed);
  EXPECT_EQ(FindPck({root.certificate()}), nullptr);
  EXPECT_EQ(root.certificate().CommonName(), "Root");
}

TEST(DerValues, HostileLengthsAreRefused) {
  const Bytes bad[] = {{0x30},
                       {0x30, 0x80, 0x00, 0x00},              // indefinite
                       {0x30, 0x01},                          // cut
                       {0x30, 0x84, 0xff, 0xff, 0xff, 0xff},  // four gigabytes
                       {0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
                       {0x30, 0xff},
                       {0x04, 0x81, 0x01, 0x00},  // longer than need be
                       {0x04, 0x82, 0x00, 0x01, 0x00},
                       {0x1f, 0x01, 0x00},  // a tag of several bytes
                       {0x00, 0x00}};
  for (const Bytes& bytes : bad) EXPECT_FALSE(DerReader(bytes).Take().ok()) << ToHex(bytes);
  const Bytes empty = {0x30, 0x00};
  EXPECT_TRUE(DerReader(empty).Take().ok());
}

TEST(DerValues, NumbersAreSmallestAndNotNegative) {
  const auto number = [](Bytes content) {
    return DerNumber({DerTag::kInteger, content, content}, 65535);
  };
  EXPECT_EQ(number({0x00}).value(), 0U);
  EXPECT_EQ(number({0x00, 0xff}).value(), 255U);
  EXPECT_EQ(number({0x00, 0xff, 0xff}).value(), 65535U);
  EXPECT_EQ(number({0x01, 0x00, 0x00}).code(), Code::kTooLarge);
  EXPECT_EQ(number(Bytes(9, 0x01)).code(), Code::kTooLarge);
  for (const Bytes& bad : {Bytes{}, Bytes{0xff}, Bytes{0x80}, Bytes{0x00, 0x7f}})
    EXPECT_EQ(number(bad).code(), Code::kMalformed) << ToHex(bad);
  const Bytes one = {0x01};
  EXPECT_FALSE(DerNumber({DerTag::kOctetString, one, one}, 9).ok());
  EXPECT_FALSE(DerBool({DerTag::kBoolean, one, one}).ok());  // true is 0xff
}

}  // namespace
}  // namespace keyclave::attest::dcap
