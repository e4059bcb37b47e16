// Certificates: who signs them and how. Requests. And that neither is taken for another form.

#include <openssl/rsa.h>

#include "tests/unit/guard/certificates.h"

namespace keyclave::guard {
namespace {

using authz::InputForm;

TEST(X509Tbs, TheIssuerIsTheCaWhereItsCertificateIsKnown) {
  const auto issuer = [](const std::vector<NamePart>& parts) {
    return Scene{
        .issuers = {Bytes{0x30, 0}, Der<const X509_NAME>(MakeName(parts).get(), i2d_X509_NAME)}};
  };
  ExpectAccepted(Judge({}, Permitted(), issuer({{"O", "Example"}, {"CN", "Example CA"}})));
  ExpectRefused(Judge({}, Permitted(), issuer({{"O", "Example"}, {"CN", "Another CA"}})), "issuer");
  Certificate none;
  none.issuer = {};
  ExpectRefused(Judge(none), "no issuer");
}

TEST(X509Tbs, TheAlgorithmIsTheMechanisms) {
  const auto judge = [](EVP_PKEY* key, const EVP_MD* digest, wire::Mechanism mechanism) {
    return Check(Rule(Permitted()), Tbs(Make({}, key, digest).get()),
                 {.mechanism = std::move(mechanism), .public_key_info = SpkiOf(key)});
  };
  const mech::EvpPkey rsa = NewKey("RSA");
  const mech::EvpPkey ed25519 = NewKey("ED25519");
  const mech::EvpPkey ed448 = NewKey("ED448");
  ExpectAccepted(judge(CaKey(), EVP_sha256(), Mech(CKM_ECDSA_SHA256)));
  ExpectAccepted(judge(CaKey(), EVP_sha3_384(), Mech(CKM_ECDSA_SHA3_384)));
  ExpectAccepted(judge(rsa.get(), EVP_sha512(), Mech(CKM_SHA512_RSA_PKCS)));
  ExpectAccepted(judge(ed25519.get(), nullptr, Mech(CKM_EDDSA)));
  ExpectAccepted(judge(ed448.get(), nullptr, Mech(CKM_EDDSA)));
  ExpectRefused(judge(CaKey(), EVP_sha256(), Mech(CKM_ECDSA_SHA384)), "another signature");
  ExpectRefused(judge(rsa.get(), EVP_sha256(), Mech(CKM_ECDSA_SHA256)), "another signature");
  ExpectRefused(judge(rsa.get(), EVP_sha256(), Mech(CKM_EDDSA)), "another signature");
  ExpectRefused(Check(Rule(Permitted()), Tbs(Make({}, ed25519.get(), nullptr).get()),
                      {.mechanism = Mech(CKM_EDDSA), .public_key_info = SpkiOf(ed448.get())}),
                "another signature");
  ExpectRefused(judge(CaKey(), EVP_sha1(), Mech(CKM_ECDSA_SHA1)), "SHA-1");
}

Bytes PssTbs(EVP_PKEY* key, const EVP_MD* digest, const EVP_MD* mgf, int salt) {
  mech::X509Cert certificate = Make({}, key);
  const mech::EvpMdCtx context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* pkey = nullptr;
  EXPECT_EQ(EVP_DigestSignInit(context.get(), &pkey, digest, nullptr, key), 1);
  EXPECT_EQ(EVP_PKEY_CTX_set_rsa_padding(pkey, RSA_PKCS1_PSS_PADDING), 1);
  EXPECT_EQ(EVP_PKEY_CTX_set_rsa_mgf1_md(pkey, mgf), 1);
  EXPECT_EQ(EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey, salt), 1);
  EXPECT_GT(X509_sign_ctx(certificate.get(), context.get()), 0);
  return Tbs(certificate.get());
}

TEST(X509Tbs, TheParametersOfPssAreTheMechanisms) {
  const mech::EvpPkey rsa = NewKey("RSA");
  const auto judge = [&](ByteSpan tbs, wire::PssParam param) {
    Scene scene{.mechanism = Mech(CKM_SHA256_RSA_PKCS_PSS), .public_key_info = SpkiOf(rsa.get())};
    scene.mechanism.pss = param;
    return Check(Rule(Permitted()), tbs, scene);
  };
  const wire::PssParam usual{CKM_SHA256, CKG_MGF1_SHA256, 32};
  const auto* const sha256 = EVP_sha256();
  const Bytes good = PssTbs(rsa.get(), sha256, sha256, 32);
  ExpectAccepted(judge(good, usual));
  ExpectAccepted(judge(PssTbs(rsa.get(), sha256, EVP_sha1(), 20), {CKM_SHA256, CKG_MGF1_SHA1, 20}));
  ExpectRefused(judge(good, {CKM_SHA256, CKG_MGF1_SHA256, 20}), "parameters of RSA-PSS");
  ExpectRefused(judge(good, {CKM_SHA256, CKG_MGF1_SHA384, 32}), "parameters of RSA-PSS");
  ExpectRefused(judge(PssTbs(rsa.get(), EVP_sha384(), sha256, 32), usual), "parameters of RSA-PSS");
  ExpectRefused(judge(Tbs(Make({}, rsa.get()).get()), usual), "another signature");
  ExpectRefused(
      Check(Rule(Permitted()), good,
            {.mechanism = Mech(CKM_SHA256_RSA_PKCS_PSS), .public_key_info = SpkiOf(rsa.get())}),
      "lacks its parameter");
}

TEST(X509Csr, AcceptsARequestForTheKeyThatSignsIt) {
  const auto request = [](EVP_PKEY* key) {
    mech::X509Request made(X509_REQ_new());
    X509_REQ_set_subject_name(made.get(), MakeName({{"CN", "anything"}}).get());
    X509_REQ_set_pubkey(made.get(), key);
    EXPECT_GT(X509_REQ_sign(made.get(), key, EVP_sha256()), 0);
    return made;
  };
  const auto made = request(CaKey());
  const Bytes good = Der(made.get(), i2d_re_X509_REQ_tbs);
  const Scene scene{.public_key_info = SpkiOf(CaKey())};
  const authz::InputRule rule = Form(InputForm::kX509Csr);
  ExpectAccepted(Check(rule, good, scene));
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(Check(rule, ByteSpan(good).first(size), scene).ok()) << size;
  EXPECT_FALSE(Check(rule, Join({good, Bytes{0}}), scene).ok());
  const mech::EvpPkey other = NewKey();
  ExpectRefused(Check(rule, good, {.public_key_info = SpkiOf(other.get())}), "another key");
  Bytes later = good;  // OpenSSL 3.5 makes requests of version 1 only
  const Bytes version{0x02, 0x01, 0x00};
  const auto found = std::search(later.begin(), later.end(), version.begin(), version.end());
  ASSERT_NE(found, later.end());
  found[2] = 1;
  ExpectRefused(Check(rule, later, scene), "version");
}

TEST(X509Roles, ARequestIsNoCertificateAndNeitherIsTls) {
  const mech::X509Request made(X509_REQ_new());
  X509_REQ_set_pubkey(made.get(), CaKey());
  const Bytes request = Der(made.get(), i2d_re_X509_REQ_tbs);
  const Bytes certificate = Tbs(Make({}, CaKey()).get());
  const Scene scene{.public_key_info = SpkiOf(CaKey())};
  ExpectAccepted(Check(Form(InputForm::kX509Csr), request, scene));
  EXPECT_FALSE(Check(Rule(Permitted()), request, scene).ok());
  EXPECT_FALSE(Check(Form(InputForm::kX509Csr), certificate, scene).ok());
  for (const Bytes& message : {request, certificate}) {
    EXPECT_FALSE(Check(kServer, message, scene).ok());
    EXPECT_FALSE(Check(kClient, message, scene).ok());
  }
  for (const Bytes& message : {Tls13("server", 32), Tls13("client", 48), Tls12Ecdh(29, Pattern(32)),
                               Concatenated(Tls12Handshake())}) {
    EXPECT_FALSE(Check(Form(InputForm::kX509Csr), message, scene).ok());
    EXPECT_FALSE(Check(Rule(Permitted()), message, scene).ok());
  }
}

}  // namespace
}  // namespace keyclave::guard
