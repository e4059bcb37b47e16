// What every row of the mechanism table must do.

#include "tests/contract/mech_samples.h"

namespace keyclave::mech {
namespace {

class MechContract : public OfEachRow {
 protected:
  // The codes of all functions that take a key, with this key and this parameter.
  std::vector<std::string> AllCodes(const KeyPtr& key, const wire::Mechanism& mechanism,
                                    bool private_only = false) const {
    std::vector<std::string> codes;
    const MechFamily& f = family();
    const Bytes& input = sample.input;
    if (f.sign != nullptr) codes.push_back(CodeOf(f.sign(*key, mechanism, input)));
    if (Has(CKF_DECAPSULATE)) {
      codes.push_back(CodeOf(f.decapsulate(*key, mechanism, Bytes(256, 1), 32)));
    }
    if (f.decrypt != nullptr && Has(CKF_DECRYPT)) {
      codes.push_back(CodeOf(f.decrypt(*key, mechanism, Bytes(256, 1))));
    }
    if (f.derive != nullptr) codes.push_back(CodeOf(f.derive(*key, mechanism, 0)));
    if (f.derive_with != nullptr && f.derive == nullptr) {
      codes.push_back(CodeOf(f.derive_with(*key, *sample.private_key, mechanism, 0)));
    }
    if (f.unwrap != nullptr) codes.push_back(CodeOf(f.unwrap(*key, mechanism, Bytes(256 + 40, 1))));
    if (private_only) return codes;
    if (f.wrap != nullptr) codes.push_back(CodeOf(f.wrap(*key, mechanism, input)));
    if (Has(CKF_ENCAPSULATE)) codes.push_back(CodeOf(f.encapsulate(*key, mechanism, 32)));
    if (Has(CKF_VERIFY_RECOVER)) {
      codes.push_back(CodeOf(f.verify_recover(*key, mechanism, Bytes(256, 1))));
    }
    if (f.verify != nullptr) codes.push_back(CodeOf(f.verify(*key, mechanism, input, input)));
    if (f.encrypt != nullptr && Has(CKF_ENCRYPT))
      codes.push_back(CodeOf(f.encrypt(*key, mechanism, input)));
    return codes;
  }
};

class SigningRows : public MechContract {};
class EncryptingRows : public MechContract {};
class RowsOfKeys : public MechContract {};
class RowsOfPairs : public MechContract {};
class GeneratingRows : public MechContract {};
class WrappingRows : public MechContract {};
class AgreeingRows : public MechContract {};
class DerivingRows : public MechContract {};
class EncapsulatingRows : public MechContract {
 protected:
  // Encapsulation makes the peer's key itself.
  static wire::Mechanism Parameter(wire::Mechanism mechanism) {
    if (mechanism.ecdh.has_value()) mechanism.ecdh->public_data.clear();
    return mechanism;
  }
  wire::AttributeList NewSecret() const {
    wire::AttributeList attributes;
    attributes.SetUlong(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
    if (entry.row->type != CKM_RSA_X_509) attributes.SetUlong(CKA_VALUE_LEN, 32);
    return attributes;
  }
  const wire::Mechanism mechanism = Parameter(sample.mechanism);
};
class RecoveringRows : public MechContract {};
class DigestingRows : public MechContract {};

TEST_P(MechContract, RowIsSane) {
  EXPECT_FALSE(family().name.empty());
  EXPECT_TRUE(IsFamilyName(family().name));
  EXPECT_LE(entry.row->min_key_size, entry.row->max_key_size);
  EXPECT_EQ(entry.row->min_key_size == 0, Has(CKF_DIGEST)) << "digests have no keys";
  EXPECT_TRUE(Has(CKF_HW));
}

TEST_P(MechContract, FlagsMatchFunctions) {
  EXPECT_EQ(Has(CKF_SIGN), family().sign != nullptr);
  EXPECT_EQ(Has(CKF_VERIFY), family().verify != nullptr);
  EXPECT_EQ(Has(CKF_DERIVE), family().derive != nullptr || family().derive_with != nullptr);
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

TEST_P(SigningRows, SignaturesVerifyAndNothingElseDoes) {
  const Bytes signature = Get(Sign(sample.private_key, sample.mechanism, sample.input));
  const auto verify = [&](ByteSpan input, ByteSpan claimed) {
    return CodeOf(Verify(sample.public_key, sample.mechanism, input, claimed));
  };
  EXPECT_EQ(verify(sample.input, signature), "ok");
  // Long signatures take long to check.
  const size_t step = std::max<size_t>(37, signature.size() / 8);
  for (size_t bit = 0; bit < signature.size() * 8; bit += step) {
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

TEST_P(EncryptingRows, CiphertextsOpenAndChangedOnesDoNot) {
  const Bytes ciphertext = Get(Encrypt(sample.public_key, sample.mechanism, sample.input));
  const Bytes plain = Get(Decrypt(sample.private_key, sample.mechanism, ciphertext));
  if (family().name == "rsa-x509") {
    EXPECT_EQ(ToHex(ByteSpan(plain).last(sample.input.size())), ToHex(sample.input));
  } else {
    EXPECT_EQ(ToHex(plain), ToHex(sample.input));
  }
  const bool authentic = family().name == "aes-gcm" || family().name == "aes-ccm" ||
                         family().name == "sm2-encrypt" || family().name == "aes-kw" ||
                         family().name == "rsa-oaep";
  for (size_t bit = 0; bit < ciphertext.size() * 8; bit += 53) {
    const Bytes flipped = Flipped(ciphertext, bit);
    const Result<Bytes> opened = Decrypt(sample.private_key, sample.mechanism, flipped);
    EXPECT_TRUE(!opened.ok() || *opened != plain) << bit;
    if (authentic || !opened.ok()) {
      EXPECT_EQ(CodeOf(opened), "EncryptedDataInvalid") << bit;
    }
  }
}

TEST_P(RowsOfKeys, KeysOfOtherTypesAreRefused) {
  const bool rsa = family().name.starts_with("rsa-");
  const KeyPair& wrong = rsa ? P256Pair() : SomeRsaPair();
  const bool takes_generic =
      family().name == "hmac" || family().name.starts_with("hkdf") || family().name == "sp800-108";
  const KeyPtr secret = takes_generic ? AesKeyOf(16) : SecretKey(CKK_GENERIC_SECRET, Bytes(16, 1));
  std::vector<KeyPtr> keys = {wrong.private_key, wrong.public_key};
  if (!TakesAnySecret(family().name)) keys.push_back(secret);
  for (const KeyPtr& key : keys) {
    for (const std::string& code : AllCodes(key, sample.mechanism)) {
      EXPECT_EQ(code, "KeyTypeInconsistent");
    }
  }
}

TEST_P(RowsOfPairs, PublicHalvesDoNothingPrivate) {
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
  // An identity of SM2 and data to join with may have any length.
  const bool any_bytes = family().name == "join-derive" || family().name == "sm2";
  if (!any_bytes) add([](auto& m) { m.bytes = Bytes(17, 0); });
  if (!sample.mechanism.eddsa) add([](auto& m) { m.eddsa = wire::EddsaParam{true, Bytes(256)}; });
  if (!sample.mechanism.ccm) add([](auto& m) { m.ccm = wire::CcmParam{}; });
  if (!sample.mechanism.hkdf) add([](auto& m) { m.hkdf = wire::HkdfParam{}; });
  if (!sample.mechanism.kbkdf) add([](auto& m) { m.kbkdf = wire::KbkdfParam{}; });
  if (!sample.mechanism.cbc_data) add([](auto& m) { m.cbc_data = wire::CbcDataParam{}; });
  if (!sample.mechanism.sign_context) {
    add([](auto& m) { m.sign_context = wire::SignContextParam{9, Bytes(256), 0}; });
  }
  if (!sample.mechanism.second_key) add([](auto& m) { m.second_key.emplace(); });
  if (sample.mechanism.HasParameter()) {
    wrong.push_back(Mech(sample.mechanism.type));
    add([](auto& m) { m.bytes = Bytes(); });
  }
  for (const wire::Mechanism& mechanism : wrong) {
    if (family().generate != nullptr) {
      EXPECT_EQ(CodeOf(family().generate(mechanism, sample.new_key)), "MechanismParamInvalid");
      continue;
    }
    if (family().digest != nullptr) {
      EXPECT_EQ(CodeOf(family().digest(mechanism, sample.input)), "MechanismParamInvalid");
      continue;
    }
    for (const std::string& code : AllCodes(sample.private_key, mechanism)) {
      EXPECT_EQ(code, "MechanismParamInvalid");
    }
  }
}

TEST_P(GeneratingRows, GenerationMakesAWholeKey) {
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

TEST_P(GeneratingRows, GenerationChecksItsTemplate) {
  EXPECT_EQ(CodeOf(family().generate(sample.mechanism, {})), "TemplateIncomplete");
  wire::AttributeList wrong = sample.new_key;
  for (wire::Attribute& attribute : wrong.items) attribute.value = Bytes(3, 0xff);
  const std::string code = CodeOf(family().generate(sample.mechanism, wrong));
  EXPECT_TRUE(code == "AttributeValueInvalid" || code == "DomainParamsInvalid") << code;
}

TEST_P(EncapsulatingRows, BothEndsHaveTheSecretAndNobodyElse) {
  const auto open = [&](const Bytes& ciphertext) {
    return DecapsulateKey(entry, *sample.private_key, mechanism, ciphertext, NewSecret());
  };
  const EncapsulatedKey made =
      Get(EncapsulateKey(entry, *sample.public_key, mechanism, NewSecret()));
  EXPECT_TRUE(Get(open(made.ciphertext)).material == made.key.material);
  EXPECT_EQ(made.key.attributes.Ulong(CKA_VALUE_LEN), made.key.material.size());
  const EncapsulatedKey other =
      Get(EncapsulateKey(entry, *sample.public_key, mechanism, NewSecret()));
  EXPECT_NE(other.ciphertext, made.ciphertext);
  EXPECT_FALSE(other.key.material == made.key.material);
  for (size_t bit = 0; bit < made.ciphertext.size() * 8; bit += 61) {
    const Result<NewKey> opened = open(Flipped(made.ciphertext, bit));
    EXPECT_TRUE(!opened.ok() || !(opened->material == made.key.material)) << bit;
    if (!opened.ok()) {
      EXPECT_EQ(CodeOf(opened), "WrappedKeyInvalid") << bit;
    }
  }
}

TEST_P(EncapsulatingRows, LengthsAndTemplatesAreChecked) {
  const EncapsulatedKey made =
      Get(EncapsulateKey(entry, *sample.public_key, mechanism, NewSecret()));
  Bytes longer = made.ciphertext;
  longer.push_back(0);
  for (const Bytes& wrong : {longer, ToBytes(ByteSpan(made.ciphertext).first(7)), Bytes()}) {
    const std::string code =
        CodeOf(DecapsulateKey(entry, *sample.private_key, mechanism, wrong, NewSecret()));
    EXPECT_TRUE(code == "WrappedKeyLenRange" || code == "WrappedKeyInvalid") << code;
  }
  wire::AttributeList no_secret = NewSecret();
  no_secret.SetUlong(CKA_KEY_TYPE, CKK_RSA);
  EXPECT_EQ(CodeOf(EncapsulateKey(entry, *sample.public_key, mechanism, no_secret)),
            "TemplateInconsistent");
  wire::AttributeList too_long = NewSecret();
  too_long.SetUlong(CKA_VALUE_LEN, kMaxGenericSecret + 1);
  EXPECT_EQ(CodeOf(EncapsulateKey(entry, *sample.public_key, mechanism, too_long)),
            "AttributeValueInvalid");
  // Where the mechanism gives a secret of a fixed length, there is no other.
  too_long.SetUlong(CKA_VALUE_LEN, kMaxGenericSecret);
  const std::string code = CodeOf(EncapsulateKey(entry, *sample.public_key, mechanism, too_long));
  EXPECT_TRUE(code == "TemplateInconsistent" || code == "KeySizeRange") << code;
}

TEST_P(RecoveringRows, SignaturesGiveBackWhatWasSigned) {
  const Bytes signature = Get(Sign(sample.private_key, sample.mechanism, sample.input));
  const auto recover = [&](ByteSpan bytes) {
    return family().verify_recover(*sample.public_key, sample.mechanism, bytes);
  };
  const Bytes data = Get(recover(signature));
  EXPECT_EQ(ToHex(ByteSpan(data).last(sample.input.size())), ToHex(sample.input));
  EXPECT_EQ(data.size(), family().name == "rsa-x509" ? signature.size() : sample.input.size());
  const Result<Bytes> changed = recover(Flipped(signature, 100));
  EXPECT_TRUE(!changed.ok() || *changed != data);
  EXPECT_EQ(CodeOf(recover(ByteSpan(signature).first(signature.size() - 1))), "SignatureLenRange");
  EXPECT_EQ(CodeOf(recover(Bytes(signature.size(), 0xff))), "SignatureInvalid");
}

TEST_P(DigestingRows, DigestsAreOfTheMessage) {
  const Bytes digest = Get(family().digest(sample.mechanism, sample.input));
  EXPECT_EQ(digest, Get(family().digest(sample.mechanism, sample.input)));
  EXPECT_NE(digest, Get(family().digest(sample.mechanism, Flipped(sample.input, 1))));
}

TEST_P(WrappingRows, WrappedKeysComeBack) {
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
  const bool tagged = family().name == "aes-gcm" || family().name == "aes-ccm";
  EXPECT_EQ(CodeOf(cut), tagged ? "WrappedKeyInvalid" : "WrappedKeyLenRange");
  const Bytes flipped = Flipped(wrapped, 8 * wrapped.size() - 1);
  const Result<NewKey> opened = unwrap(flipped);
  EXPECT_TRUE(!opened.ok() || !(opened->material == key->secret()));
  if (!opened.ok()) {
    // Where OpenSSL rejects implicitly (3.2 and later), a bad block is one of any length.
    const bool any_length = family().name == "rsa-pkcs1" && CodeOf(opened) == "WrappedKeyLenRange";
    EXPECT_TRUE(any_length || CodeOf(opened) == "WrappedKeyInvalid") << CodeOf(opened);
  }
}

TEST_P(AgreeingRows, BothSidesDeriveTheSame) {
  const uint64_t type = entry.row->type;
  const auto derive = [&](const KeyPair& own, const KeyPair& peer, uint64_t size) {
    wire::AttributeList attributes;
    attributes.SetUlong(CKA_KEY_TYPE, CKK_AES);
    attributes.SetUlong(CKA_VALUE_LEN, size);
    return Get(DeriveKey(entry, *own.private_key, nullptr,
                         Ecdh(type, *peer.attributes.Find(CKA_EC_POINT)), attributes))
        .material;
  };
  EXPECT_TRUE(derive(P256Pair(), OtherP256Pair(), 32) == derive(OtherP256Pair(), P256Pair(), 32));
}

TEST_P(DerivingRows, DerivedKeysAreTheSameEachTimeAndNotTheBase) {
  const Key* second = sample.mechanism.second_key ? sample.public_key.get() : nullptr;
  const auto derive = [&] {
    return Get(DeriveKey(entry, *sample.private_key, second, sample.mechanism, {}));
  };
  const NewKey made = derive();
  EXPECT_EQ(made.attributes.Ulong(CKA_KEY_TYPE), CKK_GENERIC_SECRET);
  EXPECT_TRUE(made.material == derive().material);
  EXPECT_FALSE(made.material == sample.private_key->secret());
  wire::AttributeList longer;
  longer.SetUlong(CKA_VALUE_LEN, made.material.size() + kMaxGenericSecret);
  const std::string code =
      CodeOf(DeriveKey(entry, *sample.private_key, second, sample.mechanism, longer));
  EXPECT_TRUE(code == "AttributeValueInvalid" || code == "KeySizeRange") << code;
}

INSTANTIATE_TEST_SUITE_P(Rows, MechContract, RowsThat([](const MechEntry&) { return true; }),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Rows, SigningRows, RowsWith(CKF_SIGN), NameOf);
INSTANTIATE_TEST_SUITE_P(Rows, EncryptingRows, RowsWith(CKF_ENCRYPT), NameOf);
INSTANTIATE_TEST_SUITE_P(Rows, RowsOfKeys, RowsThat(UsesKey), NameOf);
INSTANTIATE_TEST_SUITE_P(Rows, RowsOfPairs, RowsThat(UsesPair), NameOf);
INSTANTIATE_TEST_SUITE_P(Rows, GeneratingRows, RowsThat(Generates), NameOf);
INSTANTIATE_TEST_SUITE_P(Rows, WrappingRows, RowsWith(CKF_WRAP), NameOf);
INSTANTIATE_TEST_SUITE_P(Rows, AgreeingRows, RowsThat(Agrees), NameOf);
INSTANTIATE_TEST_SUITE_P(Rows, EncapsulatingRows, RowsWith(CKF_ENCAPSULATE), NameOf);
INSTANTIATE_TEST_SUITE_P(Rows, RecoveringRows, RowsWith(CKF_VERIFY_RECOVER), NameOf);
INSTANTIATE_TEST_SUITE_P(Rows, DigestingRows, RowsWith(CKF_DIGEST), NameOf);
INSTANTIATE_TEST_SUITE_P(Rows, DerivingRows, RowsThat(DerivesFromSecret), NameOf);

TEST(MechTable, KnowsItsOwnAndNothingElse) {
  EXPECT_GE(AllMechanisms().size(), 100U);
  for (const uint64_t type : {CKM_DES3_CBC, CKM_MD5_RSA_PKCS, CKM_RSA_X9_31, ~uint64_t{0}}) {
    EXPECT_EQ(CodeOf(FindMechanism(type)), "MechanismInvalid");
  }
  EXPECT_FALSE(IsFamilyName("rsa"));
  EXPECT_FALSE(IsFamilyName(""));
}

}  // namespace
}  // namespace keyclave::mech
