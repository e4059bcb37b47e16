#include "enclave/client/key_reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libtasn1.h>

#include <fstream>

#include "tests/fakes/paths.h"

namespace keyclave::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

wire::ObjectRef SampleRef() {
  wire::ObjectRef ref;
  ref.token_label = "edge fleet";
  ref.token_serial = "0123456789abcdef";
  ref.object_class = CKO_PRIVATE_KEY;
  ref.cka_id = Bytes{0x00, 0x01, 0xff};
  ref.label = "www; ü";
  return ref;
}

// KeyReference { description, uri } by libtasn1 from the .asn file itself.
Bytes EncodeFromSource(std::string_view description, std::string_view uri) {
  const std::string file = fakes::SourcePath("enclave/client/key_reference.asn");
  asn1_node definitions = nullptr;
  asn1_node value = nullptr;
  char why[ASN1_MAX_ERROR_DESCRIPTION_SIZE] = "";
  EXPECT_EQ(asn1_parser2tree(file.c_str(), &definitions, why), ASN1_SUCCESS) << why;
  EXPECT_EQ(asn1_create_element(definitions, "KEYCLAVE.KeyReference", &value), ASN1_SUCCESS);
  EXPECT_EQ(asn1_write_value(value, "description", description.data(),
                             static_cast<int>(description.size())),
            ASN1_SUCCESS);
  EXPECT_EQ(asn1_write_value(value, "uri", uri.data(), static_cast<int>(uri.size())), ASN1_SUCCESS);
  Bytes der(20000);
  int size = static_cast<int>(der.size());
  EXPECT_EQ(asn1_der_coding(value, "", der.data(), &size, nullptr), ASN1_SUCCESS);
  der.resize(static_cast<size_t>(size));
  asn1_delete_structure(&value);
  asn1_delete_structure(&definitions);
  return der;
}

constexpr std::string_view kVersion = "PKCS#11 Provider URI v1.0";
constexpr const char* kUri = "pkcs11:token=edge;object=www;type=private";

TEST(KeyReferenceFile, EncodesAsTheAsn1FileSays) {
  const auto der = EncodeKeyReference(kUri);
  ASSERT_TRUE(der.ok());
  EXPECT_EQ(*der, EncodeFromSource(kVersion, kUri));
}

TEST(KeyReferenceFile, RoundTripsPem) {
  const auto pem = EncodeKeyReferencePem(kUri);
  ASSERT_TRUE(pem.ok());
  EXPECT_TRUE(pem->starts_with("-----BEGIN PKCS#11 PROVIDER URI-----\n")) << *pem;
  EXPECT_TRUE(pem->ends_with("-----END PKCS#11 PROVIDER URI-----\n")) << *pem;
  const auto uri = DecodeKeyReferencePem(*pem);
  ASSERT_TRUE(uri.ok()) << uri.error().Text();
  EXPECT_EQ(*uri, kUri);
}

// Written by pkcs11-provider's documentation form, here by Python's base64 of the same DER.
TEST(KeyReferenceFile, ReadsOneThatOthersWrote) {
  const auto uri = DecodeKeyReferencePem(
      "-----BEGIN PKCS#11 PROVIDER URI-----\n"
      "MCQaGVBLQ1MjMTEgUHJvdmlkZXIgVVJJIHYxLjAMB3BrY3MxMTo=\n"
      "-----END PKCS#11 PROVIDER URI-----\n");
  ASSERT_TRUE(uri.ok()) << uri.error().Text();
  EXPECT_EQ(*uri, "pkcs11:");
}

TEST(KeyReferenceFile, RefusesEveryTruncationAndTrailingByte) {
  const auto der = EncodeKeyReference(kUri);
  ASSERT_TRUE(der.ok());
  for (size_t size = 0; size < der->size(); ++size)
    EXPECT_FALSE(DecodeKeyReference(ByteSpan(*der).first(size)).ok()) << size;
  Bytes longer = *der;
  longer.push_back(0);
  EXPECT_FALSE(DecodeKeyReference(longer).ok());
}

TEST(KeyReferenceFile, BitFlipsNeverGiveTheSameUri) {
  const auto der = EncodeKeyReference(kUri);
  ASSERT_TRUE(der.ok());
  for (size_t bit = 0; bit < der->size() * 8; ++bit) {
    Bytes flipped = *der;
    flipped[bit / 8] ^= static_cast<uint8_t>(1U << (bit % 8));
    const auto uri = DecodeKeyReference(flipped);
    EXPECT_FALSE(uri.ok() && *uri == kUri) << "bit " << bit;
  }
}

