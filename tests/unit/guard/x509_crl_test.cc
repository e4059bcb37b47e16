// Lists of revoked certificates.

#include "tests/unit/guard/certificates.h"

namespace keyclave::guard {
namespace {

using authz::InputForm;

struct List {
  long version = X509_CRL_VERSION_2;
  std::vector<NamePart> issuer = {{"CN", "Example CA"}};
  UnixTime issued = kNow - 60;
  std::optional<UnixTime> next = kNow + 86400;
  std::vector<Extension> extensions = {{"crlNumber", "DER:020107"}};
  std::vector<Extension> of_entry = {{"CRLReason", "DER:0a0101"}};
};

mech::Owned<X509_EXTENSION, X509_EXTENSION_free> MakeExtension(const Extension& what) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, nullptr, nullptr, nullptr, nullptr, X509V3_CTX_TEST);
  auto* const made = X509V3_EXT_conf(nullptr, &context, what.name.c_str(), what.value.c_str());
  EXPECT_NE(made, nullptr) << what.name << "=" << what.value;
  return mech::Owned<X509_EXTENSION, X509_EXTENSION_free>(made);
}

using AsnTime = mech::Owned<ASN1_TIME, ASN1_TIME_free>;

// The list signed by `ca`; two certificates are revoked in it.
mech::X509Crl Make(const List& what, EVP_PKEY* ca, const EVP_MD* digest = EVP_sha256()) {
  mech::X509Crl list(X509_CRL_new());
  X509_CRL_set_version(list.get(), what.version);
  X509_CRL_set_issuer_name(list.get(), MakeName(what.issuer).get());
  X509_CRL_set1_lastUpdate(list.get(), AsnTime(ASN1_TIME_set(nullptr, what.issued)).get());
  if (what.next)
    X509_CRL_set1_nextUpdate(list.get(), AsnTime(ASN1_TIME_set(nullptr, *what.next)).get());
  for (const Extension& extension : what.extensions)
    X509_CRL_add_ext(list.get(), MakeExtension(extension).get(), -1);
  for (const long serial : {17L, 4711L}) {
    auto* const entry = X509_REVOKED_new();
    const mech::Owned<ASN1_INTEGER, ASN1_INTEGER_free> number(ASN1_INTEGER_new());
    ASN1_INTEGER_set(number.get(), serial);
    X509_REVOKED_set_serialNumber(entry, number.get());
    X509_REVOKED_set_revocationDate(entry, AsnTime(ASN1_TIME_set(nullptr, kNow - 3600)).get());
    for (const Extension& extension : what.of_entry)
      X509_REVOKED_add_ext(entry, MakeExtension(extension).get(), -1);
    X509_CRL_add0_revoked(list.get(), entry);
  }
  EXPECT_GT(X509_CRL_sign(list.get(), ca, digest), 0);
  return list;
}

Bytes TbsOf(const List& what, EVP_PKEY* ca = CaKey(), const EVP_MD* digest = EVP_sha256()) {
  const auto list = Make(what, ca, digest);
  return Der(list.get(), i2d_re_X509_CRL_tbs);
}

Status Judge(const List& what, Scene scene = {}) {
  scene.public_key_info = SpkiOf(CaKey());
  return Check(Form(InputForm::kX509Crl), TbsOf(what), scene);
}

TEST(X509Crl, AcceptsAListOfTheCasOwnCertificates) {
  ExpectAccepted(Judge({}));
  ExpectAccepted(Judge({.extensions = {}, .of_entry = {}}));
  ExpectAccepted(Judge({.extensions = {{"crlNumber", "DER:020107"},
                                       {"issuingDistributionPoint", "critical,onlyuser:TRUE"}}}));
  ExpectAccepted(Judge({.issued = 2'600'000'000, .next = 2'600'100'000}));  // GeneralizedTime
}

TEST(X509Crl, RefusesEverythingElse) {
  ExpectRefused(Judge({.version = X509_CRL_VERSION_1, .extensions = {}, .of_entry = {}}),
                "version");
  ExpectRefused(Judge({.issuer = {}}), "no issuer");
  ExpectRefused(Judge({.next = {}}), "next list");
  ExpectRefused(Judge({.next = kNow - 60}), "ends before");
  ExpectRefused(Judge({.extensions = {{"1.2.3.4", "critical,DER:0500"}}}), "not permitted");
  ExpectRefused(Judge({.extensions = {{"subjectAltName", "DNS:a"}}}), "not permitted");
  ExpectRefused(Judge({.extensions = {{"crlNumber", "DER:020107"}, {"crlNumber", "DER:020108"}}}),
                "twice");
  ExpectRefused(Judge({.extensions = {{"issuingDistributionPoint", "indirectCRL:TRUE"}}}),
                "indirect");
  ExpectRefused(Judge({.extensions = {{"2.5.29.28", "DER:0500"}}}), "distribution point");
  // A certificate of another issuer.
  ExpectRefused(Judge({.of_entry = {{"2.5.29.29", "DER:3000"}}}), "not permitted");
}

TEST(X509Crl, ItsIssuerAndAlgorithmAreTheSigners) {
  const auto name = [](const char* text) {
    return Der<const X509_NAME>(MakeName({{"CN", text}}).get(), i2d_X509_NAME);
  };
  ExpectAccepted(Judge({}, {.issuers = {name("Example CA")}}));
  ExpectRefused(Judge({}, {.issuers = {name("Another CA")}}), "issuer");
  ExpectRefused(Judge({}, {.mechanism = Mech(CKM_ECDSA_SHA384)}), "signature algorithm");
  ExpectRefused(Judge({}, {.mechanism = Mech(CKM_ECDSA_SHA1)}), "SHA-1");
  const mech::EvpPkey rsa = NewKey("RSA");
  const auto judge = [&](const EVP_MD* digest) {
    return Check(Form(InputForm::kX509Crl), TbsOf({}, rsa.get(), digest),
                 {.mechanism = Mech(CKM_SHA384_RSA_PKCS), .public_key_info = SpkiOf(rsa.get())});
  };
  ExpectAccepted(judge(EVP_sha384()));
  ExpectRefused(judge(EVP_sha512()), "signature algorithm");
}

TEST(X509Crl, IsNoOtherFormAndNoPartOfOne) {
  const Bytes good = TbsOf({});
  const Scene scene{.public_key_info = SpkiOf(CaKey())};
  const authz::InputRule rule = Form(InputForm::kX509Crl);
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(Check(rule, ByteSpan(good).first(size), scene).ok()) << size;
  EXPECT_FALSE(Check(rule, Join({good, Bytes{0}}), scene).ok());
  EXPECT_FALSE(Check(Form(InputForm::kX509Csr), good, scene).ok());
  EXPECT_FALSE(Check(Rule(Permitted()), good, scene).ok());
  EXPECT_FALSE(Check(kServer, good, scene).ok());
  EXPECT_FALSE(Check(kClient, good, scene).ok());
  EXPECT_FALSE(Check(rule, Tbs(Make(Certificate{}, CaKey()).get()), scene).ok());
}

}  // namespace
}  // namespace keyclave::guard
