// A library context with `default` and this provider in it, keys in software, and references to
// them as if the enclave had them. Nothing here reaches a daemon: KEYCLAVE_CONFIG names no file.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <span>

#include "enclave/client/key_reference.h"
#include "ossl_provider/evp.h"

extern "C" int OSSL_provider_init(const OSSL_CORE_HANDLE* handle, const OSSL_DISPATCH* in,
                                  const OSSL_DISPATCH** out, void** provctx);

namespace keyclave::ossl {

using Bio = std::unique_ptr<BIO, Free<BIO_free>>;
using MdCtx = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;

// Since 3.4 libcrypto itself notes each time that a provider's signature function has failed, with
// no more to say than that; bad signatures are noted so, too.
inline constexpr int kProviderFailed = 234;  // EVP_R_PROVIDER_SIGNATURE_FAILURE

// The texts of the error queue, oldest first and without those notes; the queue is empty
// afterwards.
inline std::vector<std::string> TakeErrors() {
  std::vector<std::string> texts;
  const char* data = nullptr;
  int flags = 0;
  while (const unsigned long code = ERR_get_error_all(nullptr, nullptr, nullptr, &data, &flags)) {
    if (ERR_GET_LIB(code) == ERR_LIB_EVP && ERR_GET_REASON(code) == kProviderFailed) continue;
    char text[512];
    ERR_error_string_n(code, text, sizeof(text));
    texts.push_back(std::string(text) + ": " + ((flags & ERR_TXT_STRING) != 0 ? data : ""));
  }
  return texts;
}

// One row: how to make a software key of a type.
struct Sample {
  const char* name;   // KEYMGMT name
  const char* alias;  // what libssl asks EVP_PKEY_is_a
  const char* group;  // EC only
  int bits;
};
inline void PrintTo(const Sample& sample, std::ostream* out) {
  *out << sample.name << (sample.group != nullptr ? sample.group : "");
}
inline constexpr Sample kSamples[] = {
    {"RSA", "rsaEncryption", nullptr, 2048},
    {"RSA-PSS", "RSASSA-PSS", nullptr, 2048},
    {"EC", "id-ecPublicKey", "P-256", 256},
    {"EC", "1.2.840.10045.2.1", "P-384", 384},
    {"EC", "id-ecPublicKey", "P-521", 521},
    {"EC", "EC", "secp256k1", 256},
    {"SM2", "1.2.156.10197.1.301", nullptr, 256},
    {"ED25519", "1.3.101.112", nullptr, 256},
    {"ED448", "ED448", nullptr, 456},
    {"X25519", "X25519", nullptr, 253},
    {"X448", "1.3.101.111", nullptr, 448},
    // OpenSSL 3.5:
    {"ML-DSA-44", "id-ml-dsa-44", nullptr, 10496},
    {"ML-DSA-65", "MLDSA65", nullptr, 15616},
    {"ML-DSA-87", "id-ml-dsa-87", nullptr, 20736},
    {"ML-KEM-768", "id-alg-ml-kem-768", nullptr, 768},
    {"SLH-DSA-SHA2-128f", "id-slh-dsa-sha2-128f", nullptr, 256},
    {"SLH-DSA-SHAKE-128f", "id-slh-dsa-shake-128f", nullptr, 256}};
inline constexpr size_t kFirstOf35 = 11;
// Those that the libcrypto of this process has.
inline std::span<const Sample> Samples() {
  const bool all = OpenSSL_version_num() >= 0x30500000UL;
  return std::span(kSamples).first(all ? std::size(kSamples) : kFirstOf35);
}
inline const Sample& SampleOf(std::string_view name) {
  return *std::find_if(std::begin(kSamples), std::end(kSamples), [&](const Sample& sample) {
    return name == (sample.group != nullptr ? sample.group : sample.name);
  });
}
inline std::string SampleName(const ::testing::TestParamInfo<Sample>& info) {
  std::string name = info.param.group != nullptr ? info.param.group : info.param.name;
  std::erase(name, '-');
  return name;
}

class ProviderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("KEYCLAVE_CONFIG", "/nowhere/client.yaml", 1);
    ERR_clear_error();
    ctx_.reset(OSSL_LIB_CTX_new());
    ASSERT_EQ(OSSL_PROVIDER_add_builtin(ctx_.get(), "keyclave", OSSL_provider_init), 1);
    default_.reset(OSSL_PROVIDER_load(ctx_.get(), "default"));
    keyclave_.reset(OSSL_PROVIDER_load(ctx_.get(), "keyclave"));
    ASSERT_NE(keyclave_, nullptr);
    EXPECT_THAT(TakeErrors(), ::testing::IsEmpty());
  }

  // The n-th call of a test for one sample gives the n-th key; all tests share them, because making
  // RSA keys is slow.
  EvpPkey Generate(const Sample& sample) {
    static auto& made = *new std::map<std::pair<std::string, int>, Bytes>();
    const std::string kind = sample.group != nullptr ? sample.group : sample.name;
    const int number = made_[kind]++;
    Bytes& der = made[{kind, number}];
    if (der.empty()) der = MakeKey(sample);
    const unsigned char* in = der.data();
    EvpPkey key(d2i_AutoPrivateKey_ex(nullptr, &in, static_cast<long>(der.size()), ctx_.get(),
                                      "provider=default"));
    EXPECT_NE(key, nullptr);
    return key;
  }

  static Bytes Spki(const EvpPkey& key) {
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(key.get(), &der);
    const Memory owned(der);
    return ToBytes(FromC(der, static_cast<size_t>(size)));
  }

  static std::string Uri(const EvpPkey& key) {
    wire::ObjectRef ref;
    ref.token_label = "edge";
    ref.label = "www";
    ref.cka_id = Bytes{1, 2};
    ref.object_class = CKO_PRIVATE_KEY;
    return client::MakeUri(ref, Spki(key)).value();
  }
  static std::string Pem(const EvpPkey& key) {
    return client::EncodeKeyReferencePem(Uri(key)).value();
  }

  EvpPkey Read(std::string_view pem) {
    const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    return EvpPkey(
        PEM_read_bio_PrivateKey_ex(bio.get(), nullptr, nullptr, nullptr, ctx_.get(), nullptr));
  }
  // The software key as if it were the enclave's.
  EvpPkey Refer(const EvpPkey& key) {
    EvpPkey made = Read(Pem(key));
    EXPECT_NE(made, nullptr);
    EXPECT_THAT(TakeErrors(), ::testing::IsEmpty());
    return made;
  }

  static Bytes MakeKey(const Sample& sample) {
    const EvpPkeyCtx gen(EVP_PKEY_CTX_new_from_name(nullptr, sample.name, nullptr));
    EXPECT_EQ(EVP_PKEY_keygen_init(gen.get()), 1);
    if (sample.group != nullptr) {
      EXPECT_EQ(EVP_PKEY_CTX_set_group_name(gen.get(), sample.group), 1);
    } else if (std::string_view(sample.name).starts_with("RSA")) {
      EXPECT_EQ(EVP_PKEY_CTX_set_rsa_keygen_bits(gen.get(), sample.bits), 1);
    }
    EVP_PKEY* key = nullptr;
    EXPECT_EQ(EVP_PKEY_generate(gen.get(), &key), 1);
    const EvpPkey owned(key);
    unsigned char* der = nullptr;
    const int size = i2d_PrivateKey(key, &der);
    const Memory memory(der);
    return ToBytes(FromC(der, static_cast<size_t>(size)));
  }

  std::map<std::string, int> made_;
  LibCtx ctx_;
  OwnProvider default_;
  OwnProvider keyclave_;
};

class EachKey : public ProviderTest, public ::testing::WithParamInterface<Sample> {};

}  // namespace keyclave::ossl
