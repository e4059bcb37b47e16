// Every attribute of every kind of object against the specification's own tables
// (object_rules.inc): what C_CreateObject, C_GenerateKey(Pair), C_UnwrapKey, C_SetAttributeValue
// and C_CopyObject answer to a template that has it, lacks it or changes it.

#include <sstream>

#include "enclave/keys/attribute_table.h"
#include "enclave/keys/attributes.h"
#include "enclave/mech/certify.h"
#include "tests/unit/mech/mech_testing.h"

namespace keyclave::keys {
namespace {

using mech::CodeOf;
using mech::Get;
using wire::AttributeList;

struct Rule {
  Kinds kinds;
  std::string_view where;
  uint64_t type;
  std::string_view notes;
  bool Has(std::string_view note) const {
    std::istringstream words{std::string(notes)};
    for (std::string word; words >> word;) {
      if (word == note) return true;
    }
    return false;
  }
};

#define KC_RULE(kinds, where, type, notes) {kinds, where, type, notes},
constexpr Rule kRules[] = {
#include "tests/unit/keys/object_rules.inc"
};
#undef KC_RULE

constexpr Kinds kEveryKind[] = {
    kData,        kX509,      kWtls,     kAttributeCertificate, kDsaDomain, kDhDomain, kX942Domain,
    kTrustObject, kPublicRsa, kPublicEc, kPrivateRsa,           kPrivateEc, kSecret};

AttributeList Only(uint64_t type, ByteSpan value) {
  AttributeList list;
  list.Set(type, value);
  return list;
}

const mech::KeyPair& PairOf(Kinds kind) {
  static const mech::KeyPair* const ec = new mech::KeyPair(mech::NewEcPair(mech::kP256));
  return (kind & (kPublicEc | kPrivateEc)) != 0 ? *ec : mech::SomeRsaPair();
}

Bytes Certificate() {
  wire::CertifyRequest request;
  request.kind = wire::CertifyKind::kSelfSigned;
  request.subject = "CN=a";
  request.days = 1;
  return Get(mech::Certify(*PairOf(kPrivateEc).private_key, request, 1'800'000'000));
}

void SetAll(AttributeList& list, std::initializer_list<uint64_t> types, ByteSpan value) {
  for (const uint64_t type : types) list.Set(type, value);
}

// Templates that C_CreateObject takes as they are, and that hold all they must.
AttributeList KeyTemplate(Kinds kind) {
  AttributeList list;
  if (kind == kSecret) {
    list.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
    list.SetUlong(CKA_KEY_TYPE, CKK_AES);
    list.Set(CKA_VALUE, Bytes(32, 7));
    return list;
  }
  const mech::KeyPair& pair = PairOf(kind);
  const bool rsa = (kind & (kPublicRsa | kPrivateRsa)) != 0;
  list.SetUlong(CKA_CLASS, (kind & kPublic) != 0 ? CKO_PUBLIC_KEY : CKO_PRIVATE_KEY);
  list.SetUlong(CKA_KEY_TYPE, rsa ? CKK_RSA : CKK_EC);
  for (const uint64_t type : {CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_EC_PARAMS, CKA_EC_POINT}) {
    const Bytes* value = pair.attributes.Find(type);
    if (value != nullptr && FindAttribute(type, kind) != nullptr) list.Set(type, *value);
  }
  if ((kind & kPrivate) == 0) return list;
  for (const wire::Attribute& secret : Get(mech::SecretAttributes(*pair.private_key)).items)
    list.Set(secret.type, secret.value);
  return list;
}

AttributeList CertificateTemplate(Kinds kind) {
  AttributeList list;
  list.SetUlong(CKA_CLASS, CKO_CERTIFICATE);
  list.SetUlong(CKA_CERTIFICATE_TYPE, kind == kX509   ? CKC_X_509
                                      : kind == kWtls ? CKC_WTLS
                                                      : CKC_X_509_ATTR_CERT);
  list.Set(CKA_VALUE, kind == kX509 ? Certificate() : Bytes{1, 2, 3});
  if (kind == kAttributeCertificate) {
    list.SetText(CKA_OWNER, "owner");
    return list;
  }
  SetAll(list, {CKA_SUBJECT, CKA_HASH_OF_SUBJECT_PUBLIC_KEY, CKA_HASH_OF_ISSUER_PUBLIC_KEY},
         AsBytes("x"));
  return list;
}

AttributeList TemplateOf(Kinds kind) {
  if ((kind & kKey) != 0) return KeyTemplate(kind);
  if ((kind & kCertificate) != 0) return CertificateTemplate(kind);
  AttributeList list;
  list.SetUlong(CKA_CLASS, kind == kData          ? CKO_DATA
                           : kind == kTrustObject ? CKO_TRUST
                                                  : CKO_DOMAIN_PARAMETERS);
  if (kind == kTrustObject) SetAll(list, {CKA_ISSUER, CKA_SERIAL_NUMBER}, AsBytes("x"));
  if ((kind & kDomain) == 0) return list;
  list.SetUlong(CKA_KEY_TYPE, kind == kDsaDomain  ? CKK_DSA
                              : kind == kDhDomain ? CKK_DH
                                                  : CKK_X9_42_DH);
  SetAll(list, {CKA_PRIME, CKA_BASE}, Bytes(128, 0xff));
  if (kind != kDhDomain) list.Set(CKA_SUBPRIME, Bytes(20, 0xff));
  return list;
}

// A value that the attribute may have on such an object.
Bytes Sample(const AttributeRow& row, Kinds kind, const AttributeList& usual) {
  if (const Bytes* value = usual.Find(row.type)) return *value;
  switch (row.type) {
    case CKA_MODULUS_BITS: return wire::UlongBytes(2048);
    case CKA_VALUE_LEN: return wire::UlongBytes(32);
    case CKA_PUBLIC_EXPONENT: return Bytes{1, 0, 1};
    // Empty is "derived from the key", or "none".
    case CKA_CHECK_VALUE:
    case CKA_PUBLIC_KEY_INFO: return {};
    case CKA_PRIVATE: return {(kind & kPrivate) != 0 ? uint8_t{1} : uint8_t{0}};
    default: break;
  }
  switch (row.kind) {
    case ValueKind::kUlong: return wire::UlongBytes(0);
    case ValueKind::kBool: return {row.change == Change::kTrust ? uint8_t{0} : uint8_t{1}};
    case ValueKind::kDate: return ToBytes(AsBytes("20260101"));
    case ValueKind::kUlongList: return wire::UlongBytes(CKM_SHA256);
    case ValueKind::kTemplate: return wire::Encode(Only(CKA_TOKEN, Bytes{1}));
    case ValueKind::kBytes:
    case ValueKind::kText: break;
  }
  return {'x'};
}

Result<AttributeList> Create(const AttributeList& requested, bool security_officer = false) {
  mech::NewKey made;
  const uint64_t object_class = requested.Ulong(CKA_CLASS).value_or(CKO_DATA);
  if (object_class == CKO_PUBLIC_KEY || object_class == CKO_PRIVATE_KEY ||
      object_class == CKO_SECRET_KEY) {
    KC_ASSIGN(made, mech::MaterialFromTemplate(requested));
  }
  return CompleteTemplate(requested, made.attributes, Origin::kCreated, CK_UNAVAILABLE_INFORMATION,
                          security_officer);
}

uint64_t Generator(Kinds kind) {
  if (kind == kSecret) return CKM_AES_KEY_GEN;
  const bool rsa = (kind & (kPublicRsa | kPrivateRsa)) != 0;
  return rsa ? CKM_RSA_PKCS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN;
}

// What generation asks for: of the public half where there are two.
AttributeList SizeTemplate(Kinds kind) {
  AttributeList list;
  if (kind == kSecret) list.SetUlong(CKA_VALUE_LEN, 32);
  if ((kind & kPublicRsa) != 0) list.SetUlong(CKA_MODULUS_BITS, 2048);
  if ((kind & kPublicEc) != 0) list = mech::CurveTemplate(mech::kP256);
  for (const uint64_t type : {CKA_CLASS, CKA_KEY_TYPE})
    list.Set(type, *TemplateOf(kind).Find(type));
  return list;
}

Result<AttributeList> Generate(Kinds kind, const AttributeList& requested) {
  if (kind == kSecret) {
    KC_ASSIGN(const mech::NewKey made,
              mech::FamilyOf(CKM_AES_KEY_GEN).generate(mech::Mech(CKM_AES_KEY_GEN), requested));
    return CompleteTemplate(requested, made.attributes, Origin::kGenerated, CKM_AES_KEY_GEN);
  }
  AttributeList made = PairOf(kind).attributes;
  made.SetUlong(CKA_CLASS, (kind & kPublic) != 0 ? CKO_PUBLIC_KEY : CKO_PRIVATE_KEY);
  return CompleteTemplate(requested, made, Origin::kGenerated, Generator(kind));
}

Result<AttributeList> Unwrap(Kinds kind, const AttributeList& requested) {
  const mech::MechEntry kwp = Get(mech::FindMechanism(CKM_AES_KEY_WRAP_KWP));
  const wire::Mechanism mechanism = mech::Mech(CKM_AES_KEY_WRAP_KWP);
  const AttributeList secret = KeyTemplate(kSecret);
  const mech::KeyPtr kek = Get(mech::LoadKey(secret, SecretBytes::CopyOf(*secret.Find(CKA_VALUE))));
  const mech::KeyPtr key = kind == kSecret ? kek : PairOf(kind).private_key;
  const Bytes wrapped = Get(mech::WrapKey(kwp, *kek, mechanism, *key));
  KC_ASSIGN(const mech::NewKey made, mech::UnwrapKey(kwp, *kek, mechanism, wrapped, requested));
  return CompleteTemplate(requested, made.attributes, Origin::kUnwrapped,
                          CK_UNAVAILABLE_INFORMATION);
}

class ObjectRules : public testing::TestWithParam<Kinds> {
 protected:
  // For each rule of the parameter's kind.
  template <class Check>
  void ForEach(const Check& check) {
    for (const Rule& rule : kRules) {
      if ((rule.kinds & GetParam()) == 0) continue;
      const AttributeRow* row = FindAttribute(rule.type, GetParam());
      ASSERT_NE(row, nullptr) << AttributeName(rule.type);
      SCOPED_TRACE(AttributeName(rule.type) + " (" + std::string(rule.where) + ")");
      check(rule, *row);
    }
  }
  // `run` (AttributeList -> Result) with the attribute and without it.
  template <class Run>
  void CheckWithAndWithout(const Rule& rule, const AttributeRow& row, const AttributeList& usual,
                           char must, char must_not, const Run& run) {
    AttributeList without = usual;
    without.Remove(row.type);
    if (rule.Has(std::string(1, must))) {
      EXPECT_EQ(CodeOf(run(without)), "TemplateIncomplete") << "without it";
    }
    AttributeList with = usual;
    with.Set(row.type, Sample(row, GetParam(), usual));
    const bool refused =
        rule.Has(std::string(1, must_not)) || rule.Has(std::string("-") + must_not);
    EXPECT_EQ(CodeOf(run(with)), refused ? "AttributeReadOnly" : "ok") << "with it";
  }
};

TEST_P(ObjectRules, TheTablesAreWhole) {
  ForEach([](const Rule&, const AttributeRow&) {});
  for (const AttributeRow& row : AllAttributes()) {
    if ((row.objects & GetParam()) == 0 || row.type >= CKA_VENDOR_DEFINED) continue;
    EXPECT_EQ(std::count_if(std::begin(kRules), std::end(kRules),
                            [&](const Rule& rule) {
                              return rule.type == row.type && (rule.kinds & GetParam()) != 0;
                            }),
              1)
        << row.name;
  }
}

TEST_P(ObjectRules, Created) {
  const AttributeList usual = TemplateOf(GetParam());
  ForEach([&](const Rule& rule, const AttributeRow& row) {
    CheckWithAndWithout(rule, row, usual, '1', '2',
                        [](const AttributeList& t) { return Create(t); });
  });
}

TEST_P(ObjectRules, Generated) {
  if ((GetParam() & kKey) == 0) return;
  const AttributeList usual = SizeTemplate(GetParam());
  ForEach([&](const Rule& rule, const AttributeRow& row) {
    if (rule.Has("3")) {
      const uint64_t generator = Generator(GetParam());
      EXPECT_EQ(CodeOf(mech::FamilyOf(generator).generate(mech::Mech(generator), {})),
                "TemplateIncomplete");
    }
    // 'no such note': generation itself was asked above, here it is the template alone.
    CheckWithAndWithout(rule, row, usual, '#', '4',
                        [&](const AttributeList& t) { return Generate(GetParam(), t); });
  });
}

TEST_P(ObjectRules, Unwrapped) {
  if ((GetParam() & (kPrivate | kSecret)) == 0) return;
  AttributeList usual = TemplateOf(GetParam());
  for (const AttributeRow& row : AllAttributes()) {
    if (row.type != CKA_CLASS && row.type != CKA_KEY_TYPE) usual.Remove(row.type);
  }
  ForEach([&](const Rule& rule, const AttributeRow& row) {
    CheckWithAndWithout(rule, row, usual, '5', '6',
                        [&](const AttributeList& t) { return Unwrap(GetParam(), t); });
  });
}

TEST_P(ObjectRules, Read) {
  const AttributeList object = Get(Create(TemplateOf(GetParam())));
  ForEach([&](const Rule& rule, const AttributeRow& row) {
    const bool secret = IsSecretAttribute(row.type, object.Ulong(CKA_CLASS).value_or(0));
    if (rule.Has("7")) {
      EXPECT_TRUE(secret);
      EXPECT_FALSE(object.Has(row.type));
    } else {
      EXPECT_FALSE(secret);
    }
  });
}

TEST_P(ObjectRules, Changed) {
  const AttributeList object = Get(Create(TemplateOf(GetParam())));
  for (const bool copy : {false, true}) {
    SCOPED_TRACE(copy ? "C_CopyObject" : "C_SetAttributeValue");
    const auto change = [&](AttributeList before, uint64_t type, ByteSpan value, bool so = false) {
      return CodeOf(ApplyChanges(before, Only(type, value), copy, so));
    };
    const auto from = [&](uint64_t type, bool value) {
      AttributeList before = object;
      before.SetBool(type, value);
      return before;
    };
    ForEach([&](const Rule& rule, const AttributeRow& row) {
      const Bytes no{0};
      const Bytes yes{1};
      const std::string fixed = "AttributeReadOnly";
      if (rule.Has("10")) {
        EXPECT_EQ(change(object, row.type, yes), fixed);
        EXPECT_EQ(change(object, row.type, yes, true), "ok");
      } else if (rule.Has("11")) {
        EXPECT_EQ(change(from(row.type, false), row.type, yes), "ok");
        EXPECT_EQ(change(from(row.type, true), row.type, no), fixed);
      } else if (rule.Has("12") || rule.Has("f") || rule.Has("fc")) {
        EXPECT_EQ(change(from(row.type, true), row.type, no), "ok");
        const std::string rises = copy && rule.Has("fc") ? "ok" : fixed;
        const bool forbids = copy && row.type == CKA_COPYABLE;
        EXPECT_EQ(change(from(row.type, false), row.type, yes),
                  forbids ? "ActionProhibited" : rises);
      } else if (rule.Has("e")) {
        EXPECT_EQ(change(object, row.type, {}), "ok");
        EXPECT_EQ(change(object, row.type, *object.Find(row.type)), "ok");
        EXPECT_EQ(change(object, row.type, AsBytes("other")), "AttributeValueInvalid");
      } else if (row.type == CKA_PUBLIC_KEY_INFO && (GetParam() & kPair) != 0) {
        EXPECT_EQ(change(object, row.type, *object.Find(row.type)), "ok");
        EXPECT_EQ(change(object, row.type, AsBytes("other")), "AttributeValueInvalid");
      } else {
        const bool changes = rule.Has("8") || rule.Has("+8") || (copy && rule.Has("c"));
        EXPECT_EQ(change(object, row.type, Sample(row, GetParam(), object)),
                  changes ? "ok" : fixed);
      }
    });
  }
}

// §4.1.1, case 5: "an attribute which is appropriate for various types of public keys or private
// keys, but not for secret keys"; case 1: what no object has.
TEST_P(ObjectRules, AttributesOfOtherObjects) {
  const AttributeList usual = TemplateOf(GetParam());
  const AttributeList object = Get(Create(usual));
  for (const AttributeRow& row : AllAttributes()) {
    if (FindAttribute(row.type, GetParam()) != nullptr) continue;
    AttributeList with = usual;
    with.Set(row.type, Sample(row, GetParam(), usual));
    EXPECT_EQ(CodeOf(Create(with)), "TemplateInconsistent") << row.name;
    EXPECT_EQ(CodeOf(ApplyChanges(object, Only(row.type, *with.Find(row.type)), false)),
              "TemplateInconsistent")
        << row.name;
  }
  for (const uint64_t unknown : {0x7fffffffUL, CKA_VENDOR_DEFINED | 0x1234UL}) {
    AttributeList with = usual;
    with.SetText(unknown, "x");
    EXPECT_EQ(CodeOf(Create(with)), "AttributeTypeInvalid");
    EXPECT_EQ(CodeOf(ApplyChanges(object, Only(unknown, {}), true)), "AttributeTypeInvalid");
  }
}

// §4.1.1, case 2, for every attribute whose values have a size.
TEST_P(ObjectRules, ValuesOfTheWrongSize) {
  const AttributeList usual = TemplateOf(GetParam());
  ForEach([&](const Rule& rule, const AttributeRow& row) {
    const bool ulong = row.kind == ValueKind::kUlong;
    if (!ulong && row.kind != ValueKind::kBool) return;
    for (const size_t size :
         {size_t{0}, ulong ? size_t{4} : size_t{2}, size_t{9}, size_t{1} << 16}) {
      AttributeList with = usual;
      with.Set(rule.type, Bytes(size, 1));
      EXPECT_EQ(CodeOf(Create(with)), "AttributeValueInvalid") << size;
    }
  });
}

INSTANTIATE_TEST_SUITE_P(EveryKind, ObjectRules, testing::ValuesIn(kEveryKind));

}  // namespace
}  // namespace keyclave::keys
