// Signature algorithms that are fetched by name, with the digest in it ("RSA-SHA2-256"), and
// messages signed through them: libcrypto has the functions since 3.4, so these tests are there
// where its headers are, and have that in their name.

#include <openssl/core_names.h>
#include <openssl/opensslv.h>

#include "tests/unit/ossl_provider/provider_fixture.h"

#if OPENSSL_VERSION_PREREQ(3, 4)

namespace keyclave::ossl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::string_view kMessage = "what is signed";

using Signature = std::unique_ptr<EVP_SIGNATURE, Free<EVP_SIGNATURE_free>>;

struct Composite {
  const char* name;
  const char* alias;
  const char* sample;
  const char* digest;  // none: the algorithm takes messages only
};
void PrintTo(const Composite& one, std::ostream* out) { *out << one.name; }

const Composite kComposites[] = {
    {"RSA-SHA1", "sha1WithRSAEncryption", "RSA", "SHA1"},
    {"RSA-SHA2-224", "RSA-SHA224", "RSA", "SHA224"},
    {"RSA-SHA2-256", "1.2.840.113549.1.1.11", "RSA", "SHA256"},
    {"RSA-SHA2-384", "RSA-SHA384", "RSA", "SHA384"},
    {"RSA-SHA2-512", "sha512WithRSAEncryption", "RSA", "SHA512"},
    {"RSA-SHA3-224", "id-rsassa-pkcs1-v1_5-with-sha3-224", "RSA", "SHA3-224"},
    {"RSA-SHA3-256", "2.16.840.1.101.3.4.3.14", "RSA", "SHA3-256"},
    {"RSA-SHA3-384", "id-rsassa-pkcs1-v1_5-with-sha3-384", "RSA", "SHA3-384"},
    {"RSA-SHA3-512", "id-rsassa-pkcs1-v1_5-with-sha3-512", "RSA", "SHA3-512"},
    {"ECDSA-SHA1", "ecdsa-with-SHA1", "P-256", "SHA1"},
    {"ECDSA-SHA2-224", "ECDSA-SHA224", "P-521", "SHA224"},
    {"ECDSA-SHA2-256", "ecdsa-with-SHA256", "P-256", "SHA256"},
    {"ECDSA-SHA2-384", "1.2.840.10045.4.3.3", "P-384", "SHA384"},
    {"ECDSA-SHA2-512", "ECDSA-SHA512", "P-521", "SHA512"},
    {"ECDSA-SHA3-224", "ecdsa_with_SHA3-224", "P-256", "SHA3-224"},
    {"ECDSA-SHA3-256", "id-ecdsa-with-sha3-256", "secp256k1", "SHA3-256"},
    {"ECDSA-SHA3-384", "2.16.840.1.101.3.4.3.11", "P-384", "SHA3-384"},
    {"ECDSA-SHA3-512", "ecdsa_with_SHA3-512", "P-256", "SHA3-512"},
    {"ED25519", "1.3.101.112", "ED25519", nullptr},
    {"ED448", "1.3.101.113", "ED448", nullptr},
    // OpenSSL 3.5:
    {"ML-DSA-65", "id-ml-dsa-65", "ML-DSA-65", nullptr},
    {"SLH-DSA-SHA2-128f", "id-slh-dsa-sha2-128f", "SLH-DSA-SHA2-128f", nullptr},
};
std::vector<Composite> Composites(bool with_messages_only) {
  std::vector<Composite> list;
  for (const Composite& one : kComposites) {
    if (&SampleOf(one.sample) < Samples().data() + Samples().size() &&
        (one.digest != nullptr || with_messages_only)) {
      list.push_back(one);
    }
  }
  return list;
}
std::string CompositeName(const ::testing::TestParamInfo<Composite>& info) {
  std::string name = info.param.name;
  std::erase(name, '-');
  return name;
}

