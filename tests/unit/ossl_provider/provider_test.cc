#include <thread>

#include "tests/unit/ossl_provider/provider_fixture.h"

namespace keyclave::ossl {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(ProviderTest, OffersOnlyWhatNeedsTheKey) {
  int no_cache = -1;
  for (const int operation :
       {OSSL_OP_DIGEST, OSSL_OP_CIPHER, OSSL_OP_MAC, OSSL_OP_KDF, OSSL_OP_RAND}) {
    EXPECT_EQ(OSSL_PROVIDER_query_operation(keyclave_.get(), operation, &no_cache), nullptr);
  }
  for (const int operation :
       {OSSL_OP_KEYMGMT, OSSL_OP_KEYEXCH, OSSL_OP_SIGNATURE, OSSL_OP_ASYM_CIPHER, OSSL_OP_KEM,
        OSSL_OP_STORE, OSSL_OP_DECODER, OSSL_OP_ENCODER}) {
    no_cache = -1;
    const OSSL_ALGORITHM* first =
        OSSL_PROVIDER_query_operation(keyclave_.get(), operation, &no_cache);
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(no_cache, 0);
    // The same table again: libcrypto keeps pointers into it.
    EXPECT_EQ(OSSL_PROVIDER_query_operation(keyclave_.get(), operation, &no_cache), first);
  }
}

TEST_F(ProviderTest, IsThereForContextsThatWereMadeBeforeAnyKey) {
  // Trap: what a query saw before a provider was ready stays hidden for ever.
  EVP_SIGNATURE* signature = EVP_SIGNATURE_fetch(ctx_.get(), "ECDSA", "provider=keyclave");
  EXPECT_NE(signature, nullptr);
  EVP_SIGNATURE_free(signature);
  EVP_KEYMGMT* keymgmt = EVP_KEYMGMT_fetch(ctx_.get(), "id-ecPublicKey", "provider=keyclave");
  EXPECT_NE(keymgmt, nullptr);
  EVP_KEYMGMT_free(keymgmt);
}

TEST_F(ProviderTest, AloneItSaysThatDefaultIsMissing) {
  const std::string pem = Pem(Generate(kSamples[2]));
  const LibCtx alone(OSSL_LIB_CTX_new());
  ASSERT_EQ(OSSL_PROVIDER_add_builtin(alone.get(), "keyclave", OSSL_provider_init), 1);
  const OwnProvider provider(OSSL_PROVIDER_load(alone.get(), "keyclave"));
  ASSERT_NE(provider, nullptr);
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  EXPECT_EQ(PEM_read_bio_PrivateKey_ex(bio.get(), nullptr, nullptr, nullptr, alone.get(), nullptr),
            nullptr);
  EXPECT_THAT(TakeErrors(),
              Contains(AllOf(HasSubstr("keyclave"), HasSubstr("activate the default provider"))));
}

TEST_F(ProviderTest, LoadsTwiceInOneProcess) {
  const LibCtx other(OSSL_LIB_CTX_new());
  ASSERT_EQ(OSSL_PROVIDER_add_builtin(other.get(), "keyclave", OSSL_provider_init), 1);
  const OwnProvider first(OSSL_PROVIDER_load(other.get(), "default"));
  const EvpPkey software = Generate(kSamples[2]);
  {
    const OwnProvider second(OSSL_PROVIDER_load(other.get(), "keyclave"));
    const std::string pem = Pem(software);
    const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    const EvpPkey key(
        PEM_read_bio_PrivateKey_ex(bio.get(), nullptr, nullptr, nullptr, other.get(), nullptr));
    ASSERT_NE(key, nullptr);
    EXPECT_EQ(EVP_PKEY_eq(key.get(), Refer(software).get()), 1);
  }
  EXPECT_NE(Refer(software), nullptr);
}

TEST_F(ProviderTest, AKeyOutlivesTheHandleOfItsProvider) {
  const EvpPkey software = Generate(kSamples[2]);
  const EvpPkey key = Refer(software);
  keyclave_.reset();
  EXPECT_EQ(EVP_PKEY_eq(key.get(), software.get()), 1);
}

TEST_F(ProviderTest, OneKeyServesManyThreads) {
  const EvpPkey software = Generate(kSamples[2]);
  const EvpPkey key = Refer(software);
  const Bytes digest(32, 7);
  Bytes signature(100);
  size_t size = signature.size();
  const EvpPkeyCtx sign(EVP_PKEY_CTX_new_from_pkey(ctx_.get(), software.get(), nullptr));
  ASSERT_EQ(EVP_PKEY_sign_init(sign.get()), 1);
  ASSERT_EQ(EVP_PKEY_sign(sign.get(), signature.data(), &size, digest.data(), digest.size()), 1);
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 25; ++round) {
        const EvpPkeyCtx mine(EVP_PKEY_CTX_new_from_pkey(ctx_.get(), key.get(), nullptr));
        Bytes out(100);
        size_t out_size = out.size();
        const bool verified =
            EVP_PKEY_verify_init(mine.get()) == 1 &&
            EVP_PKEY_verify(mine.get(), signature.data(), size, digest.data(), 32) == 1;
        const bool refused =
            EVP_PKEY_sign_init(mine.get()) == 1 &&
            EVP_PKEY_sign(mine.get(), out.data(), &out_size, digest.data(), 32) != 1;
        // Each thread has its own error, and one only.
        const bool one_error = TakeErrors().size() == 1;
        const bool equal = EVP_PKEY_eq(software.get(), key.get()) == 1;
        if (verified && refused && one_error && equal) ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 8 * 25);
}

