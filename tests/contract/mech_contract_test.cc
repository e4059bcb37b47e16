// What every row of the mechanism table must do. A new family gets a sample here, or its rows fail.

#include <map>

#include "tests/unit/mech/mech_testing.h"

namespace keyclave::mech {
namespace {

// A row in working order: keys that fit, a parameter, an input.
struct Sample {
  wire::Mechanism mechanism;
  KeyPtr private_key;  // or the secret key
  KeyPtr public_key;   // or the same secret key
  Bytes input;
  wire::AttributeList new_key;  // generation's template
};

const KeyPair& P256Pair() {
  static const KeyPair* const pair = new KeyPair(NewEcPair(kP256));
  return *pair;
}
const KeyPair& OtherP256Pair() {
  static const KeyPair* const pair = new KeyPair(NewEcPair(kP256));
  return *pair;
}
const KeyPair& Ed25519Pair() {
  static const KeyPair* const pair = new KeyPair(NewEcPair(kEd25519, CKM_EC_EDWARDS_KEY_PAIR_GEN));
  return *pair;
}

Sample OfPair(const KeyPair& pair, wire::Mechanism mechanism, Bytes input) {
  return {std::move(mechanism), pair.private_key, pair.public_key, std::move(input), {}};
}
Sample OfSecret(const KeyPtr& key, wire::Mechanism mechanism, Bytes input) {
  return {std::move(mechanism), key, key, std::move(input), {}};
}

wire::Mechanism PssFor(uint64_t type) {
  static const std::map<uint64_t, std::array<uint64_t, 3>> hashes = {
      {CKM_SHA1_RSA_PKCS_PSS, {CKM_SHA_1, CKG_MGF1_SHA1, 20}},
      {CKM_SHA224_RSA_PKCS_PSS, {CKM_SHA224, CKG_MGF1_SHA224, 28}},
      {CKM_SHA384_RSA_PKCS_PSS, {CKM_SHA384, CKG_MGF1_SHA384, 48}},
      {CKM_SHA512_RSA_PKCS_PSS, {CKM_SHA512, CKG_MGF1_SHA512, 64}},
      {CKM_SHA3_224_RSA_PKCS_PSS, {CKM_SHA3_224, CKG_MGF1_SHA3_224, 28}},
      {CKM_SHA3_256_RSA_PKCS_PSS, {CKM_SHA3_256, CKG_MGF1_SHA3_256, 32}},
      {CKM_SHA3_384_RSA_PKCS_PSS, {CKM_SHA3_384, CKG_MGF1_SHA3_384, 48}},
      {CKM_SHA3_512_RSA_PKCS_PSS, {CKM_SHA3_512, CKG_MGF1_SHA3_512, 64}},
  };
  const auto found = hashes.find(type);
  if (found == hashes.end()) return Pss(type, CKM_SHA256, CKG_MGF1_SHA256, 32);
  const auto& [hash, mgf, salt] = found->second;
  return Pss(type, hash, mgf, salt);
}

wire::Mechanism ParameterOfCipher(const MechEntry& entry) {
  const uint64_t type = entry.row->type;
  if (entry.family->name == "aes-cbc") return WithBytes(type, Bytes(16, 7));
  if (entry.family->name == "aes-gcm") return Gcm(Bytes(12, 7), Bytes(3, 1), 128);
  wire::Mechanism mechanism = Mech(type);
  if (entry.family->name == "aes-ctr") mechanism.ctr = wire::CtrParam{64, {}};
  return mechanism;
}

bool IsGeneralHmac(uint64_t type) {
  for (const uint64_t general :
       {CKM_SHA_1_HMAC_GENERAL, CKM_SHA224_HMAC_GENERAL, CKM_SHA256_HMAC_GENERAL,
        CKM_SHA384_HMAC_GENERAL, CKM_SHA512_HMAC_GENERAL, CKM_SHA3_224_HMAC_GENERAL,
        CKM_SHA3_256_HMAC_GENERAL, CKM_SHA3_384_HMAC_GENERAL, CKM_SHA3_512_HMAC_GENERAL}) {
    if (type == general) return true;
  }
  return false;
}

wire::AttributeList GenerationTemplate(uint64_t type) {
  wire::AttributeList attributes;
  switch (type) {
    case CKM_RSA_PKCS_KEY_PAIR_GEN: attributes.SetUlong(CKA_MODULUS_BITS, 2048); break;
    case CKM_EC_KEY_PAIR_GEN: attributes = CurveTemplate(kP384); break;
    case CKM_EC_EDWARDS_KEY_PAIR_GEN: attributes = CurveTemplate(kEd448); break;
    case CKM_EC_MONTGOMERY_KEY_PAIR_GEN: attributes = CurveTemplate(kX25519); break;
    default: attributes.SetUlong(CKA_VALUE_LEN, 32); break;
  }
  return attributes;
}

Sample SampleOf(const MechEntry& entry) {
  const uint64_t type = entry.row->type;
  const std::string_view family = entry.family->name;
  const Bytes message = ToBytes("a message of 32 bytes, no more!!");
  if (entry.family->generate != nullptr) {
    Sample sample;
    sample.mechanism = Mech(type);
    sample.new_key = GenerationTemplate(type);
    return sample;
  }
  if (family == "rsa-pss") return OfPair(SomeRsaPair(), PssFor(type), message);
  if (family == "rsa-oaep") return OfPair(SomeRsaPair(), Oaep(CKM_SHA256, CKG_MGF1_SHA1), message);
  if (family == "rsa-aes-key-wrap") {
    return OfPair(SomeRsaPair(), RsaAes(CKM_SHA256, CKG_MGF1_SHA256), message);
  }
  if (family == "rsa-tls") return OfPair(SomeRsaPair(), Tls(0x0303), message);
  if (family.starts_with("rsa-")) return OfPair(SomeRsaPair(), Mech(type), message);
  if (family == "ecdsa") return OfPair(P256Pair(), Mech(type), message);
  if (family == "eddsa") return OfPair(Ed25519Pair(), Mech(type), message);
  if (family == "ecdh") {
    return OfPair(P256Pair(), Ecdh(type, *OtherP256Pair().attributes.Find(CKA_EC_POINT)), {});
  }
  if (family == "hmac") {
    const KeyPtr key = SecretKey(CKK_GENERIC_SECRET, Bytes(32, 9));
    return OfSecret(key, IsGeneralHmac(type) ? WithBytes(type, wire::UlongBytes(16)) : Mech(type),
                    message);
  }
  if (family.starts_with("aes-")) {
    return OfSecret(AesKeyOf(32), ParameterOfCipher(entry), message);
  }
  ADD_FAILURE() << "no sample for the family " << family;
  return {};
}

class MechContract : public testing::TestWithParam<uint64_t> {
 protected:
  MechContract() : entry(Get(FindMechanism(GetParam()))), sample(SampleOf(entry)) {}
  bool Has(uint64_t flag) const { return (entry.row->flags & flag) != 0; }
  const MechFamily& family() const { return *entry.family; }