class Since34 : public ProviderTest, public ::testing::WithParamInterface<Composite> {
 protected:
  Signature Fetch(const char* name) {
    Signature algorithm(EVP_SIGNATURE_fetch(ctx_.get(), name, "provider=keyclave"));
    EXPECT_NE(algorithm, nullptr) << name;
    return algorithm;
  }
  EvpPkeyCtx ContextOf(const EvpPkey& key) {
    return EvpPkeyCtx(EVP_PKEY_CTX_new_from_pkey(ctx_.get(), key.get(), "provider=keyclave"));
  }
  Bytes SignInSoftware(const EvpPkey& key, const char* digest) {
    const MdCtx md(EVP_MD_CTX_new());
    EXPECT_EQ(
        EVP_DigestSignInit_ex(md.get(), nullptr, digest, ctx_.get(), nullptr, key.get(), nullptr),
        1);
    Bytes signature(size_t{1} << 16);
    size_t size = signature.size();
    EXPECT_EQ(EVP_DigestSign(md.get(), signature.data(), &size, AsBytes(kMessage).data(),
                             kMessage.size()),
              1);
    signature.resize(size);
    return signature;
  }
  Bytes DigestOf(std::string_view message, const char* digest) {
    Bytes out(EVP_MAX_MD_SIZE);
    size_t size = 0;
    EXPECT_EQ(EVP_Q_digest(ctx_.get(), digest, nullptr, message.data(), message.size(), out.data(),
                           &size),
              1);
    out.resize(size);
    return out;
  }
  // The step that needs the enclave, which is not there.
  static void ExpectOneErrorOfTheEnclave() {
    const auto errors = TakeErrors();
    ASSERT_THAT(errors, SizeIs(1));
    EXPECT_THAT(errors[0], AllOf(HasSubstr("keyclave"), HasSubstr("/nowhere/client.yaml")));
  }
};
class DigestsSince34 : public Since34 {};

INSTANTIATE_TEST_SUITE_P(All, Since34, ::testing::ValuesIn(Composites(true)), CompositeName);
INSTANTIATE_TEST_SUITE_P(All, DigestsSince34, ::testing::ValuesIn(Composites(false)),
                         CompositeName);

TEST_P(Since34, VerifiesMessages) {
  const Composite& one = GetParam();
  const EvpPkey software = Generate(SampleOf(one.sample));
  const EvpPkeyCtx verify = ContextOf(Refer(software));
  const Bytes signature = SignInSoftware(software, one.digest);
  for (const char* name : {one.name, one.alias}) {
    const Signature algorithm = Fetch(name);
    for (const auto& [message, good] : {std::pair{kMessage, true}, {"something else", false}}) {
      ASSERT_EQ(EVP_PKEY_verify_message_init(verify.get(), algorithm.get(), nullptr), 1);
      EXPECT_EQ(EVP_PKEY_verify(verify.get(), signature.data(), signature.size(),
                                AsBytes(message).data(), message.size()) == 1,
                good);
    }
  }
  EXPECT_THAT(TakeErrors(), IsEmpty());
}

TEST_P(Since34, VerifiesMessagesPieceByPiece) {
  const Composite& one = GetParam();
  const EvpPkey software = Generate(SampleOf(one.sample));
  const EvpPkeyCtx verify = ContextOf(Refer(software));
  const Signature algorithm = Fetch(one.name);
  Bytes signature = SignInSoftware(software, one.digest);
  for (const bool good : {true, false}) {
    signature[signature.size() / 2] ^= good ? 0 : 1;
    ASSERT_EQ(EVP_PKEY_verify_message_init(verify.get(), algorithm.get(), nullptr), 1);
    ASSERT_EQ(EVP_PKEY_CTX_set_signature(verify.get(), signature.data(), signature.size()), 1);
    for (const uint8_t byte : AsBytes(kMessage)) {
      ASSERT_EQ(EVP_PKEY_verify_message_update(verify.get(), &byte, 1), 1);
    }
    EXPECT_EQ(EVP_PKEY_verify_message_final(verify.get()) == 1, good);
  }
  EXPECT_THAT(TakeErrors(), IsEmpty());
}

