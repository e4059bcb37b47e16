// RSA-AES key wrap and HPKE: what a released key travels in.

#include "enclave/mech/hpke.h"
#include "tests/unit/mech/mech_testing.h"

namespace keyclave::mech {
namespace {

// RFC 9180, [TestVectors] (test-vectors.json of github.com/cfrg/draft-irtf-cfrg-hpke), base
// mode with HKDF-SHA256 and AES-256-GCM: the first message of each KEM.
struct HpkeVector {
  HpkeKem kem;
  std::string_view curve;
  uint64_t key_type;
  std::string_view ephemeral;
  std::string_view recipient;
  std::string_view encapsulated;
  std::string_view ciphertext;
};
constexpr HpkeVector kVectors[] = {
    {HpkeKem::kX25519, kX25519, CKK_EC_MONTGOMERY,
     "179d4b53b6365c45b600c4163b61d95cbc2f4d9e36f1695558dce265ab8bab11",
     "497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d",
     "6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256",
     "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9931980a41de125a925cdad859d5b7a"},
    {HpkeKem::kP256, kP256, CKK_EC,
     "90345e3a1d116c1dd39ae76d95ab858c142223a63e44f8f85318cfa91a84858e",
     "317f915db7bc629c48fe765587897e01e282d3e8445f79f27f65d031a88082b2",
     "04c06b4f6bebc7bb495cb797ab753f911aff80aefb86fd8b6fcc35525f3ab5f03e0b21bd31a86c6048af3cb2d98e0"
     "d3bf01da5cc4c39ff5370d331a4f1f7d5a4e0",
     "58c61a45059d0c5704560e9d88b564a8b63f1364b8d1fcb3c4c6ddc1d291742465e902cd216f8908da49f8f96f"},
};
const Bytes kInfo = Hex("4f6465206f6e2061204772656369616e2055726e");
const Bytes kAad = Hex("436f756e742d30");
const Bytes kPlaintext = Hex("4265617574792069732074727574682c20747275746820626561757479");

KeyPair PairOf(const HpkeVector& vector, std::string_view value) {
  wire::AttributeList attributes = CurveTemplate(vector.curve);
  attributes.SetUlong(CKA_CLASS, CKO_PRIVATE_KEY);
  attributes.SetUlong(CKA_KEY_TYPE, vector.key_type);
  attributes.Set(CKA_VALUE, Hex(value));
  return ToPair(Get(MaterialFromTemplate(attributes)));
}

std::string Opened(const HpkeVector& vector, const Key& own, ByteSpan info, ByteSpan aad,
                   ByteSpan sealed) {
  const Result<SecretBytes> opened = HpkeOpen(vector.kem, own, info, aad, sealed);
  return opened.ok() ? ToHex(opened->Expose(SecretAccess())) : CodeOf(opened);
}

class Hpke : public testing::TestWithParam<HpkeVector> {
 protected:
  const HpkeVector& vector = GetParam();
  const KeyPair recipient = PairOf(vector, vector.recipient);
};
INSTANTIATE_TEST_SUITE_P(Kems, Hpke, testing::ValuesIn(kVectors), [](const auto& row) {
  return row.param.kem == HpkeKem::kP256 ? "P256" : "X25519";
});

TEST_P(Hpke, AnswersAreTheKnownOnes) {
  const KeyPair ephemeral = PairOf(vector, vector.ephemeral);
  const Bytes sealed = Get(HpkeSealWith(vector.kem, ephemeral.private_key->pkey(),
                                        *recipient.public_key, kInfo, kAad, kPlaintext));
  EXPECT_EQ(ToHex(sealed), std::string(vector.encapsulated) + std::string(vector.ciphertext));
  EXPECT_EQ(Opened(vector, *recipient.private_key, kInfo, kAad, sealed), ToHex(kPlaintext));
}

TEST_P(Hpke, SealsAnewEachTimeForItsRecipientAlone) {
  const auto seal = [&] {
    return Get(HpkeSeal(vector.kem, *recipient.public_key, kInfo, kAad, kPlaintext));
  };
  const Bytes sealed = seal();
  EXPECT_NE(sealed, seal());
  EXPECT_EQ(Opened(vector, *recipient.private_key, kInfo, kAad, sealed), ToHex(kPlaintext));
  const KeyPair other = PairOf(vector, vector.ephemeral);
  EXPECT_EQ(Opened(vector, *other.private_key, kInfo, kAad, sealed), "EncryptedDataInvalid");
  EXPECT_EQ(Opened(vector, *recipient.private_key, kAad, kAad, sealed), "EncryptedDataInvalid");
  EXPECT_EQ(Opened(vector, *recipient.private_key, kInfo, {}, sealed), "EncryptedDataInvalid");
  EXPECT_EQ(Opened(vector, *recipient.public_key, kInfo, kAad, sealed), "KeyFunctionNotPermitted");
  // Nothing, for an empty secret.
  const Bytes empty = Get(HpkeSeal(vector.kem, *recipient.public_key, kInfo, kAad, {}));
  EXPECT_EQ(Opened(vector, *recipient.private_key, kInfo, kAad, empty), "");
}

TEST_P(Hpke, OpensNothingThatWasChangedOrCut) {
  const Bytes sealed = Get(HpkeSeal(vector.kem, *recipient.public_key, kInfo, kAad, kPlaintext));
  for (size_t bit = 0; bit < 8 * sealed.size(); ++bit) {
    const std::string code =
        Opened(vector, *recipient.private_key, kInfo, kAad, Flipped(sealed, bit));
    // The top bit of an X25519 coordinate is not part of it, but it is part of what is hashed.
    EXPECT_EQ(code, "EncryptedDataInvalid") << bit;
  }
  for (size_t size = 0; size < sealed.size(); ++size) {
    const std::string code =
        Opened(vector, *recipient.private_key, kInfo, kAad, ByteSpan(sealed).first(size));
    EXPECT_TRUE(code.starts_with("EncryptedData")) << size << code;
  }
  Bytes longer = sealed;
  longer.push_back(0);
  EXPECT_EQ(Opened(vector, *recipient.private_key, kInfo, kAad, longer), "EncryptedDataInvalid");
}

TEST_P(Hpke, RefusesKeysOfOtherCurves) {
  const KeyPair p384 = NewEcPair(kP384);
  const HpkeVector& unlike = kVectors[vector.kem == HpkeKem::kP256 ? 0 : 1];
  const KeyPair other = PairOf(unlike, unlike.recipient);
  const KeyPtr wrong_keys[] = {p384.public_key, other.public_key, SomeRsaPair().public_key,
                               AesKeyOf(32)};
  for (const KeyPtr& key : wrong_keys) {
    EXPECT_EQ(CodeOf(HpkeSeal(vector.kem, *key, kInfo, kAad, kPlaintext)), "KeyTypeInconsistent");
  }
}

// RFC 7748 §6.1: a peer of small order would make the secret known to everybody.
TEST(HpkeX25519, RefusesAPeerOfSmallOrder) {
  const KeyPair own = PairOf(kVectors[0], kVectors[0].recipient);
  EXPECT_EQ(Opened(kVectors[0], *own.private_key, kInfo, kAad, Bytes(32 + 40, 0)),
            "EncryptedDataInvalid");
}

Result<Bytes> Wrap(const wire::Mechanism& mechanism, const KeyPtr& key) {
  return WrapKey(Get(FindMechanism(mechanism.type)), *SomeRsaPair().public_key, mechanism, *key);
}
Result<NewKey> Unwrap(const wire::Mechanism& mechanism, ByteSpan wrapped, uint64_t object_class) {
  wire::AttributeList attributes;
  attributes.SetUlong(CKA_CLASS, object_class);
  attributes.SetUlong(CKA_KEY_TYPE, object_class == CKO_SECRET_KEY ? CKK_AES : CKK_RSA);
  return UnwrapKey(Get(FindMechanism(mechanism.type)), *SomeRsaPair().private_key, mechanism,
                   wrapped, attributes);
}

TEST(RsaAesKeyWrap, WrapsWhatDoesNotFitIntoRsa) {
  const KeyPair large = NewRsaPair(2048);
  for (const uint64_t bits : {128U, 192U, 256U}) {
    const wire::Mechanism mechanism = RsaAes(CKM_SHA384, CKG_MGF1_SHA384, bits);
    const Bytes wrapped = Get(Wrap(mechanism, large.private_key));
    EXPECT_GT(wrapped.size(), 256U + 1000U);
    EXPECT_NE(wrapped, Get(Wrap(mechanism, large.private_key)));
    const NewKey back = Get(Unwrap(mechanism, wrapped, CKO_PRIVATE_KEY));
    EXPECT_TRUE(back.material == large.material);
    // Another length of AES key, another label, another hash: nothing.
    EXPECT_EQ(CodeOf(Unwrap(RsaAes(CKM_SHA384, CKG_MGF1_SHA384, bits == 128 ? 256 : 128), wrapped,
                            CKO_PRIVATE_KEY)),
              "WrappedKeyInvalid");
    EXPECT_EQ(CodeOf(Unwrap(RsaAes(CKM_SHA256, CKG_MGF1_SHA256, bits), wrapped, CKO_PRIVATE_KEY)),
              "WrappedKeyInvalid");
  }
}

TEST(RsaAesKeyWrap, ChangedBytesDoNotOpen) {
  const wire::Mechanism mechanism = RsaAes(CKM_SHA256, CKG_MGF1_SHA256);
  const Bytes wrapped = Get(Wrap(mechanism, AesKeyOf(32)));
  ASSERT_EQ(wrapped.size(), 256U + 40U);
  for (size_t bit = 0; bit < 8 * wrapped.size(); bit += 29) {
    EXPECT_EQ(CodeOf(Unwrap(mechanism, Flipped(wrapped, bit), CKO_SECRET_KEY)), "WrappedKeyInvalid")
        << bit;
  }
  for (const size_t size : {0U, 1U, 255U, 256U, 264U, 271U, 295U}) {
    EXPECT_EQ(CodeOf(Unwrap(mechanism, ByteSpan(wrapped).first(size), CKO_SECRET_KEY)),
              "WrappedKeyLenRange")
        << size;
  }
}

// Lesson 43: wrapping with SHA-1 is what prior systems fell back to.
TEST(RsaAesKeyWrap, RefusesSha1AndMixedHashes) {
  const KeyPtr key = AesKeyOf(32);
  for (const wire::Mechanism& mechanism :
       {RsaAes(CKM_SHA_1, CKG_MGF1_SHA1), RsaAes(CKM_SHA256, CKG_MGF1_SHA1),
        RsaAes(CKM_SHA_1, CKG_MGF1_SHA256), RsaAes(CKM_SHA224, CKG_MGF1_SHA224),
        RsaAes(CKM_SHA256, CKG_MGF1_SHA384), RsaAes(CKM_SHA256, CKG_MGF1_SHA256, 0),
        RsaAes(CKM_SHA256, CKG_MGF1_SHA256, 255), RsaAes(CKM_SHA256, CKG_MGF1_SHA256, 512)}) {
    EXPECT_EQ(CodeOf(Wrap(mechanism, key)), "MechanismParamInvalid");
  }
}

TEST(PublicKeyFromInfo, ReadsTheKeyThatItNames) {
  const KeyPair pairs[] = {NewEcPair(kP256), NewEcPair(kX25519, CKM_EC_MONTGOMERY_KEY_PAIR_GEN)};
  for (const KeyPair& pair : pairs) {
    const Bytes info = Get(PublicKeyInfo(*pair.public_key));
    const auto read = Get(PublicKeyFromInfo(info));
    EXPECT_EQ(Get(PublicKeyInfo(*read)), info);
    EXPECT_EQ(read->object_class(), CKO_PUBLIC_KEY);
    for (size_t size = 0; size < info.size(); ++size) {
      EXPECT_FALSE(PublicKeyFromInfo(ByteSpan(info).first(size)).ok()) << size;
    }
    Bytes longer = info;
    longer.push_back(0);
    EXPECT_EQ(CodeOf(PublicKeyFromInfo(longer)), "KeyFileInvalid");
  }
  // A point that is not on its curve.
  Bytes off = Get(PublicKeyInfo(*pairs[0].public_key));
  off.back() = static_cast<uint8_t>(off.back() ^ 1U);
  EXPECT_FALSE(PublicKeyFromInfo(off).ok());
}

}  // namespace
}  // namespace keyclave::mech
