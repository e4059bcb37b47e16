// Owners' keys: what they sign is what the enclave verifies, whatever their kind.
#include "enclave/ctl/owner_key.h"

#include <gnutls/x509.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "enclave/authz/owner_key.h"
#include "enclave/base/file.h"
#include "enclave/ctl/pkcs11_key.h"

namespace keyclave::ctl {
namespace {

class OwnerKeyTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string path = testing::TempDir() + "keyclave-owner.XXXXXX";
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    directory_ = path;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  OwnerKeySpec Write(const std::string& name, ByteSpan pem) {
    const std::string path = directory_ + "/" + name + std::to_string(count_++);
    EXPECT_TRUE(WriteNewFile(path, pem, 0600).ok());
    return {name, path};
  }
  OwnerKeySpec Make(const std::string& name, OwnerKeyType type) {
    const auto pem = MakeOwnerKey(type);
    EXPECT_TRUE(pem.ok());
    return Write(name, pem->Expose(SecretAccess()));
  }

  std::string directory_;
  int count_ = 0;
};

TEST_F(OwnerKeyTest, EveryKindSignsWhatTheEnclaveVerifies) {
  const Bytes message = ToBytes("statement");
  for (const OwnerKeyType type :
       {OwnerKeyType::kP256, OwnerKeyType::kEd25519, OwnerKeyType::kRsa}) {
    const auto key = OwnerKey::Open(Make("ops", type), {});
    ASSERT_TRUE(key.ok()) << key.error().Text();
    EXPECT_TRUE(authz::CheckOwnerKey(key->spki()).ok());
    const auto signature = key->Sign(message);
    ASSERT_TRUE(signature.ok()) << signature.error().Text();
    EXPECT_TRUE(authz::VerifyOwnerSignature(key->spki(), message, *signature).ok());
    EXPECT_FALSE(authz::VerifyOwnerSignature(key->spki(), ToBytes("another"), *signature).ok());
  }
}

TEST_F(OwnerKeyTest, EnrolmentProvesPossession) {
  const auto key = OwnerKey::Open(Make("ops", OwnerKeyType::kP256), {});
  ASSERT_TRUE(key.ok());
  const auto owner = key->Enrol(std::string(32, 'a'), "edge", wire::OwnerRole::kAuditor);
  ASSERT_TRUE(owner.ok());
  const wire::OwnerEnrolment enrolment{std::string(wire::kOwnerEnrolmentLabel),
                                       std::string(32, 'a'), "edge", owner->owner};
  EXPECT_TRUE(authz::VerifyOwnerSignature(key->spki(), wire::Encode(enrolment), owner->proof).ok());
}

TEST_F(OwnerKeyTest, OtherKindsAreRefused) {
  gnutls_x509_privkey_t raw = nullptr;
  ASSERT_EQ(gnutls_x509_privkey_init(&raw), 0);
  ASSERT_EQ(gnutls_x509_privkey_generate(raw, GNUTLS_PK_ECDSA,
                                         GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1), 0),
            0);
  gnutls_datum_t pem{};
  ASSERT_EQ(gnutls_x509_privkey_export2(raw, GNUTLS_X509_FMT_PEM, &pem), 0);
  const auto key = OwnerKey::Open(Write("ops", FromC(pem.data, pem.size)), {});
  gnutls_free(pem.data);
  gnutls_x509_privkey_deinit(raw);
  EXPECT_EQ(key.code(), Code::kUnsupported);
  EXPECT_EQ(OwnerKey::Open(Write("ops", ToBytes("no key")), {}).code(), Code::kKeyFileInvalid);
  EXPECT_EQ(OwnerKey::Open({"ops", directory_ + "/absent"}, {}).code(), Code::kNotFound);
}

TEST_F(OwnerKeyTest, NamesAndKeysAreDistinct) {
  const OwnerKeySpec ops = Make("ops", OwnerKeyType::kP256);
  const OwnerKeySpec security = Make("security", OwnerKeyType::kEd25519);
  EXPECT_TRUE(OpenOwnerKeys({ops, security}, {}).ok());
  EXPECT_EQ(OpenOwnerKeys({ops, {"ops", security.key}}, {}).code(), Code::kInvalidArgument);
  EXPECT_EQ(OpenOwnerKeys({ops, {"security", ops.key}}, {}).code(), Code::kInvalidArgument);
}

TEST_F(OwnerKeyTest, SpecsNameAnOwnerAndAKey) {
  const auto file = ParseOwnerKeySpec("ops=/root/a=b.pem");
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->name, "ops");
  EXPECT_EQ(file->key, "/root/a=b.pem");
  EXPECT_FALSE(file->IsUri());
  EXPECT_TRUE(ParseOwnerKeySpec("ops=pkcs11:token=a")->IsUri());
  for (const char* bad : {"", "ops", "ops=", "=x", "-ops=x", "o ps=x"})
    EXPECT_EQ(ParseOwnerKeySpec(bad).code(), Code::kInvalidArgument) << bad;
}

TEST_F(OwnerKeyTest, UrisSayWhereAPinIsAndNeverWhatItIs) {
  const auto uri = ParsePkcs11KeyUri(
      "pkcs11:token=vault;object=owner?module-path=/lib/m.so&pin-source=file:/run/pin");
  ASSERT_TRUE(uri.ok()) << uri.error().Text();
  EXPECT_EQ(uri->module_path, "/lib/m.so");
  EXPECT_EQ(uri->pin_file, "/run/pin");
  EXPECT_EQ(uri->uri.find('?'), std::string::npos);
  const auto with_pin = ParsePkcs11KeyUri("pkcs11:token=vault?pin-value=123456");
  EXPECT_EQ(with_pin.code(), Code::kInvalidArgument);
  EXPECT_EQ(with_pin.error().Text().find("123456"), std::string::npos);
  EXPECT_FALSE(ParsePkcs11KeyUri("pkcs11:token=vault?pin-source=|cat").ok());
  EXPECT_FALSE(ParsePkcs11KeyUri("file:/x").ok());
}

}  // namespace
}  // namespace keyclave::ctl
