#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include "tests/unit/ossl_provider/provider_fixture.h"

namespace keyclave::ossl {
namespace {

using ::testing::IsEmpty;

INSTANTIATE_TEST_SUITE_P(All, EachKey, ::testing::ValuesIn(Samples()), SampleName);

TEST_P(EachKey, HasTheNamesThatLibsslAsksFor) {
  const EvpPkey key = Refer(Generate(GetParam()));
  EXPECT_EQ(EVP_PKEY_is_a(key.get(), GetParam().name), 1);
  EXPECT_EQ(EVP_PKEY_is_a(key.get(), GetParam().alias), 1);
  EXPECT_STREQ(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key.get())), "keyclave");
}

TEST_P(EachKey, EqualsItsPublicKeyInBothOrders) {
  const EvpPkey software = Generate(GetParam());
  const EvpPkey key = Refer(software);
  EXPECT_EQ(EVP_PKEY_eq(key.get(), software.get()), 1);
  EXPECT_EQ(EVP_PKEY_eq(software.get(), key.get()), 1);
  EXPECT_EQ(EVP_PKEY_eq(key.get(), key.get()), 1);
  EXPECT_EQ(EVP_PKEY_eq(key.get(), Refer(software).get()), 1);
  EXPECT_THAT(TakeErrors(), IsEmpty());
}

TEST_P(EachKey, DiffersFromAnotherKeyInBothOrders) {
  const EvpPkey other = Generate(GetParam());
  const EvpPkey key = Refer(Generate(GetParam()));
  EXPECT_EQ(EVP_PKEY_eq(key.get(), other.get()), 0);
  EXPECT_EQ(EVP_PKEY_eq(other.get(), key.get()), 0);
  EXPECT_EQ(EVP_PKEY_eq(key.get(), Refer(other).get()), 0);
}

TEST_P(EachKey, MatchesItsCertificateOnly) {
  const EvpPkey software = Generate(GetParam());
  const EvpPkey key = Refer(software);
  const Certificate good(X509_new_ex(ctx_.get(), nullptr));
  const Certificate bad(X509_new_ex(ctx_.get(), nullptr));
  ASSERT_EQ(X509_set_pubkey(good.get(), software.get()), 1);
  ASSERT_EQ(X509_set_pubkey(bad.get(), Generate(GetParam()).get()), 1);
  EXPECT_EQ(X509_check_private_key(good.get(), key.get()), 1);
  EXPECT_THAT(TakeErrors(), IsEmpty());
  EXPECT_EQ(X509_check_private_key(bad.get(), key.get()), 0);
}

// A certificate made with the reference itself has the same public key as one made in software.
TEST_P(EachKey, CanBePutIntoACertificate) {
  const EvpPkey software = Generate(GetParam());
  const EvpPkey key = Refer(software);
  const Certificate certificate(X509_new_ex(ctx_.get(), nullptr));
  ASSERT_EQ(X509_set_pubkey(certificate.get(), key.get()), 1);
  EXPECT_EQ(EVP_PKEY_eq(X509_get0_pubkey(certificate.get()), software.get()), 1);
  EXPECT_THAT(TakeErrors(), IsEmpty());
}

TEST_P(EachKey, TellsSizesAsSoftwareDoes) {
  const EvpPkey software = Generate(GetParam());
  const EvpPkey key = Refer(software);
  EXPECT_EQ(EVP_PKEY_get_bits(key.get()), GetParam().bits);
  EXPECT_EQ(EVP_PKEY_get_size(key.get()), EVP_PKEY_get_size(software.get()));
  EXPECT_EQ(EVP_PKEY_get_security_bits(key.get()), EVP_PKEY_get_security_bits(software.get()));
  int mine = 0;
  int theirs = 0;
  EXPECT_EQ(EVP_PKEY_get_default_digest_nid(key.get(), &mine),
            EVP_PKEY_get_default_digest_nid(software.get(), &theirs));
  EXPECT_EQ(mine, theirs);
  EXPECT_EQ(EVP_PKEY_get_id(key.get()), EVP_PKEY_get_id(software.get()));
  EXPECT_EQ(EVP_PKEY_get_base_id(key.get()), EVP_PKEY_get_base_id(software.get()));
}

