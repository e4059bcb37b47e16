#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include "tests/unit/ossl_provider/provider_fixture.h"

namespace keyclave::ossl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::string_view kMessage = "what is signed";

struct Case {
  const char* name;
  const Sample* sample;
  const char* digest;
  int padding;  // RSA_…; 0: not set
  int salt;     // RSA_PSS_SALTLEN_…
  const char* mgf1;
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

const Case kCases[] = {
    {"Pkcs1Sha256", &kSamples[0], "SHA256", RSA_PKCS1_PADDING, 0, nullptr},
    {"Pkcs1Sha1", &kSamples[0], "SHA1", RSA_PKCS1_PADDING, 0, nullptr},
    {"Pkcs1Sha3", &kSamples[0], "SHA3-384", 0, 0, nullptr},
    {"PssDigest", &kSamples[0], "SHA256", RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_DIGEST, nullptr},
    {"PssMax", &kSamples[0], "SHA512", RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_MAX, nullptr},
    {"PssNumber", &kSamples[0], "SHA384", RSA_PKCS1_PSS_PADDING, 20, "SHA256"},
    {"PssSha1", &kSamples[0], "SHA1", RSA_PKCS1_PSS_PADDING, 20, nullptr},
    {"PssKey", &kSamples[1], "SHA256", 0, RSA_PSS_SALTLEN_DIGEST, nullptr},
    {"P256Sha256", &kSamples[2], "SHA2-256", 0, 0, nullptr},
    {"P384Sha512", &kSamples[3], "SHA512", 0, 0, nullptr},
    {"P521Sha224", &kSamples[4], "SHA-224", 0, 0, nullptr},
    {"K256Sha256", &SampleOf("secp256k1"), "SHA256", 0, 0, nullptr},
    {"Sm2", &SampleOf("SM2"), "SM3", 0, 0, nullptr},
    {"Ed25519", &SampleOf("ED25519"), nullptr, 0, 0, nullptr},
    {"Ed448", &SampleOf("ED448"), nullptr, 0, 0, nullptr},
    // OpenSSL 3.5:
    {"MlDsa44", &SampleOf("ML-DSA-44"), nullptr, 0, 0, nullptr},
    {"MlDsa87", &SampleOf("ML-DSA-87"), nullptr, 0, 0, nullptr},
    {"SlhDsa", &SampleOf("SLH-DSA-SHA2-128f"), nullptr, 0, 0, nullptr},
};
std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const Case& one : kCases) {
    if (one.sample < Samples().data() + Samples().size()) cases.push_back(one);
  }
  return cases;
}

std::string CaseName(const ::testing::TestParamInfo<Case>& info) { return info.param.name; }

class SignatureTest : public ProviderTest, public ::testing::WithParamInterface<Case> {
 protected:
  // Settings of the case on a context for signing or verifying.
  static void Set(EVP_PKEY_CTX* pctx, const Case& one) {
    if (one.padding != 0) {
      EXPECT_EQ(EVP_PKEY_CTX_set_rsa_padding(pctx, one.padding), 1);
    }
    if (one.padding == RSA_PKCS1_PSS_PADDING || one.sample == &kSamples[1]) {
      EXPECT_EQ(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, one.salt), 1);
    }
    if (one.mgf1 != nullptr) {
      EXPECT_EQ(EVP_PKEY_CTX_set_rsa_mgf1_md_name(pctx, one.mgf1, nullptr), 1);
    }
  }
  Bytes SignInSoftware(const EvpPkey& key, const Case& one) {
    const MdCtx md(EVP_MD_CTX_new());
    EVP_PKEY_CTX* pctx = nullptr;
    EXPECT_EQ(
        EVP_DigestSignInit_ex(md.get(), &pctx, one.digest, ctx_.get(), nullptr, key.get(), nullptr),
        1);
    Set(pctx, one);
    Bytes signature(size_t{1} << 16);
    size_t size = signature.size();
    EXPECT_EQ(EVP_DigestSign(md.get(), signature.data(), &size, AsBytes(kMessage).data(),
                             kMessage.size()),
              1);
    signature.resize(size);
    return signature;
  }
  // 1, 0 or an error, in one step or piece by piece.
  int Verify(const EvpPkey& key, const Case& one, ByteSpan signature, std::string_view message,
             bool pieces) {
    const MdCtx md(EVP_MD_CTX_new());
    EVP_PKEY_CTX* pctx = nullptr;
    EXPECT_EQ(EVP_DigestVerifyInit_ex(md.get(), &pctx, one.digest, ctx_.get(), nullptr, key.get(),
                                      nullptr),
              1);
    EXPECT_STREQ(OSSL_PROVIDER_get0_name(EVP_PKEY_CTX_get0_provider(pctx)), "keyclave");
    Set(pctx, one);
    if (!pieces) {
      return EVP_DigestVerify(md.get(), signature.data(), signature.size(), AsBytes(message).data(),
                              message.size());
    }
    for (const char& c : message) {
      EXPECT_EQ(EVP_DigestVerifyUpdate(md.get(), &c, 1), 1);
    }
    return EVP_DigestVerifyFinal(md.get(), signature.data(), signature.size());
  }
};

