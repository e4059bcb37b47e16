#include <openssl/rsa.h>

#include "tests/unit/ossl_provider/provider_fixture.h"

namespace keyclave::ossl {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class CipherTest : public ProviderTest {
 protected:
  static void Set(EVP_PKEY_CTX* pctx, int padding, bool all) {
    ASSERT_EQ(EVP_PKEY_CTX_set_rsa_padding(pctx, padding), 1);
    if (!all) return;
    ASSERT_EQ(EVP_PKEY_CTX_set_rsa_oaep_md_name(pctx, "SHA384", nullptr), 1);
    ASSERT_EQ(EVP_PKEY_CTX_set_rsa_mgf1_md_name(pctx, "SHA256", nullptr), 1);
    void* label = OPENSSL_memdup("label", 5);
    ASSERT_EQ(EVP_PKEY_CTX_set0_rsa_oaep_label(pctx, label, 5), 1);
  }
};

TEST_F(CipherTest, EncryptsForTheKeyWithItsPublicHalf) {
  const EvpPkey software = Generate(kSamples[0]);
  const EvpPkey key = Refer(software);
  const Bytes plain(32, 5);
  for (const auto& [padding, all] :
       {std::pair(RSA_PKCS1_PADDING, false), std::pair(RSA_PKCS1_OAEP_PADDING, false),
        std::pair(RSA_PKCS1_OAEP_PADDING, true)}) {
    const EvpPkeyCtx encrypt(EVP_PKEY_CTX_new_from_pkey(ctx_.get(), key.get(), nullptr));
    ASSERT_EQ(EVP_PKEY_encrypt_init(encrypt.get()), 1);
    EXPECT_STREQ(OSSL_PROVIDER_get0_name(EVP_PKEY_CTX_get0_provider(encrypt.get())), "keyclave");
    Set(encrypt.get(), padding, all);
    Bytes sealed(256);
    size_t size = sealed.size();
    ASSERT_EQ(EVP_PKEY_encrypt(encrypt.get(), sealed.data(), &size, plain.data(), plain.size()), 1);
    const EvpPkeyCtx decrypt(EVP_PKEY_CTX_new_from_pkey(ctx_.get(), software.get(), nullptr));
    ASSERT_EQ(EVP_PKEY_decrypt_init(decrypt.get()), 1);
    Set(decrypt.get(), padding, all);
    Bytes opened(256);
    size = opened.size();
    ASSERT_EQ(EVP_PKEY_decrypt(decrypt.get(), opened.data(), &size, sealed.data(), sealed.size()),
              1);
    opened.resize(size);
    EXPECT_EQ(opened, plain);
    EXPECT_THAT(TakeErrors(), IsEmpty());
  }
}

TEST_F(CipherTest, AsksTheEnclaveOnlyToDecrypt) {
  const EvpPkey key = Refer(Generate(kSamples[0]));
  const EvpPkeyCtx decrypt(EVP_PKEY_CTX_new_from_pkey(ctx_.get(), key.get(), nullptr));
  ASSERT_EQ(EVP_PKEY_decrypt_init(decrypt.get()), 1);
  const Bytes sealed(256, 1);
  size_t size = 0;
  ASSERT_EQ(EVP_PKEY_decrypt(decrypt.get(), nullptr, &size, sealed.data(), sealed.size()), 1);
  EXPECT_EQ(size, 256U);
  EXPECT_THAT(TakeErrors(), IsEmpty());
  Bytes out(size);
  EXPECT_NE(EVP_PKEY_decrypt(decrypt.get(), out.data(), &size, sealed.data(), sealed.size()), 1);
  EXPECT_THAT(TakeErrors(), SizeIs(1));
  EXPECT_NE(EVP_PKEY_CTX_set_rsa_padding(decrypt.get(), RSA_NO_PADDING), 1);
  EXPECT_EQ(EVP_PKEY_CTX_set_rsa_padding(decrypt.get(), RSA_PKCS1_WITH_TLS_PADDING), 1);
  // TLS padding without the client's version, and with a buffer that is too short.
  EXPECT_NE(EVP_PKEY_decrypt(decrypt.get(), out.data(), &size, sealed.data(), sealed.size()), 1);
  size = 47;
  EXPECT_NE(EVP_PKEY_decrypt(decrypt.get(), out.data(), &size, sealed.data(), sealed.size()), 1);
}

TEST_F(CipherTest, ElliptcCurveKeysDoNotDecrypt) {
  const EvpPkey key = Refer(Generate(kSamples[2]));
  const EvpPkeyCtx decrypt(EVP_PKEY_CTX_new_from_pkey(ctx_.get(), key.get(), nullptr));
  EXPECT_NE(EVP_PKEY_decrypt_init(decrypt.get()), 1);
}

// What `write` writes into memory.
template <class Write>
std::string Written(Write write) {
  const Bio bio(BIO_new(BIO_s_mem()));
  EXPECT_EQ(write(bio.get()), 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<size_t>(size)};
}

TEST_P(EachKey, WritesItsPublicHalfAsSoftwareDoes) {
  const EvpPkey software = Generate(GetParam());
  const EvpPkey key = Refer(software);
  EXPECT_EQ(Spki(key), Spki(software));
  for (const bool pem : {true, false}) {
    const auto write = [&](const EvpPkey& from) {
      return Written([&](BIO* out) {
        return pem ? PEM_write_bio_PUBKEY_ex(out, from.get(), ctx_.get(), nullptr)
                   : i2d_PUBKEY_bio(out, from.get());
      });
    };
    EXPECT_EQ(write(key), write(software));
  }
  const auto text = [&](const EvpPkey& from) {
    return Written([&](BIO* out) { return EVP_PKEY_print_public(out, from.get(), 0, nullptr); });
  };
  EXPECT_EQ(text(key), text(software));
  EXPECT_THAT(TakeErrors(), IsEmpty());
}

TEST_P(EachKey, WritesAReferenceForItsPrivateHalf) {
  const EvpPkey software = Generate(GetParam());
  const EvpPkey key = Refer(software);
  const std::string pem = Written([&](BIO* out) {
    return PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  EXPECT_EQ(pem, Pem(software));
  EXPECT_EQ(EVP_PKEY_eq(Read(pem).get(), software.get()), 1);
  const std::string text =
      Written([&](BIO* out) { return EVP_PKEY_print_private(out, key.get(), 0, nullptr); });
  EXPECT_THAT(text, HasSubstr("pkcs11:token=edge;id=%01%02;object=www;type=private\n"));
  EXPECT_THAT(text, Not(HasSubstr("x-keyclave-spki")));
  EXPECT_THAT(TakeErrors(), IsEmpty());
}

TEST_F(ProviderTest, NeverWritesAPinOrAnEncryptedReference) {
  const EvpPkey software = Generate(kSamples[2]);
  const EvpPkey key =
      Read(client::EncodeKeyReferencePem(Uri(software) + "&pin-value=4711").value());
  ASSERT_NE(key, nullptr);
  const std::string pem = Written([&](BIO* out) {
    return PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  EXPECT_EQ(pem, Pem(software));
  const Bio out(BIO_new(BIO_s_mem()));
  char password[] = "password";
  EXPECT_NE(PEM_write_bio_PrivateKey(out.get(), key.get(), EVP_aes_128_cbc(), nullptr, 0, nullptr,
                                     password),
            1);
  EXPECT_EQ(BIO_ctrl_pending(out.get()), 0U);
}

}  // namespace
}  // namespace keyclave::ossl
