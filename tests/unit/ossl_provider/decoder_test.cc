#include <openssl/decoder.h>
#include <openssl/store.h>

#include <fstream>

#include "tests/unit/ossl_provider/provider_fixture.h"

namespace keyclave::ossl {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class DecoderTest : public ProviderTest {
 protected:
  static std::string SoftwarePem(const EvpPkey& key) {
    const Bio bio(BIO_new(BIO_s_mem()));
    EXPECT_EQ(PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr),
              1);
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    return {text, static_cast<size_t>(size)};
  }
  static const char* ProviderOf(const EvpPkey& key) {
    return OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key.get()));
  }
  // All private keys that OSSL_STORE finds in a file or under a URI.
  std::vector<EvpPkey> Load(const std::string& uri, int expect = OSSL_STORE_INFO_PKEY) {
    std::vector<EvpPkey> keys;
    OSSL_STORE_CTX* store = OSSL_STORE_open_ex(uri.c_str(), ctx_.get(), nullptr, nullptr, nullptr,
                                               nullptr, nullptr, nullptr);
    if (store == nullptr) return keys;
    OSSL_STORE_expect(store, expect);
    while (OSSL_STORE_eof(store) == 0) {
      OSSL_STORE_INFO* info = OSSL_STORE_load(store);
      if (info == nullptr) continue;
      if (OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
        keys.emplace_back(OSSL_STORE_INFO_get1_PKEY(info));
      OSSL_STORE_INFO_free(info);
    }
    OSSL_STORE_close(store);
    return keys;
  }
  std::string File(const std::string& name, std::string_view content) {
    std::string path = ::testing::TempDir() + "/" + name;
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
};

TEST_F(DecoderTest, ReadsDerReferences) {
  for (const Sample& sample : Samples()) {
    const EvpPkey software = Generate(sample);
    const Bytes der = client::EncodeKeyReference(Uri(software)).value();
    EVP_PKEY* made = nullptr;
    OSSL_DECODER_CTX* decoder = OSSL_DECODER_CTX_new_for_pkey(
        &made, "DER", nullptr, nullptr, EVP_PKEY_KEYPAIR, ctx_.get(), nullptr);
    const unsigned char* data = der.data();
    size_t size = der.size();
    EXPECT_EQ(OSSL_DECODER_from_data(decoder, &data, &size), 1) << sample.name;
    OSSL_DECODER_CTX_free(decoder);
    const EvpPkey key(made);
    ASSERT_NE(key, nullptr);
    EXPECT_EQ(EVP_PKEY_eq(key.get(), software.get()), 1);
    EXPECT_THAT(TakeErrors(), IsEmpty());
  }
}

TEST_F(DecoderTest, LeavesOtherKeysToOthers) {
  for (const Sample& sample : Samples()) {
    const EvpPkey software = Generate(sample);
    const EvpPkey read = Read(SoftwarePem(software));
    ASSERT_NE(read, nullptr);
    EXPECT_STREQ(ProviderOf(read), "default");
    EXPECT_THAT(TakeErrors(), IsEmpty());
  }
}

TEST_F(DecoderTest, SaysNothingOfItsOwnAboutGarbage) {
  for (const char* text :
       {"", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}) {
    EXPECT_EQ(Read(text), nullptr);
    EXPECT_THAT(TakeErrors(), Each(Not(HasSubstr("keyclave"))));
  }
}

TEST_F(DecoderTest, FindsTheReferenceBehindOtherPemBlocks) {
  const EvpPkey software = Generate(kSamples[2]);
  const std::string other =
      "-----BEGIN SOMETHING ELSE-----\nAAAA\n-----END SOMETHING ELSE-----\n# a comment\n";
  const EvpPkey key = Read(other + Pem(software) + other);
  ASSERT_NE(key, nullptr);
  EXPECT_STREQ(ProviderOf(key), "keyclave");
}

TEST_F(DecoderTest, StoreReadsAFileOfSeveralKeys) {
  const EvpPkey one = Generate(kSamples[2]);
  const EvpPkey two = Generate(kSamples[0]);
  const auto keys = Load(File("several.pem", Pem(one) + SoftwarePem(two) + Pem(two)));
  EXPECT_THAT(TakeErrors(), IsEmpty());
  ASSERT_THAT(keys, SizeIs(3));
  EXPECT_STREQ(ProviderOf(keys[0]), "keyclave");
  EXPECT_STREQ(ProviderOf(keys[1]), "default");
  EXPECT_STREQ(ProviderOf(keys[2]), "keyclave");
  EXPECT_EQ(EVP_PKEY_eq(keys[0].get(), one.get()), 1);
  EXPECT_EQ(EVP_PKEY_eq(keys[2].get(), two.get()), 1);
}

TEST_F(DecoderTest, StoreReadsADerFile) {
  const EvpPkey software = Generate(kSamples[0]);
  const Bytes der = client::EncodeKeyReference(Uri(software)).value();
  const auto keys = Load(File("reference.der", AsText(der)));
  ASSERT_THAT(keys, SizeIs(1));
  EXPECT_EQ(EVP_PKEY_eq(keys[0].get(), software.get()), 1);
  EXPECT_THAT(TakeErrors(), IsEmpty());
}

TEST_F(DecoderTest, StoreTakesBothSchemes) {
  const EvpPkey software = Generate(kSamples[2]);
  const std::string uri = Uri(software);
  for (const std::string& text : {uri, "keyclave" + uri.substr(uri.find(':'))}) {
    const auto keys = Load(text);
    ASSERT_THAT(keys, SizeIs(1)) << text;
    EXPECT_EQ(EVP_PKEY_eq(keys[0].get(), software.get()), 1);
    EXPECT_THAT(TakeErrors(), IsEmpty());
  }
}

TEST_F(DecoderTest, StoreRefusesBadUris) {
  EXPECT_THAT(Load("pkcs11:tokn=edge?pin-value=4711"), IsEmpty());
  // OpenSSL's own file loader repeats what it could not open; this provider does not.
  EXPECT_THAT(TakeErrors(), AllOf(Contains(AllOf(HasSubstr("keyclave:"), HasSubstr("RFC 7512"))),
                                  Each(Not(AllOf(HasSubstr("keyclave:"), HasSubstr("4711"))))));
  const std::string uri = Uri(Generate(kSamples[2]));
  for (const char* type : {"data", "secret-key"}) {
    std::string other = uri;
    other.replace(other.find("type=private"), 12, std::string("type=") + type);
    EXPECT_THAT(Load(other), IsEmpty()) << type;
    EXPECT_THAT(TakeErrors(), Contains(HasSubstr("keyclave"))) << type;
  }
}

// Every damage of a reference that is still its own is an error that names the provider; no damage
// makes another key of it.
TEST_F(DecoderTest, RefusesDamagedPublicKeys) {
  const EvpPkey software = Generate(kSamples[2]);
  wire::ObjectRef ref;
  ref.token_label = "edge";
  const Bytes spki = Spki(software);
  for (size_t size = 1; size < spki.size(); size += 7) {
    const std::string uri = client::MakeUri(ref, ByteSpan(spki).first(size)).value();
    EXPECT_EQ(Read(client::EncodeKeyReferencePem(uri).value()), nullptr) << size;
    EXPECT_THAT(TakeErrors(), Contains(HasSubstr("keyclave"))) << size;
  }
  Bytes longer = spki;
  longer.push_back(0);
  EXPECT_EQ(Read(client::EncodeKeyReferencePem(client::MakeUri(ref, longer).value()).value()),
            nullptr);
}

TEST_F(DecoderTest, WithoutAPublicKeyTheEnclaveIsAskedAndItsAbsenceIsOneError) {
  const std::string pem = client::EncodeKeyReferencePem("pkcs11:token=edge;object=www").value();
  EXPECT_EQ(Read(pem), nullptr);
  const auto errors = TakeErrors();
  std::vector<std::string> ours;
  for (const std::string& error : errors)
    if (error.find("keyclave") != std::string::npos) ours.push_back(error);
  ASSERT_THAT(ours, SizeIs(1));
  EXPECT_THAT(ours[0], AllOf(HasSubstr("/nowhere/client.yaml"), HasSubstr("KEYCLAVE_CONFIG")));
}

}  // namespace
}  // namespace keyclave::ossl
