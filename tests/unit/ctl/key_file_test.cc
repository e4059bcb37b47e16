// Private key files as `keyclave key import` reads them: every form, and every way to be cut short.
#include "enclave/ctl/key_file.h"

#include <gnutls/x509.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::ctl {
namespace {

Result<SecretBytes> NoPassphrase() { return Fail(Code::kInternal, "nothing was encrypted"); }
Result<SecretBytes> Passphrase(std::string_view text) { return SecretBytes::CopyOf(AsBytes(text)); }

class KeyFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string path = testing::TempDir() + "keyclave-keyfile.XXXXXX";
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    directory_ = path;
    ASSERT_EQ(gnutls_x509_privkey_init(&ec_), 0);
    ASSERT_EQ(gnutls_x509_privkey_generate(ec_, GNUTLS_PK_ECDSA,
                                           GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
              0);
  }
  void TearDown() override {
    gnutls_x509_privkey_deinit(ec_);
    std::filesystem::remove_all(directory_);
  }

  std::string Write(ByteSpan content) {
    const std::string path = directory_ + "/key" + std::to_string(count_++);
    std::ofstream(path, std::ios::binary) << AsText(content);
    return path;
  }
  Bytes Export(gnutls_x509_crt_fmt_t format, const char* password, unsigned flags) {
    gnutls_datum_t out{};
    EXPECT_EQ(gnutls_x509_privkey_export2_pkcs8(ec_, format, password, flags, &out), 0);
    Bytes bytes = ToBytes({out.data, out.size});
    gnutls_free(out.data);
    return bytes;
  }
  Bytes ExportPlain(gnutls_x509_crt_fmt_t format) {
    gnutls_datum_t out{};
    EXPECT_EQ(gnutls_x509_privkey_export2(ec_, format, &out), 0);
    Bytes bytes = ToBytes({out.data, out.size});
    gnutls_free(out.data);
    return bytes;
  }

  std::string directory_;
  int count_ = 0;
  gnutls_x509_privkey_t ec_ = nullptr;
};

TEST_F(KeyFile, ReadsEveryFormToTheSameKey) {
  const Bytes expected = Export(GNUTLS_X509_FMT_DER, nullptr, GNUTLS_PKCS_PLAIN);
  const Bytes forms[] = {expected, Export(GNUTLS_X509_FMT_PEM, nullptr, GNUTLS_PKCS_PLAIN),
                         ExportPlain(GNUTLS_X509_FMT_PEM), ExportPlain(GNUTLS_X509_FMT_DER)};
  for (const Bytes& form : forms) {
    const auto key = ReadPrivateKey(Write(form), NoPassphrase);
    ASSERT_TRUE(key.ok()) << key.error().Text();
    EXPECT_EQ(key->attributes.Ulong(CKA_KEY_TYPE), CKK_EC);
    EXPECT_EQ(key->pkcs8, SecretBytes::CopyOf(expected));
  }
}

TEST_F(KeyFile, AsksForThePassphraseOfEncryptedFilesOnly) {
  for (const auto format : {GNUTLS_X509_FMT_PEM, GNUTLS_X509_FMT_DER}) {
    const std::string path = Write(Export(format, "correct", GNUTLS_PKCS_PBES2_AES_256));
    const auto right = ReadPrivateKey(path, [] { return Passphrase("correct"); });
    EXPECT_TRUE(right.ok()) << right.error().Text();
    const auto wrong = ReadPrivateKey(path, [] { return Passphrase("wrong"); });
    ASSERT_FALSE(wrong.ok());
    EXPECT_EQ(wrong.code(), Code::kKeyFileInvalid);
    EXPECT_NE(wrong.error().detail().find("passphrase"), std::string::npos);
  }
}

TEST_F(KeyFile, RefusesEveryTruncationOfDer) {
  const Bytes whole = Export(GNUTLS_X509_FMT_DER, nullptr, GNUTLS_PKCS_PLAIN);
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto key = ReadPrivateKey(Write(ByteSpan(whole).first(size)), NoPassphrase);
    ASSERT_FALSE(key.ok()) << size;
    EXPECT_EQ(key.code(), Code::kKeyFileInvalid) << size << ": " << key.error().Text();
  }
}

TEST_F(KeyFile, RefusesBytesAfterTheEndOfDer) {
  Bytes longer = Export(GNUTLS_X509_FMT_DER, nullptr, GNUTLS_PKCS_PLAIN);
  longer.push_back(0);
  const auto key = ReadPrivateKey(Write(longer), NoPassphrase);
  ASSERT_FALSE(key.ok());
  EXPECT_EQ(key.code(), Code::kKeyFileInvalid);
}

TEST_F(KeyFile, SaysThatAPemFileIsCutShort) {
  const Bytes whole = Export(GNUTLS_X509_FMT_PEM, nullptr, GNUTLS_PKCS_PLAIN);
  const size_t end = AsText(whole).find("-----END");
  ASSERT_NE(end, std::string_view::npos);
  const auto key = ReadPrivateKey(Write(ByteSpan(whole).first(end)), NoPassphrase);
  ASSERT_FALSE(key.ok());
  EXPECT_EQ(key.code(), Code::kKeyFileInvalid);
  EXPECT_NE(key.error().detail().find("cut short"), std::string::npos);
}

TEST_F(KeyFile, SaysThatAFileHoldsNoPrivateKey) {
  const auto key = ReadPrivateKey(
      Write(AsBytes("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")),
      NoPassphrase);
  ASSERT_FALSE(key.ok());
  EXPECT_NE(key.error().detail().find("no private key"), std::string::npos);
  EXPECT_EQ(ReadPrivateKey(directory_ + "/absent", NoPassphrase).code(), Code::kNotFound);
}

TEST(Pem, BreaksLinesAt64) {
  EXPECT_EQ(ToPem("X", {}), "-----BEGIN X-----\n-----END X-----\n");
  const Bytes bytes(49, 0);
  EXPECT_EQ(ToPem("X", bytes),
            "-----BEGIN X-----\n" + std::string(64, 'A') + "\nAA==\n-----END X-----\n");
}

}  // namespace
}  // namespace keyclave::ctl