TEST(KeyReferenceFile, RefusesAnotherVersionAndNul) {
  EXPECT_FALSE(DecodeKeyReference(EncodeFromSource("PKCS#11 Provider URI v2.0", kUri)).ok());
  using namespace std::string_view_literals;
  EXPECT_FALSE(DecodeKeyReference(EncodeFromSource(kVersion, "pkcs11:a\0b"sv)).ok());
  EXPECT_FALSE(DecodeKeyReference(EncodeFromSource(kVersion, "pkcs11:\0"sv)).ok());
}

TEST(KeyReferenceFile, TakesTheLongestUriAndNoLongerOne) {
  const std::string longest = "pkcs11:" + std::string(kMaxUri - 7, 'a');
  const auto der = EncodeKeyReference(longest);
  ASSERT_TRUE(der.ok());
  const auto uri = DecodeKeyReference(*der);
  ASSERT_TRUE(uri.ok());
  EXPECT_EQ(*uri, longest);
  EXPECT_FALSE(EncodeKeyReference(longest + "a").ok());
  EXPECT_FALSE(EncodeKeyReference("").ok());
  EXPECT_FALSE(
      DecodeKeyReference(EncodeFromSource(kVersion, longest + std::string(100, 'a'))).ok());
}

TEST(KeyUri, RoundTripsEveryPartOfAReference) {
  const Bytes spki{0x30, 0xfb, 0xff, 0x00};
  const auto uri = MakeUri(SampleRef(), spki);
  ASSERT_TRUE(uri.ok()) << uri.error().Text();
  const auto parsed = ParseKeyUri(*uri);
  ASSERT_TRUE(parsed.ok()) << parsed.error().Text();
  EXPECT_EQ(parsed->object.token_label, "edge fleet");
  EXPECT_EQ(parsed->object.token_serial, "0123456789abcdef");
  EXPECT_EQ(parsed->object.object_class, CKO_PRIVATE_KEY);
  EXPECT_EQ(parsed->object.cka_id, (Bytes{0x00, 0x01, 0xff}));
  EXPECT_EQ(parsed->object.label, "www; ü");
  EXPECT_FALSE(parsed->object.id.has_value());
  EXPECT_EQ(parsed->spki, spki);
  EXPECT_FALSE(parsed->HasPin());
}

TEST(KeyUri, CarriesWhatItPins) {
  wire::ObjectRef ref = SampleRef();
  ByteArray<32> digest{};
  digest.fill(0x5a);
  ref.policies = {digest};
  const std::string measurement(96, 'c');
  const auto uri = MakeUri(ref, Bytes{0x30, 0x00}, measurement);
  ASSERT_TRUE(uri.ok()) << uri.error().Text();
  EXPECT_THAT(*uri, HasSubstr("x-keyclave-policy=" + ToHex(digest)));
  EXPECT_THAT(*uri, HasSubstr("x-keyclave-measurement=" + measurement));
  const auto parsed = ParseKeyUri(*uri);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->object.policies, ref.policies);
  EXPECT_EQ(parsed->measurement, measurement);
}

// A pin that cannot be read must not be no pin.
TEST(KeyUri, RefusesAPinThatIsNone) {
  for (const char* query :
       {"x-keyclave-policy=", "x-keyclave-policy=5a", "x-keyclave-policy=zz",
        "x-keyclave-measurement=", "x-keyclave-measurement=5", "x-keyclave-measurement=xy"}) {
    EXPECT_FALSE(ParseKeyUri(std::string("pkcs11:token=edge?") + query).ok()) << query;
  }
}

TEST(KeyUri, NamesAVersionByLabelOnly) {
  wire::ObjectRef ref;
  ref.token_label = "edge";
  ref.label = "www";
  const auto uri = MakeUri(ref, {}, {}, "current");
  ASSERT_TRUE(uri.ok());
  EXPECT_EQ(*uri, "pkcs11:token=edge;object=www?x-keyclave-version=current");
  EXPECT_EQ(ParseKeyUri(*uri)->version, "current");
  EXPECT_EQ(ParseKeyUri("pkcs11:object=www?x-keyclave-version=17")->version, "17");
  for (const char* bad :
       {"pkcs11:token=edge?x-keyclave-version=current",
        "pkcs11:object=www;id=%01?x-keyclave-version=current",
        "pkcs11:object=www?x-keyclave-version=1&x-keyclave-spki=AAAA",
        "pkcs11:object=www?x-keyclave-version=latest", "pkcs11:object=www?x-keyclave-version=-1",
        "pkcs11:object=www?x-keyclave-version="}) {
    EXPECT_EQ(ParseKeyUri(bad).code(), Code::kInvalidArgument) << bad;
  }
}

TEST(KeyUri, LeavesOutWhatTheReferenceLacks) {
  wire::ObjectRef ref;
  ref.token_label = "edge";
  const auto uri = MakeUri(ref);
  ASSERT_TRUE(uri.ok());
  EXPECT_EQ(*uri, "pkcs11:token=edge");
  const auto parsed = RefFromUri(*uri);
  ASSERT_TRUE(parsed.ok());
  EXPECT_FALSE(parsed->token_serial || parsed->object_class || parsed->cka_id || parsed->label);
}