  // The codes of all functions that take a key, with this key and this parameter.
  std::vector<std::string> AllCodes(const KeyPtr& key, const wire::Mechanism& mechanism,
                                    bool private_only = false) const {
    std::vector<std::string> codes;
    const MechFamily& f = family();
    const Bytes& input = sample.input;
    if (f.sign != nullptr) codes.push_back(CodeOf(f.sign(*key, mechanism, input)));
    if (f.decrypt != nullptr && Has(CKF_DECRYPT)) {
      codes.push_back(CodeOf(f.decrypt(*key, mechanism, Bytes(256, 1))));
    }
    if (f.derive != nullptr) codes.push_back(CodeOf(f.derive(*key, mechanism, 0)));
    if (f.unwrap != nullptr) codes.push_back(CodeOf(f.unwrap(*key, mechanism, Bytes(256 + 40, 1))));
    if (private_only) return codes;
    if (f.wrap != nullptr) codes.push_back(CodeOf(f.wrap(*key, mechanism, input)));
    if (f.verify != nullptr) codes.push_back(CodeOf(f.verify(*key, mechanism, input, input)));
    if (f.encrypt != nullptr && Has(CKF_ENCRYPT))
      codes.push_back(CodeOf(f.encrypt(*key, mechanism, input)));
    return codes;
  }