TEST_P(Since34, AsksTheEnclaveOnlyForTheSignatureOfAMessage) {
  const Composite& one = GetParam();
  const EvpPkey key = Refer(Generate(SampleOf(one.sample)));
  const EvpPkeyCtx sign = ContextOf(key);
  const Signature algorithm = Fetch(one.name);
  const ByteSpan message = AsBytes(kMessage);
  ASSERT_EQ(EVP_PKEY_sign_message_init(sign.get(), algorithm.get(), nullptr), 1);
  size_t size = 0;
  ASSERT_EQ(EVP_PKEY_sign(sign.get(), nullptr, &size, message.data(), message.size()), 1);
  EXPECT_EQ(size, static_cast<size_t>(EVP_PKEY_get_size(key.get())));
  EXPECT_THAT(TakeErrors(), IsEmpty());
  Bytes out(size);
  EXPECT_NE(EVP_PKEY_sign(sign.get(), out.data(), &size, message.data(), message.size()), 1);
  ExpectOneErrorOfTheEnclave();

  ASSERT_EQ(EVP_PKEY_sign_message_init(sign.get(), algorithm.get(), nullptr), 1);
  ASSERT_EQ(EVP_PKEY_sign_message_update(sign.get(), message.data(), message.size()), 1);
  size = 0;
  ASSERT_EQ(EVP_PKEY_sign_message_final(sign.get(), nullptr, &size), 1);
  EXPECT_EQ(size, out.size());
  EXPECT_THAT(TakeErrors(), IsEmpty());
  EXPECT_NE(EVP_PKEY_sign_message_final(sign.get(), out.data(), &size), 1);
  ExpectOneErrorOfTheEnclave();
}

TEST_P(Since34, RefusesKeysOfOtherTypes) {
  const Composite& one = GetParam();
  const EvpPkeyCtx sign = ContextOf(Refer(Generate(SampleOf("X25519"))));
  const Signature algorithm = Fetch(one.name);
  EXPECT_NE(EVP_PKEY_sign_message_init(sign.get(), algorithm.get(), nullptr), 1);
  EXPECT_NE(EVP_PKEY_verify_message_init(sign.get(), algorithm.get(), nullptr), 1);
}

TEST_P(DigestsSince34, AreVerified) {
  const Composite& one = GetParam();
  const EvpPkey software = Generate(SampleOf(one.sample));
  const EvpPkeyCtx verify = ContextOf(Refer(software));
  const Signature algorithm = Fetch(one.name);
  const Bytes signature = SignInSoftware(software, one.digest);
  const Bytes digest = DigestOf(kMessage, one.digest);
  const auto good = [&](ByteSpan of) {
    EXPECT_EQ(EVP_PKEY_verify_init_ex2(verify.get(), algorithm.get(), nullptr), 1);
    return EVP_PKEY_verify(verify.get(), signature.data(), signature.size(), of.data(),
                           of.size()) == 1;
  };
  EXPECT_TRUE(good(digest));
  EXPECT_FALSE(good(DigestOf("something else", one.digest)));
  EXPECT_FALSE(good(ByteSpan(digest).first(digest.size() - 1)));
}

TEST_P(DigestsSince34, AskTheEnclaveOnlyForTheSignature) {
  const Composite& one = GetParam();
  const EvpPkey key = Refer(Generate(SampleOf(one.sample)));
  const EvpPkeyCtx sign = ContextOf(key);
  const Signature algorithm = Fetch(one.name);
  const Bytes digest = DigestOf(kMessage, one.digest);
  ASSERT_EQ(EVP_PKEY_sign_init_ex2(sign.get(), algorithm.get(), nullptr), 1);
  size_t size = 0;
  ASSERT_EQ(EVP_PKEY_sign(sign.get(), nullptr, &size, digest.data(), digest.size()), 1);
  EXPECT_EQ(size, static_cast<size_t>(EVP_PKEY_get_size(key.get())));
  EXPECT_THAT(TakeErrors(), IsEmpty());
  Bytes out(size);
  EXPECT_NE(EVP_PKEY_sign(sign.get(), out.data(), &size, digest.data(), digest.size()), 1);
  ExpectOneErrorOfTheEnclave();
}

// The digest is part of the algorithm: nobody changes it afterwards.
TEST_P(DigestsSince34, AreOfTheKindInTheName) {
  const Composite& one = GetParam();
  const EvpPkeyCtx sign = ContextOf(Refer(Generate(SampleOf(one.sample))));
  const Signature algorithm = Fetch(one.name);
  ASSERT_EQ(EVP_PKEY_sign_init_ex2(sign.get(), algorithm.get(), nullptr), 1);
  EXPECT_NE(EVP_PKEY_CTX_set_signature_md(sign.get(), EVP_sm3()), 1);
  EXPECT_NE(EVP_PKEY_CTX_set_signature_md(
                sign.get(), one.digest == std::string_view("SHA256") ? EVP_sha384() : EVP_sha256()),
            1);
}

}  // namespace
}  // namespace keyclave::ossl

#endif  // OPENSSL_VERSION_PREREQ(3, 4)