TEST(KeyUri, TakesTheAliasAndAnyCaseOfTheScheme) {
  for (const char* scheme : {"pkcs11:", "PKCS11:", "keyclave:", "KeyClave:"}) {
    EXPECT_TRUE(IsKeyUri(scheme)) << scheme;
    const auto ref = RefFromUri(std::string(scheme) + "token=edge;object=www");
    ASSERT_TRUE(ref.ok()) << scheme << ref.error().Text();
    EXPECT_EQ(ref->label, "www");
  }
  EXPECT_FALSE(IsKeyUri("pkcs11"));
  EXPECT_FALSE(IsKeyUri("file:pkcs11:"));
  EXPECT_FALSE(IsKeyUri(""));
}

TEST(KeyUri, ToleratesModuleAndSlotAttributes) {
  const auto ref = RefFromUri(
      "pkcs11:library-manufacturer=x;library-version=2;library-description=y;slot-id=3;"
      "slot-description=z;slot-manufacturer=w;token=edge?module-path=/nowhere.so&module-name=kc");
  ASSERT_TRUE(ref.ok()) << ref.error().Text();
  EXPECT_EQ(ref->token_label, "edge");
}

TEST(KeyUri, LeavesTokensOfOthersAlone) {
  EXPECT_TRUE(RefFromUri("pkcs11:manufacturer=Keyclave;model=Keyclave;token=edge").ok());
  for (const char* uri : {"pkcs11:manufacturer=SoftHSM%20project;token=edge",
                          "pkcs11:model=SoftHSM%20v2;token=edge"}) {
    const auto ref = RefFromUri(uri);
    ASSERT_FALSE(ref.ok());
    EXPECT_EQ(ref.code(), Code::kTokenNotFound);
  }
}

TEST(KeyUri, RefusesWhatItDoesNotUnderstandWithoutRepeatingIt) {
  for (const char* uri :
       {"file:/etc/key.pem", "pkcs11:bogus=1", "pkcs11:token=%zz", "pkcs11:token",
        "pkcs11:type=key", "pkcs11:token=a?x-keyclave-spki=!!&pin-value=4711",
        "pkcs11:token=abcdefghijklmnopqrstuvwxyz0123456", "pkcs11:bogus=1?pin-value=4711"}) {
    const auto parsed = ParseKeyUri(uri);
    ASSERT_FALSE(parsed.ok()) << uri;
    EXPECT_THAT(parsed.error().Text(), Not(HasSubstr("4711")));
  }
  using namespace std::string_literals;
  EXPECT_FALSE(ParseKeyUri("pkcs11:token=a\0b"s).ok());
  EXPECT_EQ(ParseKeyUri("pkcs11:token=" + std::string(kMaxUri, 'a')).code(), Code::kTooLarge);
}

TEST(KeyUri, RefusesFieldsThatPkcs11CannotHold) {
  wire::ObjectRef ref;
  ref.token_label = std::string(32, 'l');
  EXPECT_TRUE(MakeUri(ref).ok());
  ref.token_label = std::string(33, 'l');
  EXPECT_FALSE(MakeUri(ref).ok());
  ref.token_label.reset();
  ref.token_serial = std::string(17, '1');
  EXPECT_FALSE(MakeUri(ref).ok());
}

TEST(KeyUri, ReadsAPinFromTheUriOrAFile) {
  const auto with_value = ParseKeyUri("pkcs11:token=edge?pin-value=12%2034");
  ASSERT_TRUE(with_value.ok());
  const auto value = ReadPin(*with_value);
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(AsText(value->Expose(SecretAccess())), "12 34");

  const std::string path = ::testing::TempDir() + "/pin";
  std::ofstream(path) << "secret pin\nnot this\n";
  for (const std::string& source : {path, "file:" + path, "file://" + path}) {
    const auto with_source = ParseKeyUri("pkcs11:token=edge?pin-source=" + source);
    ASSERT_TRUE(with_source.ok());
    const auto pin = ReadPin(*with_source);
    ASSERT_TRUE(pin.ok()) << pin.error().Text();
    EXPECT_EQ(AsText(pin->Expose(SecretAccess())), "secret pin");
  }
  for (const char* source : {"%7C/bin/echo", "relative", "file:relative", "file:/nowhere/at/all"}) {
    const auto with_source = ParseKeyUri(std::string("pkcs11:token=edge?pin-source=") + source);
    ASSERT_TRUE(with_source.ok());
    EXPECT_FALSE(ReadPin(*with_source).ok()) << source;
  }
  EXPECT_FALSE(ReadPin(KeyUri{}).ok());
}

}  // namespace
}  // namespace keyclave::client