INSTANTIATE_TEST_SUITE_P(All, SignatureTest, ::testing::ValuesIn(Cases()), CaseName);

TEST_P(SignatureTest, VerifiesWithThePrivateKeysObject) {
  const Case& one = GetParam();
  const EvpPkey software = Generate(*one.sample);
  const EvpPkey key = Refer(software);
  Bytes signature = SignInSoftware(software, one);
  ASSERT_THAT(TakeErrors(), IsEmpty());
  for (const bool pieces : {false, true}) {
    EXPECT_EQ(Verify(key, one, signature, kMessage, pieces), 1);
    EXPECT_THAT(TakeErrors(), IsEmpty());
    EXPECT_EQ(Verify(key, one, signature, "something else", pieces), 0);
    EXPECT_EQ(Verify(key, one, ByteSpan(signature).first(signature.size() - 1), kMessage, pieces),
              0);
    EXPECT_EQ(Verify(key, one, {}, kMessage, pieces), 0);
  }
  signature[signature.size() / 2] ^= 1;
  EXPECT_EQ(Verify(key, one, signature, kMessage, false), 0);
  EXPECT_EQ(
      Verify(Refer(Generate(*one.sample)), one, SignInSoftware(software, one), kMessage, false), 0);
}

// Certificates and CMS take the identifier from here: it must be what OpenSSL itself would write.
TEST_P(SignatureTest, HasTheAlgorithmIdentifierThatSoftwareWrites) {
  const Case& one = GetParam();
  const EvpPkey software = Generate(*one.sample);
  const Certificate certificate(X509_new_ex(ctx_.get(), nullptr));
  ASSERT_EQ(X509_set_pubkey(certificate.get(), software.get()), 1);
  const MdCtx md(EVP_MD_CTX_new());
  EVP_PKEY_CTX* pctx = nullptr;
  ASSERT_EQ(EVP_DigestSignInit_ex(md.get(), &pctx, one.digest, ctx_.get(), nullptr, software.get(),
                                  nullptr),
            1);
  Set(pctx, one);
  ASSERT_GT(X509_sign_ctx(certificate.get(), md.get()), 0);
  const X509_ALGOR* algor = X509_get0_tbs_sigalg(certificate.get());
  unsigned char* der = nullptr;
  const int size = i2d_X509_ALGOR(algor, &der);
  const Memory owned(der);

  const EvpPkey key = Refer(software);
  const MdCtx mine(EVP_MD_CTX_new());
  ASSERT_EQ(
      EVP_DigestSignInit_ex(mine.get(), &pctx, one.digest, ctx_.get(), nullptr, key.get(), nullptr),
      1);
  Set(pctx, one);
  unsigned char buffer[128];
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, buffer, sizeof(buffer)),
      OSSL_PARAM_construct_end()};
  ASSERT_EQ(EVP_PKEY_CTX_get_params(pctx, params), 1);
  EXPECT_EQ(ToHex(ByteSpan(buffer, params[0].return_size)),
            ToHex(FromC(der, static_cast<size_t>(size))));
}