  const MechEntry entry;
  const Sample sample;
};

TEST_P(MechContract, RowIsSane) {
  EXPECT_FALSE(family().name.empty());
  EXPECT_TRUE(IsFamilyName(family().name));
  EXPECT_LE(entry.row->min_key_size, entry.row->max_key_size);
  EXPECT_GT(entry.row->min_key_size, 0U);
  EXPECT_TRUE(Has(CKF_HW));
}

TEST_P(MechContract, FlagsMatchFunctions) {
  EXPECT_EQ(Has(CKF_SIGN), family().sign != nullptr);
  EXPECT_EQ(Has(CKF_VERIFY), family().verify != nullptr);
  EXPECT_EQ(Has(CKF_DERIVE), family().derive != nullptr);
  EXPECT_EQ(Has(CKF_GENERATE | CKF_GENERATE_KEY_PAIR), family().generate != nullptr);
  if (Has(CKF_ENCRYPT)) {
    EXPECT_NE(family().encrypt, nullptr);
  }
  if (Has(CKF_DECRYPT)) {
    EXPECT_NE(family().decrypt, nullptr);
  }
}

// rsa-pkcs1 has rows that encrypt and rows that only sign.
TEST_P(MechContract, FunctionsOfOtherRowsAreRefused) {
  if (!Has(CKF_ENCRYPT) && family().encrypt != nullptr) {
    EXPECT_EQ(CodeOf(Encrypt(sample.public_key, sample.mechanism, sample.input)),
              "MechanismInvalid");
  }
  if (!Has(CKF_DECRYPT) && family().decrypt != nullptr) {
    EXPECT_EQ(CodeOf(Decrypt(sample.private_key, sample.mechanism, Bytes(256, 1))),
              "MechanismInvalid");
  }
}

TEST_P(MechContract, SignaturesVerifyAndNothingElseDoes) {
  if (!Has(CKF_SIGN)) GTEST_SKIP();
  const Bytes signature = Get(Sign(sample.private_key, sample.mechanism, sample.input));
  const auto verify = [&](ByteSpan input, ByteSpan claimed) {
    return CodeOf(Verify(sample.public_key, sample.mechanism, input, claimed));
  };
  EXPECT_EQ(verify(sample.input, signature), "ok");
  for (size_t bit = 0; bit < signature.size() * 8; bit += 37) {
    const Bytes flipped = Flipped(signature, bit);
    EXPECT_EQ(verify(sample.input, flipped), "SignatureInvalid") << bit;
  }
  const Bytes other = Flipped(sample.input, 0);
  EXPECT_EQ(verify(other, signature), "SignatureInvalid");
  Bytes longer = signature;
  longer.push_back(0);
  EXPECT_EQ(verify(sample.input, longer), "SignatureLenRange");
  EXPECT_EQ(verify(sample.input, ByteSpan(signature).first(signature.size() - 1)),
            "SignatureLenRange");
  EXPECT_EQ(verify(sample.input, {}), "SignatureLenRange");
}

TEST_P(MechContract, CiphertextsOpenAndChangedOnesDoNot) {
  if (!Has(CKF_ENCRYPT)) GTEST_SKIP();
  const Bytes ciphertext = Get(Encrypt(sample.public_key, sample.mechanism, sample.input));
  const Bytes plain = Get(Decrypt(sample.private_key, sample.mechanism, ciphertext));
  if (family().name == "rsa-x509") {
    EXPECT_EQ(ToHex(ByteSpan(plain).last(sample.input.size())), ToHex(sample.input));
  } else {
    EXPECT_EQ(ToHex(plain), ToHex(sample.input));
  }
  const bool authentic =
      family().name == "aes-gcm" || family().name == "aes-kw" || family().name == "rsa-oaep";
  for (size_t bit = 0; bit < ciphertext.size() * 8; bit += 53) {
    const Bytes flipped = Flipped(ciphertext, bit);
    const Result<Bytes> opened = Decrypt(sample.private_key, sample.mechanism, flipped);
    EXPECT_TRUE(!opened.ok() || *opened != plain) << bit;
    if (authentic || !opened.ok()) {
      EXPECT_EQ(CodeOf(opened), "EncryptedDataInvalid") << bit;
    }
  }
}

TEST_P(MechContract, KeysOfOtherTypesAreRefused) {
  if (family().generate != nullptr) GTEST_SKIP();
  const bool rsa = family().name.starts_with("rsa-");
  const KeyPair& wrong = rsa ? P256Pair() : SomeRsaPair();
  const KeyPtr secret =
      family().name == "hmac" ? AesKeyOf(16) : SecretKey(CKK_GENERIC_SECRET, Bytes(16, 1));
  for (const KeyPtr& key : {wrong.private_key, wrong.public_key, secret}) {
    for (const std::string& code : AllCodes(key, sample.mechanism)) {
      EXPECT_EQ(code, "KeyTypeInconsistent");
    }
  }
}

TEST_P(MechContract, PublicHalvesDoNothingPrivate) {
  if (family().generate != nullptr || sample.private_key == sample.public_key) GTEST_SKIP();
  for (const std::string& code : AllCodes(sample.public_key, sample.mechanism, true)) {
    EXPECT_EQ(code, "KeyFunctionNotPermitted");
  }
}

TEST_P(MechContract, OtherParametersAreRefused) {
  std::vector<wire::Mechanism> wrong;
  const auto add = [&](auto set) {
    wire::Mechanism mechanism = sample.mechanism;
    set(mechanism);
    wrong.push_back(std::move(mechanism));
  };
  // One shape too many, or the only one and the wrong one.
  if (!sample.mechanism.pss) add([](auto& m) { m.pss = wire::PssParam{}; });
  if (!sample.mechanism.oaep) add([](auto& m) { m.oaep = wire::OaepParam{}; });
  if (!sample.mechanism.gcm) add([](auto& m) { m.gcm = wire::GcmParam{}; });
  if (!sample.mechanism.ctr) add([](auto& m) { m.ctr = wire::CtrParam{}; });
  if (!sample.mechanism.ecdh) add([](auto& m) { m.ecdh = wire::EcdhParam{}; });
  if (!sample.mechanism.rsa_aes) add([](auto& m) { m.rsa_aes = wire::RsaAesParam{}; });
  if (!sample.mechanism.tls) add([](auto& m) { m.tls = wire::TlsVersionParam{}; });
  add([](auto& m) { m.bytes = Bytes(17, 0); });
  if (sample.mechanism.HasParameter()) {
    wrong.push_back(Mech(sample.mechanism.type));
    add([](auto& m) { m.bytes = Bytes(); });
  }
  for (const wire::Mechanism& mechanism : wrong) {
    if (family().generate != nullptr) {
      EXPECT_EQ(CodeOf(family().generate(mechanism, sample.new_key)), "MechanismParamInvalid");
      continue;
    }
    for (const std::string& code : AllCodes(sample.private_key, mechanism)) {
      EXPECT_EQ(code, "MechanismParamInvalid");
    }
  }
}

TEST_P(MechContract, GenerationMakesAWholeKey) {
  if (family().generate == nullptr) GTEST_SKIP();
  const NewKey made = Get(family().generate(sample.mechanism, sample.new_key));
  EXPECT_FALSE(made.material.empty());
  EXPECT_TRUE(made.attributes.Has(CKA_KEY_TYPE));
  const NewKey second = Get(family().generate(sample.mechanism, sample.new_key));
  EXPECT_FALSE(made.material == second.material);
  if (Has(CKF_GENERATE)) {
    EXPECT_EQ(made.attributes.Ulong(CKA_VALUE_LEN), made.material.size());
    EXPECT_EQ(made.attributes.Find(CKA_CHECK_VALUE)->size(), 3U);
    return;
  }
  const KeyPtr private_key = Load(made.attributes, CKO_PRIVATE_KEY, made.material);
  const KeyPtr public_key = Load(made.attributes, CKO_PUBLIC_KEY, {});
  const Bytes info = Get(PublicKeyInfo(*private_key));
  EXPECT_EQ(info, Get(PublicKeyInfo(*public_key)));
  EXPECT_EQ(info, *made.attributes.Find(CKA_PUBLIC_KEY_INFO));
}

TEST_P(MechContract, GenerationChecksItsTemplate) {
  if (family().generate == nullptr) GTEST_SKIP();
  EXPECT_EQ(CodeOf(family().generate(sample.mechanism, {})), "TemplateIncomplete");
  wire::AttributeList wrong = sample.new_key;
  for (wire::Attribute& attribute : wrong.items) attribute.value = Bytes(3, 0xff);
  const std::string code = CodeOf(family().generate(sample.mechanism, wrong));
  EXPECT_TRUE(code == "AttributeValueInvalid" || code == "DomainParamsInvalid") << code;
}

TEST_P(MechContract, WrappedKeysComeBack) {
  if (!Has(CKF_WRAP)) GTEST_SKIP();
  const KeyPtr key = AesKeyOf(32, 0x77);
  const Bytes wrapped = Get(WrapKey(entry, *sample.public_key, sample.mechanism, *key));
  wire::AttributeList attributes;
  attributes.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
  attributes.SetUlong(CKA_KEY_TYPE, CKK_AES);
  const auto unwrap = [&](ByteSpan bytes) {
    return UnwrapKey(entry, *sample.private_key, sample.mechanism, bytes, attributes);
  };
  const NewKey back = Get(unwrap(wrapped));
  EXPECT_TRUE(back.material == key->secret());
  EXPECT_EQ(back.attributes.Ulong(CKA_VALUE_LEN), 32U);
  const Result<NewKey> cut = unwrap(ByteSpan(wrapped).first(wrapped.size() - 1));
  EXPECT_EQ(CodeOf(cut), family().name == "aes-gcm" ? "WrappedKeyInvalid" : "WrappedKeyLenRange");
  const Bytes flipped = Flipped(wrapped, 8 * wrapped.size() - 1);
  const Result<NewKey> opened = unwrap(flipped);
  EXPECT_TRUE(!opened.ok() || !(opened->material == key->secret()));
  if (!opened.ok()) {
    EXPECT_EQ(CodeOf(opened), "WrappedKeyInvalid");
  }
}

TEST_P(MechContract, BothSidesDeriveTheSame) {
  if (!Has(CKF_DERIVE)) GTEST_SKIP();
  const uint64_t type = entry.row->type;
  const auto derive = [&](const KeyPair& own, const KeyPair& peer, uint64_t size) {
    wire::AttributeList attributes;
    attributes.SetUlong(CKA_KEY_TYPE, CKK_AES);
    attributes.SetUlong(CKA_VALUE_LEN, size);
    return Get(DeriveKey(entry, *own.private_key, Ecdh(type, *peer.attributes.Find(CKA_EC_POINT)),
                         attributes))
        .material;
  };
  EXPECT_TRUE(derive(P256Pair(), OtherP256Pair(), 32) == derive(OtherP256Pair(), P256Pair(), 32));
}

std::vector<uint64_t> AllTypes() {
  std::vector<uint64_t> types;
  for (const MechEntry& entry : AllMechanisms()) types.push_back(entry.row->type);
  return types;
}
std::string NameOf(const testing::TestParamInfo<uint64_t>& type) {
  std::string name(Get(FindMechanism(type.param)).family->name);
  std::replace(name.begin(), name.end(), '-', '_');
  Bytes number = wire::UlongBytes(type.param);
  std::reverse(number.begin(), number.end());
  return name + "_0x" + ToHex(ByteSpan(number).last(4));
}
INSTANTIATE_TEST_SUITE_P(Rows, MechContract, testing::ValuesIn(AllTypes()), NameOf);

TEST(MechTable, KnowsItsOwnAndNothingElse) {
  EXPECT_GE(AllMechanisms().size(), 60U);
  for (const uint64_t type : {CKM_DES3_CBC, CKM_MD5_RSA_PKCS, CKM_RSA_X9_31, ~uint64_t{0}}) {
    EXPECT_EQ(CodeOf(FindMechanism(type)), "MechanismInvalid");
  }
  EXPECT_FALSE(IsFamilyName("rsa"));
  EXPECT_FALSE(IsFamilyName(""));
}

}  // namespace
}  // namespace keyclave::mech
