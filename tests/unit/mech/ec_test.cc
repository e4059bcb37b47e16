// Parameters, lengths and special cases of the elliptic-curve mechanisms; what all rows share is in
// the contract.

#include "enclave/base/hash.h"
#include "tests/unit/mech/mech_testing.h"

namespace keyclave::mech {
namespace {

TEST(EcdsaTest, HalvesAreAsLongAsTheOrderOnEveryCurve) {
  const std::pair<std::string_view, size_t> curves[] = {
      {kP256, 64}, {kP384, 96}, {kP521, 132}, {kK256, 64}};
  for (const auto& [curve, size] : curves) {
    const KeyPair pair = NewEcPair(curve);
    // Often enough that some r or s begins with a zero byte.
    for (int i = 0; i < 300; ++i) {
      const Bytes digest = ToBytes(RandomArray<32>());
      const Bytes signature = Get(Sign(pair.private_key, Mech(CKM_ECDSA), digest));
      ASSERT_EQ(signature.size(), size);
      ASSERT_EQ(CodeOf(Verify(pair.public_key, Mech(CKM_ECDSA), digest, signature)), "ok");
    }
  }
}

// Java's SunPKCS11 hands over halves without zeros in front, both as long as the longer one.
TEST(EcdsaTest, ShorterSignaturesAreTwoHalvesAsWell) {
  const KeyPair pair = NewEcPair(kP521);
  const Bytes digest(64, 0x3c);
  Bytes signature;
  do {
    signature = Get(Sign(pair.private_key, Mech(CKM_ECDSA), digest));
  } while (signature[0] != 0 || signature[66] != 0);
  const auto verify = [&](ByteSpan candidate) {
    return CodeOf(Verify(pair.public_key, Mech(CKM_ECDSA), digest, candidate));
  };
  Bytes shorter = signature;
  shorter.erase(shorter.begin() + 66);
  EXPECT_EQ(verify(shorter), "SignatureLenRange");
  shorter.erase(shorter.begin());
  ASSERT_EQ(shorter.size(), 130U);
  EXPECT_EQ(verify(shorter), "ok");
  shorter.back() ^= 1;
  EXPECT_EQ(verify(shorter), "SignatureInvalid");
  EXPECT_EQ(verify({}), "SignatureLenRange");
  EXPECT_EQ(verify(Bytes(134, 0)), "SignatureLenRange");
}

TEST(EcdsaTest, LongDigestsAreTruncatedAsFips186Says) {
  const KeyPair pair = NewEcPair(kP256);
  const Bytes digest(64, 0x3c);
  const Bytes signature = Get(Sign(pair.private_key, Mech(CKM_ECDSA), digest));
  EXPECT_EQ(CodeOf(Verify(pair.public_key, Mech(CKM_ECDSA), ByteSpan(digest).first(32), signature)),
            "ok");
  EXPECT_EQ(CodeOf(Sign(pair.private_key, Mech(CKM_ECDSA), {})), "DataLenRange");
  EXPECT_EQ(CodeOf(Sign(pair.private_key, Mech(CKM_ECDSA), Bytes(1))), "ok");
  EXPECT_EQ(CodeOf(Sign(pair.private_key, Mech(CKM_ECDSA), Bytes(32))), "ok");  // all zero
}

TEST(EcdsaTest, ZeroAndOrderAreNoSignatures) {
  const KeyPair pair = NewEcPair(kP256);
  Bytes signature = Get(Sign(pair.private_key, Mech(CKM_ECDSA), Bytes(32, 1)));
  const Bytes order = Hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
  for (const Bytes& half : {Bytes(32, 0), Bytes(32, 0xff), order}) {
    for (const size_t at : {0U, 32U}) {
      Bytes wrong = signature;
      std::copy(half.begin(), half.end(), wrong.begin() + static_cast<ptrdiff_t>(at));
      EXPECT_EQ(CodeOf(Verify(pair.public_key, Mech(CKM_ECDSA), Bytes(32, 1), wrong)),
                "SignatureInvalid");
    }
  }
}

TEST(EcdhTest, SecretIsCutInFrontAndKdfIsX963) {
  const KeyPair own = NewEcPair(kP384);
  const KeyPair peer = NewEcPair(kP384);
  const Bytes point = *peer.attributes.Find(CKA_EC_POINT);
  const MechFamily& family = FamilyOf(CKM_ECDH1_DERIVE);
  const auto derive = [&](const wire::Mechanism& mechanism, size_t size) {
    return ToBytes(Get(family.derive(*own.private_key, mechanism, size)).Expose(SecretAccess()));
  };
  const Bytes whole = derive(Ecdh(CKM_ECDH1_DERIVE, point), 0);
  ASSERT_EQ(whole.size(), 48U);
  EXPECT_EQ(derive(Ecdh(CKM_ECDH1_COFACTOR_DERIVE, point), 0), whole);
  EXPECT_EQ(derive(Ecdh(CKM_ECDH1_DERIVE, ToBytes(ByteSpan(point).subspan(2))), 0), whole);
  EXPECT_EQ(derive(Ecdh(CKM_ECDH1_DERIVE, point), 32), ToBytes(ByteSpan(whole).last(32)));
  // ANSI X9.63: hash of secret, counter 1, shared info.
  Bytes hashed = whole;
  const Bytes tail = Hex("00000001090807");
  hashed.insert(hashed.end(), tail.begin(), tail.end());
  const wire::Mechanism kdf = Ecdh(CKM_ECDH1_DERIVE, point, CKD_SHA256_KDF, Hex("090807"));
  EXPECT_EQ(derive(kdf, 0), ToBytes(Sha256(hashed)));
  EXPECT_EQ(derive(kdf, 16), ToBytes(ByteSpan(Sha256(hashed)).first(16)));
  EXPECT_EQ(derive(kdf, 64).size(), 64U);
}

TEST(EcdhTest, ParameterIsChecked) {
  const KeyPair own = NewEcPair(kP256);
  const Bytes point = *NewEcPair(kP256).attributes.Find(CKA_EC_POINT);
  const MechFamily& family = FamilyOf(CKM_ECDH1_DERIVE);
  const auto derive = [&](const wire::Mechanism& mechanism, size_t size = 0) {
    return CodeOf(family.derive(*own.private_key, mechanism, size));
  };
  const uint64_t type = CKM_ECDH1_DERIVE;
  EXPECT_EQ(derive(Ecdh(type, point)), "ok");
  EXPECT_EQ(derive(Ecdh(type, point), 33), "KeySizeRange");
  EXPECT_EQ(derive(Ecdh(type, point, CKD_SHA256_KDF), 100000), "KeySizeRange");
  EXPECT_EQ(derive(Ecdh(type, point, CKD_NULL, Bytes(1))), "MechanismParamInvalid");
  EXPECT_EQ(derive(Ecdh(type, point, 0x77)), "MechanismParamInvalid");
  EXPECT_EQ(derive(Ecdh(type, {})), "MechanismParamInvalid");
  EXPECT_EQ(derive(Ecdh(type, *NewEcPair(kP384).attributes.Find(CKA_EC_POINT))),
            "MechanismParamInvalid");
  const Bytes off_curve = Flipped(point, 8 * point.size() - 1);
  EXPECT_EQ(derive(Ecdh(type, off_curve)), "MechanismParamInvalid");
}

}  // namespace
}  // namespace keyclave::mech