TEST_P(EachKey, ExportsItsPublicHalfAndNothingMore) {
  const EvpPkey software = Generate(GetParam());
  const EvpPkey key = Refer(software);
  OSSL_PARAM* params = nullptr;
  ASSERT_EQ(EVP_PKEY_todata(key.get(), EVP_PKEY_PUBLIC_KEY, &params), 1);
  const EvpPkeyCtx from(
      EVP_PKEY_CTX_new_from_name(ctx_.get(), GetParam().name, "provider=default"));
  EVP_PKEY* copy = nullptr;
  ASSERT_EQ(EVP_PKEY_fromdata_init(from.get()), 1);
  EXPECT_EQ(EVP_PKEY_fromdata(from.get(), &copy, EVP_PKEY_PUBLIC_KEY, params), 1);
  OSSL_PARAM_free(params);
  const EvpPkey owned(copy);
  EXPECT_EQ(EVP_PKEY_eq(copy, software.get()), 1);
  EXPECT_THAT(TakeErrors(), IsEmpty());

  params = nullptr;
  EXPECT_NE(EVP_PKEY_todata(key.get(), EVP_PKEY_KEYPAIR, &params), 1);
  EXPECT_EQ(params, nullptr);
  BIGNUM* secret = nullptr;
  EXPECT_EQ(EVP_PKEY_get_bn_param(key.get(), OSSL_PKEY_PARAM_PRIV_KEY, &secret), 0);
  EXPECT_EQ(EVP_PKEY_get_bn_param(key.get(), OSSL_PKEY_PARAM_RSA_D, &secret), 0);
  EXPECT_EQ(i2d_PrivateKey(key.get(), nullptr), -1);
}

TEST_P(EachKey, TakesPublicKeysOfOthersButNoPrivateOnes) {
  const EvpPkey software = Generate(GetParam());
  for (const int selection : {EVP_PKEY_PUBLIC_KEY, EVP_PKEY_KEYPAIR}) {
    OSSL_PARAM* params = nullptr;
    ASSERT_EQ(EVP_PKEY_todata(software.get(), selection, &params), 1);
    const EvpPkeyCtx into(
        EVP_PKEY_CTX_new_from_name(ctx_.get(), GetParam().name, "provider=keyclave"));
    ASSERT_EQ(EVP_PKEY_fromdata_init(into.get()), 1);
    EVP_PKEY* copy = nullptr;
    const int imported = EVP_PKEY_fromdata(into.get(), &copy, selection, params);
    OSSL_PARAM_free(params);
    const EvpPkey owned(copy);
    if (selection == EVP_PKEY_PUBLIC_KEY) {
      ASSERT_EQ(imported, 1);
      EXPECT_EQ(EVP_PKEY_eq(copy, software.get()), 1);
    } else {
      EXPECT_NE(imported, 1);
    }
  }
}

TEST_P(EachKey, CopiesAndChecksItself) {
  const EvpPkey software = Generate(GetParam());
  const EvpPkey key = Refer(software);
  const EvpPkey copy(EVP_PKEY_dup(key.get()));
  ASSERT_NE(copy, nullptr);
  EXPECT_EQ(EVP_PKEY_eq(copy.get(), software.get()), 1);
  const EvpPkeyCtx check(EVP_PKEY_CTX_new_from_pkey(ctx_.get(), key.get(), nullptr));
  EXPECT_EQ(EVP_PKEY_public_check(check.get()), 1);
  EXPECT_EQ(EVP_PKEY_private_check(check.get()), 1);
  EXPECT_THAT(TakeErrors(), IsEmpty());
}

// How libssl and CMS make the peer of a key agreement.
TEST_P(EachKey, LendsItsParametersToAPeersPublicKey) {
  const EvpPkey software = Generate(GetParam());
  const EvpPkey other = Generate(GetParam());
  const EvpPkey key = Refer(software);
  unsigned char* encoded = nullptr;
  const size_t size = EVP_PKEY_get1_encoded_public_key(other.get(), &encoded);
  const Memory owned(encoded);
  if (size == 0) return;  // RSA has no such form
  const EvpPkey peer(EVP_PKEY_new());
  if (EVP_PKEY_copy_parameters(peer.get(), key.get()) != 1) return;  // it has none to lend
  EXPECT_NE(EVP_PKEY_eq(peer.get(), key.get()), 1);
  ASSERT_EQ(EVP_PKEY_set1_encoded_public_key(peer.get(), encoded, size), 1);
  EXPECT_EQ(EVP_PKEY_eq(peer.get(), other.get()), 1);
  EXPECT_NE(EVP_PKEY_eq(peer.get(), key.get()), 1);
  // The key itself keeps the public key that it has.
  EXPECT_NE(EVP_PKEY_set1_encoded_public_key(key.get(), encoded, size), 1);
  EXPECT_EQ(EVP_PKEY_eq(key.get(), software.get()), 1);
}

TEST_F(ProviderTest, KeyTypesDoNotMatchEachOther) {
  const EvpPkey rsa = Refer(Generate(kSamples[0]));
  const EvpPkey ec = Generate(kSamples[2]);
  EXPECT_NE(EVP_PKEY_eq(rsa.get(), ec.get()), 1);
  EXPECT_NE(EVP_PKEY_eq(ec.get(), rsa.get()), 1);
  EXPECT_EQ(EVP_PKEY_is_a(rsa.get(), "RSA-PSS"), 0);
}

TEST_F(ProviderTest, OffersTheCurveByName) {
  const EvpPkey ec = Refer(Generate(kSamples[2]));
  char group[64] = "";
  size_t size = 0;
  EXPECT_EQ(EVP_PKEY_get_group_name(ec.get(), group, sizeof(group), &size), 1);
  EXPECT_STREQ(group, "prime256v1");
}

}  // namespace
}  // namespace keyclave::ossl