TEST_F(ProviderTest, NamesItself) {
  const char* name = nullptr;
  const char* version = nullptr;
  int status = 0;
  OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_ptr("name", const_cast<char**>(&name), 0),
                         OSSL_PARAM_construct_utf8_ptr("version", const_cast<char**>(&version), 0),
                         OSSL_PARAM_construct_int("status", &status), OSSL_PARAM_construct_end()};
  ASSERT_EQ(OSSL_PROVIDER_get_params(keyclave_.get(), params), 1);
  EXPECT_STREQ(name, "Keyclave provider");
  EXPECT_STREQ(version, KEYCLAVE_VERSION);
  EXPECT_EQ(status, 1);
}

TEST_F(ProviderTest, OthersMakeKeysAsBefore) {
  // TLS makes its ephemeral keys by name, without a property query.
  for (const char* name : {"EC", "RSA"}) {
    const EvpPkeyCtx gen(EVP_PKEY_CTX_new_from_name(ctx_.get(), name, nullptr));
    ASSERT_NE(gen, nullptr);
    ASSERT_EQ(EVP_PKEY_keygen_init(gen.get()), 1) << name;
    EXPECT_STREQ(OSSL_PROVIDER_get0_name(EVP_PKEY_CTX_get0_provider(gen.get())), "default");
  }
  EXPECT_THAT(TakeErrors(), IsEmpty());
}

TEST_F(ProviderTest, InFrontOfDefaultItSaysSoWhenKeysAreMade) {
  const LibCtx other(OSSL_LIB_CTX_new());
  ASSERT_EQ(OSSL_PROVIDER_add_builtin(other.get(), "keyclave", OSSL_provider_init), 1);
  const OwnProvider first(OSSL_PROVIDER_load(other.get(), "keyclave"));
  const OwnProvider second(OSSL_PROVIDER_load(other.get(), "default"));
  const EvpPkeyCtx gen(EVP_PKEY_CTX_new_from_name(other.get(), "EC", nullptr));
  ASSERT_NE(gen, nullptr);
  ASSERT_EQ(EVP_PKEY_keygen_init(gen.get()), 1);
  ASSERT_EQ(EVP_PKEY_CTX_set_group_name(gen.get(), "P-256"), 1);
  EVP_PKEY* made = nullptr;
  EXPECT_NE(EVP_PKEY_generate(gen.get(), &made), 1);
  EXPECT_EQ(made, nullptr);
  EXPECT_THAT(TakeErrors(), Contains(AllOf(HasSubstr("keyclave"), HasSubstr("before keyclave"))));
}

}  // namespace
}  // namespace keyclave::ossl
