// C_GetMechanismInfo is exact, row by row; and every family is a word of policies.

#include <fstream>
#include <set>

#include "enclave/authz/families.h"
#include "enclave/mech/ec_curve.h"
#include "enclave/mech/key_type.h"
#include "tests/contract/mech_samples.h"
#include "tests/fakes/paths.h"

namespace keyclave::mech {
namespace {

// The sizes of C_GetMechanismInfo are the truth: every function that the flags name works with the
// smallest and with the largest key, and sizes beyond them make no key.
class KeySizes : public OfEachRow {
 protected:
  KeyPtr OfSize(uint64_t size) const {
    const uint64_t type = sample.private_key->key_type();
    if (!IsSecretSize(type, size)) return nullptr;
    Bytes value(size, 3);
    value.front() = 4;  // the halves of XTS differ
    return SecretKey(type, value);
  }

  void ExpectAllWork(const KeyPtr& key) const {
    const MechFamily& f = family();
    const wire::Mechanism& mechanism = sample.mechanism;
    if (Has(CKF_SIGN)) {
      const Bytes signature = Get(f.sign(*key, mechanism, sample.input));
      EXPECT_EQ(CodeOf(f.verify(*key, mechanism, sample.input, signature)), "ok");
    }
    if (Has(CKF_ENCRYPT)) {
      const Bytes ciphertext = Get(f.encrypt(*key, mechanism, sample.input));
      EXPECT_EQ(Get(f.decrypt(*key, mechanism, ciphertext)), sample.input);
    }
    if (Has(CKF_WRAP)) {
      EXPECT_EQ(CodeOf(WrapKey(entry, *key, mechanism, *AesKeyOf(32))), "ok");
    }
    if (f.derive != nullptr) {
      const Result<SecretBytes> derived = f.derive(*key, mechanism, 0);
      // Concatenation with the largest key is more than a key can be.
      const bool over = key->secret().size() == kMaxGenericSecret && f.derives_base_bytes;
      EXPECT_TRUE(derived.ok() || over) << CodeOf(derived);
    }
  }
};

class SecretKeySizes : public KeySizes {};
TEST_P(SecretKeySizes, SmallestAndLargestWorkAndNoOthers) {
  for (const uint64_t size : {entry.row->min_key_size, entry.row->max_key_size}) {
    const KeyPtr key = OfSize(size);
    ASSERT_NE(key, nullptr) << size;
    ExpectAllWork(key);
  }
  EXPECT_EQ(OfSize(entry.row->min_key_size - 1), nullptr);
  EXPECT_EQ(OfSize(entry.row->max_key_size + 1), nullptr);
}

class GeneratedKeySizes : public KeySizes {};
TEST_P(GeneratedKeySizes, AreTheSmallestAndTheLargest) {
  const uint64_t unit = entry.row->type == CKM_GENERIC_SECRET_KEY_GEN ? 8 : 1;  // bits, or bytes
  const auto generate = [&](uint64_t size) {
    wire::AttributeList attributes;
    attributes.SetUlong(CKA_VALUE_LEN, size);
    return CodeOf(family().generate(sample.mechanism, attributes));
  };
  EXPECT_EQ(generate(entry.row->min_key_size / unit), "ok");
  EXPECT_EQ(generate(entry.row->max_key_size / unit), "ok");
  EXPECT_EQ(generate(entry.row->min_key_size / unit - 1), "AttributeValueInvalid");
  EXPECT_EQ(generate(entry.row->max_key_size / unit + 1), "AttributeValueInvalid");
}

// A key of the largest size, which would take a minute to make.
const KeyPair& LargestRsaPair() {
  static const KeyPair* const pair = [] {
    std::ifstream in(fakes::SourcePath("tests/data/mech/rsa8192_pkcs8.hex"));
    std::string hex;
    for (std::string line; std::getline(in, line);) hex += line;
    return new KeyPair(ToPair(Get(MaterialFromPkcs8(Hex(hex)))));
  }();
  return *pair;
}

class ModulusSizes : public KeySizes {};
TEST_P(ModulusSizes, SmallestAndLargestWork) {
  const std::pair<const KeyPair*, uint64_t> pairs[] = {
      {&SomeRsaPair(), entry.row->min_key_size}, {&LargestRsaPair(), entry.row->max_key_size}};
  for (const auto& [pair, bits] : pairs) {
    ASSERT_EQ(static_cast<uint64_t>(EVP_PKEY_get_bits(pair->private_key->pkey())), bits);
    const wire::Mechanism& mechanism = sample.mechanism;
    if (Has(CKF_SIGN)) {
      const Bytes signature = Get(Sign(pair->private_key, mechanism, sample.input));
      EXPECT_EQ(signature.size(), bits / 8);
      EXPECT_EQ(CodeOf(Verify(pair->public_key, mechanism, sample.input, signature)), "ok");
    }
    if (Has(CKF_DECRYPT)) {
      // What TLS decrypts need not be well formed.
      const Bytes ciphertext = Has(CKF_ENCRYPT)
                                   ? Get(Encrypt(pair->public_key, mechanism, sample.input))
                                   : Bytes(bits / 8, 1);
      EXPECT_EQ(CodeOf(Decrypt(pair->private_key, mechanism, ciphertext)), "ok");
    }
    if (Has(CKF_ENCAPSULATE)) {
      const size_t size = entry.row->type == CKM_RSA_X_509 ? bits / 8 : 32;
      const Encapsulated made = Get(family().encapsulate(*pair->public_key, mechanism, size));
      EXPECT_TRUE(Get(family().decapsulate(*pair->private_key, mechanism, made.ciphertext, size)) ==
                  made.secret);
    }
    if (Has(CKF_WRAP)) {
      const KeyPtr key = AesKeyOf(32);
      const Bytes wrapped = Get(WrapKey(entry, *pair->public_key, mechanism, *key));
      wire::AttributeList attributes;
      attributes.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
      attributes.SetUlong(CKA_KEY_TYPE, CKK_AES);
      const NewKey back = Get(UnwrapKey(entry, *pair->private_key, mechanism, wrapped, attributes));
      EXPECT_TRUE(back.material == key->secret());
    }
  }
}

// Bits of the curves that a row's keys may have.
class CurveSizes : public KeySizes {};
TEST_P(CurveSizes, AreTheCurves) {
  uint64_t smallest = ~uint64_t{0};
  uint64_t largest = 0;
  for (const EcCurve& curve : AllCurves()) {
    const bool edwards = curve.key_type == CKK_EC_EDWARDS;
    const bool montgomery = curve.key_type == CKK_EC_MONTGOMERY;
    const uint64_t type = entry.row->type;
    bool fits = curve.key_type == CKK_EC;
    if (type == CKM_EDDSA || type == CKM_EC_EDWARDS_KEY_PAIR_GEN) fits = edwards;
    if (type == CKM_EC_MONTGOMERY_KEY_PAIR_GEN) fits = montgomery;
    if (type == CKM_ECDH1_DERIVE) fits = fits || montgomery;
    if (!fits) continue;
    smallest = std::min<uint64_t>(smallest, curve.bits);
    largest = std::max<uint64_t>(largest, curve.bits);
  }
  EXPECT_EQ(entry.row->min_key_size, smallest);
  EXPECT_EQ(entry.row->max_key_size, largest);
}

// Bytes of the public keys that a row's keys may have: each parameter set of the type, and no
// number that is none.
class SetSizes : public KeySizes {};
TEST_P(SetSizes, AreThoseOfTheSets) {
  uint64_t smallest = ~uint64_t{0};
  uint64_t largest = 0;
  uint64_t number = 1;
  for (;; ++number) {
    wire::AttributeList attributes;
    attributes.SetUlong(CKA_PARAMETER_SET, number);
    const Result<NewKey> made = family().generate(sample.mechanism, attributes);
    if (!made.ok()) {
      EXPECT_EQ(CodeOf(made), "ParameterSetUnsupported");
      break;
    }
    const uint64_t size = made->attributes.Find(CKA_VALUE)->size();
    smallest = std::min(smallest, size);
    largest = std::max(largest, size);
  }
  EXPECT_EQ(number - 1, entry.family->name == "slh-dsa-keygen" ? 12U : 3U);
  EXPECT_EQ(entry.row->min_key_size, smallest);
  EXPECT_EQ(entry.row->max_key_size, largest);
}

INSTANTIATE_TEST_SUITE_P(Rows, SetSizes, RowsThat([](const MechEntry& entry) {
                           return Generates(entry) && UsesParameterSet(entry);
                         }),
                         NameOf);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SetSizes);  // OpenSSL before 3.5
INSTANTIATE_TEST_SUITE_P(Rows, SecretKeySizes, RowsThat(UsesSecretKey), NameOf);
INSTANTIATE_TEST_SUITE_P(Rows, GeneratedKeySizes, RowsWith(CKF_GENERATE), NameOf);
INSTANTIATE_TEST_SUITE_P(Rows, ModulusSizes, RowsThat([](const MechEntry& entry) {
                           return UsesKey(entry) && entry.family->name.starts_with("rsa-");
                         }),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Rows, CurveSizes, RowsThat([](const MechEntry& entry) {
                           const std::string_view name = entry.family->name;
                           return name == "ecdsa" || name == "eddsa" || name == "ecdh" ||
                                  name == "ec-keygen";
                         }),
                         NameOf);

// A family that policies could not name could not be permitted alone; a word that names none would
// never permit anything. HPKE is for release alone, and digests use no key.
TEST(Families, AreTheWordsOfPolicies) {
  const std::set<std::string_view> without_rows = {"hpke"};
  for (const std::string_view word : authz::kFamilies) {
    EXPECT_EQ(IsFamilyName(word), !without_rows.contains(word)) << word;
  }
  for (const MechEntry& entry : EveryMechanism()) {
    if (entry.family->digest != nullptr) continue;
    EXPECT_TRUE(authz::IsFamily(entry.family->name)) << entry.family->name;
  }
}

}  // namespace
}  // namespace keyclave::mech