// Everything up to the last step works with no enclave in sight; the last step says what is wrong,
// once.
TEST_P(SignatureTest, AsksTheEnclaveOnlyForTheSignatureItself) {
  const Case& one = GetParam();
  const EvpPkey key = Refer(Generate(*one.sample));
  const MdCtx md(EVP_MD_CTX_new());
  EVP_PKEY_CTX* pctx = nullptr;
  ASSERT_EQ(
      EVP_DigestSignInit_ex(md.get(), &pctx, one.digest, ctx_.get(), nullptr, key.get(), nullptr),
      1);
  Set(pctx, one);
  size_t size = 0;
  EXPECT_EQ(EVP_DigestSign(md.get(), nullptr, &size, AsBytes(kMessage).data(), kMessage.size()), 1);
  EXPECT_EQ(size, static_cast<size_t>(EVP_PKEY_get_size(key.get())));
  EXPECT_EQ(EVP_PKEY_digestsign_supports_digest(key.get(), ctx_.get(), one.digest, nullptr), 1);
  EXPECT_THAT(TakeErrors(), IsEmpty());
  Bytes signature(size);
  EXPECT_EQ(
      EVP_DigestSign(md.get(), signature.data(), &size, AsBytes(kMessage).data(), kMessage.size()),
      0);
  const auto errors = TakeErrors();
  ASSERT_THAT(errors, SizeIs(1));
  EXPECT_THAT(errors[0], AllOf(HasSubstr("keyclave"), HasSubstr("/nowhere/client.yaml")));
}

TEST_P(SignatureTest, CopiesARunningDigest) {
  const Case& one = GetParam();
  const EvpPkey software = Generate(*one.sample);
  const EvpPkey key = Refer(software);
  const Bytes signature = SignInSoftware(software, one);
  const MdCtx md(EVP_MD_CTX_new());
  EVP_PKEY_CTX* pctx = nullptr;
  ASSERT_EQ(
      EVP_DigestVerifyInit_ex(md.get(), &pctx, one.digest, ctx_.get(), nullptr, key.get(), nullptr),
      1);
  Set(pctx, one);
  ASSERT_EQ(EVP_DigestVerifyUpdate(md.get(), kMessage.data(), 4), 1);
  const MdCtx copy(EVP_MD_CTX_new());
  ASSERT_EQ(EVP_MD_CTX_copy_ex(copy.get(), md.get()), 1);
  ASSERT_EQ(EVP_DigestVerifyUpdate(md.get(), "other", 5), 1);
  EXPECT_EQ(EVP_DigestVerifyFinal(md.get(), signature.data(), signature.size()), 0);
  ASSERT_EQ(EVP_DigestVerifyUpdate(copy.get(), kMessage.data() + 4, kMessage.size() - 4), 1);
  EXPECT_EQ(EVP_DigestVerifyFinal(copy.get(), signature.data(), signature.size()), 1);
}

TEST_F(ProviderTest, ProbingADigestThatIsNotThereLeavesNothingBehind) {
  const EvpPkey key = Refer(Generate(kSamples[2]));
  EXPECT_NE(EVP_PKEY_digestsign_supports_digest(key.get(), ctx_.get(), "SM3", nullptr), 1);
  EXPECT_THAT(TakeErrors(), IsEmpty());
}

TEST_F(ProviderTest, VerifiesBareDigestsToo) {
  for (const Sample* sample : {&kSamples[0], &kSamples[2]}) {
    const EvpPkey software = Generate(*sample);
    const EvpPkey key = Refer(software);
    const Bytes digest(32, 7);
    Bytes signature(512);
    size_t size = signature.size();
    const EvpPkeyCtx sign(EVP_PKEY_CTX_new_from_pkey(ctx_.get(), software.get(), nullptr));
    ASSERT_EQ(EVP_PKEY_sign_init(sign.get()), 1);
    ASSERT_EQ(EVP_PKEY_CTX_set_signature_md(sign.get(), EVP_sha256()), 1);
    ASSERT_EQ(EVP_PKEY_sign(sign.get(), signature.data(), &size, digest.data(), digest.size()), 1);
    signature.resize(size);
    const EvpPkeyCtx verify(EVP_PKEY_CTX_new_from_pkey(ctx_.get(), key.get(), nullptr));
    ASSERT_EQ(EVP_PKEY_verify_init(verify.get()), 1);
    ASSERT_EQ(EVP_PKEY_CTX_set_signature_md(verify.get(), EVP_sha256()), 1);
    EXPECT_EQ(EVP_PKEY_verify(verify.get(), signature.data(), size, digest.data(), 32), 1);
    EXPECT_EQ(EVP_PKEY_verify(verify.get(), signature.data(), size, digest.data(), 31), 0);
  }
}

