// The rules of PKCS#11 for templates and attributes.

#include "enclave/keys/attributes.h"

#include "enclave/keys/attribute_table.h"
#include "enclave/mech/certify.h"
#include "tests/unit/mech/mech_testing.h"

namespace keyclave::keys {
namespace {

using mech::CodeOf;
using mech::Get;
using wire::AttributeList;

// A template in one line: Template().Ulong(CKA_CLASS, CKO_DATA).Bool(CKA_TOKEN, true).
class Template {
 public:
  Template() = default;
  explicit Template(AttributeList list) : list_(std::move(list)) {}
  Template& Ulong(uint64_t type, uint64_t value) {
    list_.SetUlong(type, value);
    return *this;
  }
  Template& Bool(uint64_t type, bool value) {
    list_.SetBool(type, value);
    return *this;
  }
  Template& Raw(uint64_t type, ByteSpan value) {
    list_.Set(type, value);
    return *this;
  }
  Template& Without(uint64_t type) {
    list_.Remove(type);
    return *this;
  }
  operator const AttributeList&() const { return list_; }  // NOLINT(google-explicit-constructor)

 private:
  AttributeList list_;
};

const mech::KeyPair& RsaPair() { return mech::SomeRsaPair(); }
const mech::KeyPair& EcPair() {
  static const mech::KeyPair* const pair = new mech::KeyPair(mech::NewEcPair(mech::kP256));
  return *pair;
}
AttributeList AesFacts() {
  AttributeList attributes;
  attributes.SetUlong(CKA_VALUE_LEN, 32);
  return Get(mech::FamilyOf(CKM_AES_KEY_GEN).generate(mech::Mech(CKM_AES_KEY_GEN), attributes))
      .attributes;
}

Result<AttributeList> Generated(const AttributeList& requested, uint64_t object_class,
                                const mech::KeyPair& pair, uint64_t mechanism) {
  AttributeList made = pair.attributes;
  made.SetUlong(CKA_CLASS, object_class);
  return CompleteTemplate(requested, made, Origin::kGenerated, mechanism);
}
Result<AttributeList> RsaPrivate(const AttributeList& requested = {}) {
  return Generated(requested, CKO_PRIVATE_KEY, RsaPair(), CKM_RSA_PKCS_KEY_PAIR_GEN);
}
Result<AttributeList> RsaPublic(const AttributeList& requested = {}) {
  return Generated(requested, CKO_PUBLIC_KEY, RsaPair(), CKM_RSA_PKCS_KEY_PAIR_GEN);
}
Result<AttributeList> AesGenerated(const AttributeList& requested = {}) {
  return CompleteTemplate(requested, AesFacts(), Origin::kGenerated, CKM_AES_KEY_GEN);
}
Result<AttributeList> Created(const AttributeList& requested, const AttributeList& made = {}) {
  return CompleteTemplate(requested, made, Origin::kCreated, CK_UNAVAILABLE_INFORMATION);
}

TEST(AttributeTableTest, NoKindHasAnAttributeTwice) {
  for (const AttributeRow& row : AllAttributes()) {
    for (const AttributeRow& other : AllAttributes()) {
      if (&row == &other || row.type != other.type) continue;
      EXPECT_EQ(row.objects & other.objects, 0) << row.name;
      EXPECT_EQ(row.name, other.name);
    }
    EXPECT_EQ(row.required & ~row.settable, 0) << row.name;
  }
}

TEST(AttributeTableTest, EveryObjectHasItsDefaults) {
  const AttributeList key = Get(RsaPrivate());
  for (const AttributeRow& row : AllAttributes()) {
    if ((row.objects & kPrivateRsa) == 0) continue;
    const bool expected = row.fallback != Default::kNone;
    EXPECT_TRUE(key.Has(row.type) || !expected) << row.name;
    EXPECT_FALSE(key.Has(row.type) && row.source == Source::kHidden) << row.name;
  }
}

TEST(CompleteTemplateTest, GeneratedPrivateKey) {
  const AttributeList key = Get(RsaPrivate());
  EXPECT_EQ(key.Ulong(CKA_CLASS), CKO_PRIVATE_KEY);
  EXPECT_EQ(key.Ulong(CKA_KEY_TYPE), CKK_RSA);
  for (const uint64_t type :
       {CKA_PRIVATE, CKA_SENSITIVE, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_LOCAL,
        CKA_MODIFIABLE, CKA_COPYABLE, CKA_DESTROYABLE, CKA_SIGN, CKA_DECRYPT, CKA_UNWRAP}) {
    EXPECT_EQ(key.Bool(type), true) << AttributeName(type);
  }
  for (const uint64_t type : {CKA_TOKEN, CKA_EXTRACTABLE, CKA_DERIVE, CKA_SIGN_RECOVER,
                              CKA_WRAP_WITH_TRUSTED, CKA_ALWAYS_AUTHENTICATE}) {
    EXPECT_EQ(key.Bool(type), false) << AttributeName(type);
  }
  EXPECT_EQ(key.Ulong(CKA_KEY_GEN_MECHANISM), CKM_RSA_PKCS_KEY_PAIR_GEN);
  EXPECT_EQ(*key.Find(CKA_PUBLIC_KEY_INFO), *RsaPair().attributes.Find(CKA_PUBLIC_KEY_INFO));
  EXPECT_EQ(*key.Find(CKA_MODULUS), *RsaPair().attributes.Find(CKA_MODULUS));
  for (const uint64_t type : {CKA_MODULUS_BITS, CKA_VERIFY, CKA_ENCRYPT, CKA_WRAP, CKA_TRUSTED,
                              CKA_PRIVATE_EXPONENT, CKA_VALUE}) {
    EXPECT_FALSE(key.Has(type)) << AttributeName(type);
  }
  EXPECT_EQ(*key.Find(CKA_LABEL), Bytes());
  EXPECT_EQ(*key.Find(CKA_ID), Bytes());
  EXPECT_FALSE(key.Duplicate().has_value());
}

TEST(CompleteTemplateTest, GeneratedPublicKey) {
  const AttributeList key = Get(RsaPublic(Template().Ulong(CKA_MODULUS_BITS, 2048)));
  for (const uint64_t type : {CKA_VERIFY, CKA_ENCRYPT, CKA_WRAP, CKA_LOCAL}) {
    EXPECT_EQ(key.Bool(type), true) << AttributeName(type);
  }
  for (const uint64_t type : {CKA_PRIVATE, CKA_TRUSTED, CKA_DERIVE, CKA_VERIFY_RECOVER}) {
    EXPECT_EQ(key.Bool(type), false) << AttributeName(type);
  }
  EXPECT_EQ(key.Ulong(CKA_MODULUS_BITS), 2048U);
  for (const uint64_t type : {CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_SIGN, CKA_DECRYPT}) {
    EXPECT_FALSE(key.Has(type)) << AttributeName(type);
  }
  EXPECT_EQ(CodeOf(RsaPublic(Template().Ulong(CKA_MODULUS_BITS, 3072))), "AttributeValueInvalid");
}

TEST(CompleteTemplateTest, EcKeysSignUnlessTheTemplateSaysMore) {
  const auto generated = [](uint64_t object_class, const AttributeList& requested = {}) {
    return Get(Generated(requested, object_class, EcPair(), CKM_EC_KEY_PAIR_GEN));
  };
  const AttributeList key = generated(CKO_PRIVATE_KEY);
  EXPECT_TRUE(key.IsTrue(CKA_SIGN));
  for (const uint64_t type : {CKA_DECRYPT, CKA_UNWRAP, CKA_DERIVE})
    EXPECT_EQ(key.Bool(type), false);
  EXPECT_TRUE(key.Has(CKA_EC_PARAMS));
  EXPECT_FALSE(key.Has(CKA_EC_POINT));
  EXPECT_TRUE(generated(CKO_PUBLIC_KEY).Has(CKA_EC_POINT));
  const AttributeList derives = generated(CKO_PRIVATE_KEY, Template().Bool(CKA_DERIVE, true));
  EXPECT_TRUE(derives.IsTrue(CKA_DERIVE));
  EXPECT_TRUE(derives.IsTrue(CKA_SIGN));
}

// As with other tokens: an application that names CKA_SIGN does not thereby give up decryption.
TEST(CompleteTemplateTest, UsesThatAreNotNamedFollowTheKeyType) {
  const AttributeList signs = Get(RsaPrivate(Template().Bool(CKA_SIGN, true)));
  for (const uint64_t type : {CKA_SIGN, CKA_DECRYPT, CKA_UNWRAP}) EXPECT_TRUE(signs.IsTrue(type));
  const AttributeList all_but = Get(RsaPrivate(Template().Bool(CKA_SIGN, false)));
  EXPECT_FALSE(all_but.IsTrue(CKA_SIGN));
  EXPECT_TRUE(all_but.IsTrue(CKA_DECRYPT));
}

TEST(CompleteTemplateTest, HistoryFollowsTheOrigin) {
  const Template open = Template().Bool(CKA_SENSITIVE, false).Bool(CKA_EXTRACTABLE, true);
  const AttributeList generated = Get(AesGenerated(open));
  EXPECT_EQ(generated.Bool(CKA_ALWAYS_SENSITIVE), false);
  EXPECT_EQ(generated.Bool(CKA_NEVER_EXTRACTABLE), false);
  EXPECT_EQ(generated.Bool(CKA_LOCAL), true);

  AttributeList made = AesFacts();
  made.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
  for (const Origin origin : {Origin::kCreated, Origin::kUnwrapped}) {
    const AttributeList key = Get(CompleteTemplate({}, made, origin, CK_UNAVAILABLE_INFORMATION));
    for (const uint64_t type : {CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_LOCAL}) {
      EXPECT_EQ(key.Bool(type), false) << AttributeName(type);
    }
    EXPECT_EQ(key.Bool(CKA_SENSITIVE), true);
    EXPECT_EQ(key.Ulong(CKA_KEY_GEN_MECHANISM), CK_UNAVAILABLE_INFORMATION);
  }
  for (const bool base : {false, true}) {
    made.SetBool(CKA_ALWAYS_SENSITIVE, base);
    made.SetBool(CKA_NEVER_EXTRACTABLE, base);
    const AttributeList key = Get(CompleteTemplate({}, made, Origin::kDerived, CKM_ECDH1_DERIVE));
    EXPECT_EQ(key.Bool(CKA_ALWAYS_SENSITIVE), base);
    EXPECT_EQ(key.Bool(CKA_NEVER_EXTRACTABLE), base);
    const AttributeList opened =
        Get(CompleteTemplate(open, made, Origin::kDerived, CKM_ECDH1_DERIVE));
    EXPECT_EQ(opened.Bool(CKA_ALWAYS_SENSITIVE), false);
    EXPECT_EQ(opened.Bool(CKA_NEVER_EXTRACTABLE), false);
  }
}

TEST(CompleteTemplateTest, TheClientCannotTellAKeysHistory) {
  for (const uint64_t type : {CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE}) {
    for (const bool value : {false, true}) {
      EXPECT_EQ(CodeOf(RsaPrivate(Template().Bool(type, value))), "AttributeReadOnly");
      EXPECT_EQ(CodeOf(AesGenerated(Template().Bool(type, value))), "AttributeReadOnly");
    }
  }
  EXPECT_EQ(CodeOf(AesGenerated(Template().Ulong(CKA_KEY_GEN_MECHANISM, CKM_AES_KEY_GEN))),
            "AttributeReadOnly");
  EXPECT_EQ(CodeOf(AesGenerated(Template().Raw(CKA_UNIQUE_ID, {}))), "AttributeReadOnly");
  EXPECT_EQ(CodeOf(AesGenerated(Template().Raw(CKA_VALUE, Bytes(32)))), "AttributeReadOnly");
  EXPECT_EQ(CodeOf(RsaPrivate(Template().Raw(CKA_MODULUS, Bytes(256)))), "AttributeReadOnly");
  EXPECT_EQ(CodeOf(RsaPrivate(Template().Raw(CKA_PRIVATE_EXPONENT, Bytes(1)))),
            "AttributeReadOnly");
}

TEST(CompleteTemplateTest, WrongTypesAndValues) {
  EXPECT_EQ(CodeOf(RsaPrivate(Template().Bool(CKA_VERIFY, true))), "TemplateInconsistent");
  EXPECT_EQ(CodeOf(RsaPublic(Template().Bool(CKA_SENSITIVE, true))), "TemplateInconsistent");
  EXPECT_EQ(CodeOf(AesGenerated(Template().Raw(CKA_MODULUS, {}))), "TemplateInconsistent");
  EXPECT_EQ(CodeOf(AesGenerated(Template().Raw(0x80001234, {}))), "AttributeTypeInvalid");
  for (const std::string_view value : {"", "02", "ff", "0100", "0000000000000001"}) {
    EXPECT_EQ(CodeOf(AesGenerated(Template().Raw(CKA_TOKEN, mech::Hex(value)))),
              "AttributeValueInvalid");
  }
  for (const size_t size : {0U, 4U, 7U, 9U}) {
    EXPECT_EQ(CodeOf(AesGenerated(Template().Raw(CKA_VALUE_LEN, Bytes(size)))),
              "AttributeValueInvalid");
  }
  EXPECT_EQ(CodeOf(AesGenerated(Template().Raw(CKA_ALLOWED_MECHANISMS, Bytes(15)))),
            "AttributeValueInvalid");
  EXPECT_EQ(CodeOf(AesGenerated(Template().Raw(CKA_WRAP_TEMPLATE, Bytes(15)))),
            "AttributeValueInvalid");
  EXPECT_EQ(CodeOf(AesGenerated(Template().Raw(CKA_WRAP_TEMPLATE, wire::Encode(AesFacts())))),
            "ok");
  for (const char* date : {"2026", "20261301", "20260001", "20260132", "2026011x", "202601011"}) {
    EXPECT_EQ(CodeOf(AesGenerated(Template().Raw(CKA_START_DATE, AsBytes(date)))),
              "AttributeValueInvalid");
  }
  const Error error = AesGenerated(Template().Raw(CKA_TOKEN, {})).error();
  EXPECT_EQ(error.detail(), "CKA_TOKEN");
}

TEST(CompleteTemplateTest, Contradictions) {
  EXPECT_EQ(CodeOf(RsaPrivate(Template().Ulong(CKA_CLASS, CKO_PUBLIC_KEY))),
            "TemplateInconsistent");
  EXPECT_EQ(CodeOf(RsaPrivate(Template().Ulong(CKA_KEY_TYPE, CKK_EC))), "TemplateInconsistent");
  EXPECT_EQ(CodeOf(AesGenerated(Template().Ulong(CKA_CLASS, CKO_PRIVATE_KEY))),
            "TemplateInconsistent");
  EXPECT_EQ(CodeOf(AesGenerated(Template().Ulong(CKA_KEY_TYPE, CKK_GENERIC_SECRET))),
            "TemplateInconsistent");
  EXPECT_EQ(
      CodeOf(RsaPrivate(Template().Bool(CKA_ALWAYS_AUTHENTICATE, true).Bool(CKA_PRIVATE, false))),
      "TemplateInconsistent");
  EXPECT_EQ(CodeOf(AesGenerated(Template()
                                    .Raw(CKA_START_DATE, AsBytes("20260102"))
                                    .Raw(CKA_END_DATE, AsBytes("20260101")))),
            "TemplateInconsistent");
  AttributeList twice = Template().Bool(CKA_TOKEN, true);
  twice.items.push_back(twice.items.front());
  EXPECT_EQ(CodeOf(AesGenerated(twice)), "TemplateInconsistent");
}

TEST(CompleteTemplateTest, CheckValue) {
  const AttributeList made = AesFacts();
  const auto complete = [&](const AttributeList& requested) {
    return CompleteTemplate(requested, made, Origin::kGenerated, CKM_AES_KEY_GEN);
  };
  const Bytes real = *made.Find(CKA_CHECK_VALUE);
  EXPECT_EQ(*Get(complete({})).Find(CKA_CHECK_VALUE), real);
  EXPECT_EQ(*Get(complete(Template().Raw(CKA_CHECK_VALUE, real))).Find(CKA_CHECK_VALUE), real);
  EXPECT_EQ(*Get(complete(Template().Raw(CKA_CHECK_VALUE, {}))).Find(CKA_CHECK_VALUE), Bytes());
  EXPECT_EQ(CodeOf(complete(Template().Raw(CKA_CHECK_VALUE, mech::Flipped(real, 0)))),
            "AttributeValueInvalid");
}

TEST(CompleteTemplateTest, CreatedKeysAreInNormalForm) {
  const Bytes modulus = *RsaPair().attributes.Find(CKA_MODULUS);
  Bytes with_zero = {0};
  with_zero.insert(with_zero.end(), modulus.begin(), modulus.end());
  const Template requested = Template()
                                 .Ulong(CKA_CLASS, CKO_PUBLIC_KEY)
                                 .Ulong(CKA_KEY_TYPE, CKK_RSA)
                                 .Raw(CKA_MODULUS, with_zero)
                                 .Raw(CKA_PUBLIC_EXPONENT, mech::Hex("00010001"));
  const mech::NewKey made = Get(mech::MaterialFromTemplate(requested));
  const AttributeList key = Get(Created(requested, made.attributes));
  EXPECT_EQ(*key.Find(CKA_MODULUS), modulus);
  EXPECT_EQ(key.Ulong(CKA_MODULUS_BITS), 2048U);
  EXPECT_EQ(ToHex(*key.Find(CKA_PUBLIC_EXPONENT)), "010001");
  EXPECT_EQ(key.Bool(CKA_LOCAL), false);
  EXPECT_EQ(CodeOf(Created(Template(requested).Ulong(CKA_MODULUS_BITS, 2048), made.attributes)),
            "AttributeReadOnly");
}

TEST(CompleteTemplateTest, SecretsOfCreatedKeysAreLeftOut) {
  const Template requested = Template()
                                 .Ulong(CKA_CLASS, CKO_SECRET_KEY)
                                 .Ulong(CKA_KEY_TYPE, CKK_AES)
                                 .Raw(CKA_VALUE, Bytes(16, 1));
  const AttributeList key =
      Get(Created(requested, Get(mech::MaterialFromTemplate(requested)).attributes));
  EXPECT_FALSE(key.Has(CKA_VALUE));
  EXPECT_EQ(key.Ulong(CKA_VALUE_LEN), 16U);
}

TEST(CompleteTemplateTest, DataObjects) {
  const AttributeList data =
      Get(Created(Template().Ulong(CKA_CLASS, CKO_DATA).Raw(CKA_VALUE, AsBytes("x"))));
  EXPECT_EQ(data.Text(CKA_VALUE), "x");
  EXPECT_EQ(data.Text(CKA_APPLICATION), "");
  EXPECT_EQ(data.Bool(CKA_PRIVATE), true);
  EXPECT_FALSE(data.Has(CKA_SIGN));
  EXPECT_EQ(CodeOf(Created(Template().Ulong(CKA_CLASS, CKO_DATA).Raw(CKA_ID, {}))),
            "TemplateInconsistent");
  EXPECT_EQ(CodeOf(Created({})), "TemplateIncomplete");
  for (const uint64_t other :
       {CKO_HW_FEATURE, CKO_MECHANISM, CKO_PROFILE, CKO_VALIDATION, 0x80000001UL}) {
    EXPECT_EQ(CodeOf(Created(Template().Ulong(CKA_CLASS, other))), "AttributeValueInvalid");
  }
}

TEST(CompleteTemplateTest, Certificates) {
  wire::CertifyRequest request;
  request.kind = wire::CertifyKind::kSelfSigned;
  request.subject = "CN=a";
  request.days = 1;
  const Bytes der = Get(mech::Certify(*EcPair().private_key, request, 1'800'000'000));
  const Template requested = Template()
                                 .Ulong(CKA_CLASS, CKO_CERTIFICATE)
                                 .Ulong(CKA_CERTIFICATE_TYPE, CKC_X_509)
                                 .Raw(CKA_VALUE, der);
  const AttributeList certificate = Get(Created(requested));
  // RDN of the one attribute CN=a, as UTF8String.
  EXPECT_EQ(ToHex(*certificate.Find(CKA_SUBJECT)), "300c310a300806035504030c0161");
  EXPECT_EQ(*certificate.Find(CKA_ISSUER), *certificate.Find(CKA_SUBJECT));
  EXPECT_EQ(certificate.Find(CKA_SERIAL_NUMBER)->front(), 0x02);
  EXPECT_EQ(*certificate.Find(CKA_PUBLIC_KEY_INFO), *EcPair().attributes.Find(CKA_PUBLIC_KEY_INFO));
  EXPECT_EQ(certificate.Find(CKA_CHECK_VALUE)->size(), 3U);
  EXPECT_EQ(*certificate.Find(CKA_VALUE), der);
  EXPECT_EQ(certificate.Bool(CKA_PRIVATE), false);
  EXPECT_EQ(certificate.Bool(CKA_TRUSTED), false);
  const auto with = [&](uint64_t type, ByteSpan value) {
    return CodeOf(Created(Template(requested).Raw(type, value)));
  };
  EXPECT_EQ(with(CKA_VALUE, ByteSpan(der).first(der.size() - 1)), "AttributeValueInvalid");
  EXPECT_EQ(with(CKA_PUBLIC_KEY_INFO, AsBytes("other")), "AttributeValueInvalid");
  EXPECT_EQ(with(CKA_CERTIFICATE_CATEGORY, wire::UlongBytes(4)), "AttributeValueInvalid");
  EXPECT_EQ(with(CKA_SUBJECT, AsBytes("as given")), "ok");
  EXPECT_EQ(CodeOf(Created(Template(requested).Without(CKA_VALUE))), "TemplateIncomplete");
  EXPECT_EQ(CodeOf(Created(Template(requested).Without(CKA_CERTIFICATE_TYPE))),
            "TemplateIncomplete");
  EXPECT_EQ(with(CKA_CERTIFICATE_TYPE, wire::UlongBytes(3)), "AttributeValueInvalid");
}

TEST(CompleteTemplateTest, OnlyTheSecurityOfficerTrusts) {
  const Template trusted = Template().Bool(CKA_TRUSTED, true);
  EXPECT_EQ(CodeOf(AesGenerated(trusted)), "AttributeReadOnly");
  EXPECT_EQ(CodeOf(AesGenerated(Template().Bool(CKA_TRUSTED, false))), "ok");
  const AttributeList key =
      Get(CompleteTemplate(trusted, AesFacts(), Origin::kGenerated, CKM_AES_KEY_GEN, true));
  EXPECT_TRUE(key.IsTrue(CKA_TRUSTED));
}

}  // namespace
}  // namespace keyclave::keys