TEST_F(ProviderTest, RecoversAnRsaSignature) {
  const EvpPkey software = Generate(kSamples[0]);
  const EvpPkey key = Refer(software);
  const Bytes digest(32, 9);
  Bytes signature(256);
  size_t size = signature.size();
  const EvpPkeyCtx sign(EVP_PKEY_CTX_new_from_pkey(ctx_.get(), software.get(), nullptr));
  ASSERT_EQ(EVP_PKEY_sign_init(sign.get()), 1);
  ASSERT_EQ(EVP_PKEY_CTX_set_signature_md(sign.get(), EVP_sha256()), 1);
  ASSERT_EQ(EVP_PKEY_sign(sign.get(), signature.data(), &size, digest.data(), digest.size()), 1);
  const EvpPkeyCtx recover(EVP_PKEY_CTX_new_from_pkey(ctx_.get(), key.get(), nullptr));
  ASSERT_EQ(EVP_PKEY_verify_recover_init(recover.get()), 1);
  ASSERT_EQ(EVP_PKEY_CTX_set_signature_md(recover.get(), EVP_sha256()), 1);
  Bytes out(256);
  size_t out_size = out.size();
  ASSERT_EQ(EVP_PKEY_verify_recover(recover.get(), out.data(), &out_size, signature.data(), size),
            1);
  out.resize(out_size);
  EXPECT_EQ(out, digest);
}

TEST_F(ProviderTest, RefusesPaddingsThatAreNoSignature) {
  const EvpPkey key = Refer(Generate(kSamples[0]));
  const EvpPkeyCtx sign(EVP_PKEY_CTX_new_from_pkey(ctx_.get(), key.get(), nullptr));
  ASSERT_EQ(EVP_PKEY_sign_init(sign.get()), 1);
  for (const int padding : {RSA_NO_PADDING, RSA_PKCS1_OAEP_PADDING, RSA_X931_PADDING, 99}) {
    EXPECT_NE(EVP_PKEY_CTX_set_rsa_padding(sign.get(), padding), 1) << padding;
  }
  EXPECT_NE(EVP_PKEY_CTX_set_rsa_pss_saltlen(sign.get(), 20), 1);  // PKCS #1 has no salt
  ASSERT_EQ(EVP_PKEY_CTX_set_rsa_padding(sign.get(), RSA_PKCS1_PSS_PADDING), 1);
  int padding = 0;
  EXPECT_GT(EVP_PKEY_CTX_get_rsa_padding(sign.get(), &padding), 0);
  EXPECT_EQ(padding, RSA_PKCS1_PSS_PADDING);
  EXPECT_NE(EVP_PKEY_CTX_set_rsa_pss_saltlen(sign.get(), -9), 1);
}

// RFC 4055 §1.2: what an RSA-PSS key says about itself binds its signatures.
TEST_F(ProviderTest, HoldsAnRsaPssKeyToItsRestrictions) {
  const EvpPkeyCtx gen(EVP_PKEY_CTX_new_from_name(ctx_.get(), "RSA-PSS", "provider=default"));
  ASSERT_EQ(EVP_PKEY_keygen_init(gen.get()), 1);
  ASSERT_EQ(EVP_PKEY_CTX_set_rsa_keygen_bits(gen.get(), 2048), 1);
  ASSERT_EQ(EVP_PKEY_CTX_set_rsa_pss_keygen_md_name(gen.get(), "SHA256", nullptr), 1);
  ASSERT_EQ(EVP_PKEY_CTX_set_rsa_pss_keygen_mgf1_md_name(gen.get(), "SHA256"), 1);
  ASSERT_EQ(EVP_PKEY_CTX_set_rsa_pss_keygen_saltlen(gen.get(), 32), 1);
  EVP_PKEY* made = nullptr;
  ASSERT_EQ(EVP_PKEY_generate(gen.get(), &made), 1);
  const EvpPkey software(made);
  const EvpPkey key = Refer(software);
  EXPECT_EQ(EVP_PKEY_digestsign_supports_digest(key.get(), ctx_.get(), "SHA256", nullptr), 1);
  EXPECT_NE(EVP_PKEY_digestsign_supports_digest(key.get(), ctx_.get(), "SHA512", nullptr), 1);
  const MdCtx md(EVP_MD_CTX_new());
  EVP_PKEY_CTX* pctx = nullptr;
  ASSERT_EQ(
      EVP_DigestSignInit_ex(md.get(), &pctx, "SHA256", ctx_.get(), nullptr, key.get(), nullptr), 1);
  EXPECT_NE(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PADDING), 1);
  EXPECT_NE(EVP_PKEY_CTX_set_rsa_mgf1_md_name(pctx, "SHA1", nullptr), 1);
}

}  // namespace
}  // namespace keyclave::ossl
