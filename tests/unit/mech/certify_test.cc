// Certificate requests, self-signed certificates, and what is read from certificates.

#include "enclave/mech/certify.h"

#include <arpa/inet.h>

#include "enclave/mech/certificate.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/x509_name.h"
#include "tests/unit/mech/mech_testing.h"

namespace keyclave::mech {
namespace {

constexpr UnixTime kNow = 1'800'000'000;

wire::CertifyRequest RequestFor(wire::CertifyKind kind, std::string subject,
                                std::vector<std::string> names = {}, uint64_t days = 30) {
  wire::CertifyRequest request;
  request.kind = kind;
  request.subject = std::move(subject);
  request.names = std::move(names);
  request.days = days;
  return request;
}
wire::CertifyRequest SelfSigned(std::string subject, std::vector<std::string> names = {},
                                uint64_t days = 30) {
  return RequestFor(wire::CertifyKind::kSelfSigned, std::move(subject), std::move(names), days);
}
wire::CertifyRequest Csr(std::string subject, std::vector<std::string> names = {}) {
  return RequestFor(wire::CertifyKind::kRequest, std::move(subject), std::move(names), 0);
}

X509Cert ParseCertificate(const Bytes& der) {
  const uint8_t* next = der.data();
  return X509Cert(d2i_X509(nullptr, &next, static_cast<long>(der.size())));
}

// As `openssl x509 -nameopt RFC2253` prints it.
std::string NameText(const X509_NAME* name) {
  const Owned<BIO, BIO_free> out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<size_t>(size)};
}

std::string Reparsed(std::string_view subject) {
  const Result<X509Name> name = ParseDistinguishedName(subject);
  return name.ok() ? NameText(name->get()) : CodeOf(name);
}

TEST(DistinguishedNameTest, IsReadAsRfc4514Says) {
  EXPECT_EQ(Reparsed("CN=www.example.org"), "CN=www.example.org");
  EXPECT_EQ(Reparsed("CN=a,OU=b,O=c,C=CH"), "CN=a,OU=b,O=c,C=CH");
  EXPECT_EQ(Reparsed("cn = a , o= Two  Words "), "CN=a,O=Two  Words");
  EXPECT_EQ(Reparsed("OU=Sales+CN=J.  Smith,DC=example,DC=net"),
            "CN=J.  Smith+OU=Sales,DC=example,DC=net");  // the order within a set is DER's
  EXPECT_EQ(Reparsed("CN=James \\\"Jim\\\" Smith\\, III,O=x"),
            "CN=James \\\"Jim\\\" Smith\\, III,O=x");
  EXPECT_EQ(Reparsed("CN=a\\+b\\3dc"), "CN=a\\+b=c");
  EXPECT_EQ(Reparsed("CN=Lu\\C4\\8Di\\C4\\87"), "CN=Lučić");
  EXPECT_EQ(Reparsed("CN=Lučić"), "CN=Lučić");
  EXPECT_EQ(Reparsed("CN=\\ a\\ "), "CN=\\ a\\ ");
  EXPECT_EQ(Reparsed(""), "");
}

TEST(DistinguishedNameTest, MostSpecificPartComesLastInTheDer) {
  const X509Name name = Get(ParseDistinguishedName("CN=a,O=b"));
  const X509_NAME_ENTRY* first = X509_NAME_get_entry(name.get(), 0);
  EXPECT_EQ(OBJ_obj2nid(X509_NAME_ENTRY_get_object(first)), NID_organizationName);
  EXPECT_EQ(ASN1_STRING_type(X509_NAME_ENTRY_get_data(first)), V_ASN1_UTF8STRING);
}

TEST(DistinguishedNameTest, WrongOnesAreRefused) {
  for (const char* subject :
       {"CN",        "=a",       "CN=",      "CN=a,",  ",CN=a",         "CN=a,,O=b",
        "XX=a",      "CN=a+",    "CN=a;O=b", "CN=a\\", "CN=a\\x",       "CN=a\\0",
        "CN=a\\00",  "CN=#0401", "CN=\"a\"", "CN=<a>", "C=Switzerland", "CN=\xff\xfe",
        "O=a CN=b,", "CN=a\\zz"}) {
    EXPECT_EQ(Reparsed(subject), "InvalidArgument") << subject;
  }
  EXPECT_EQ(Reparsed("CN=" + std::string(65, 'a')), "InvalidArgument");
  EXPECT_EQ(Reparsed("O=" + std::string(3000, 'a')), "InvalidArgument");
  EXPECT_EQ(Reparsed(std::string_view("CN=a\0b", 6)), "InvalidArgument");
}

TEST(AlternativeNamesTest, AreHostsAddressesMailboxesAndUris) {
  const auto code = [](const std::string& name) { return CodeOf(ParseAlternativeNames({name})); };
  for (const char* name :
       {"localhost", "www.example.org", "*.example.org", "xn--mnchen-3ya.de", "1a.2b", "127.0.0.1",
        "::1", "2001:db8::7", "https://a.b", "user@a.b", "spiffe://a.b/c"}) {
    EXPECT_EQ(code(name), "ok") << name;
  }
  for (const char* name : {"",
                           ".",
                           "a.",
                           ".a",
                           "a..b",
                           "-a.b",
                           "a-.b",
                           "a_b.c",
                           "a b",
                           "*.org",
                           "*",
                           "a.*.b",
                           "*a.example.org",
                           "1.2.3",
                           "1.2.3.400",
                           "1.2.3.4.5",
                           "::g",
                           "[::1]",
                           "münchen.de",
                           "https://",
                           "://a.b",
                           "a.b:443",
                           "user@",
                           "@a.b",
                           "https://a b",
                           "https://a\"b",
                           "https://ü.de",
                           "a@\nb"}) {
    EXPECT_EQ(code(name), "InvalidArgument") << name;
  }
  EXPECT_EQ(code(std::string(63, 'a') + ".b"), "ok");
  EXPECT_EQ(code(std::string(64, 'a') + ".b"), "InvalidArgument");
  EXPECT_EQ(code(std::string("a.b\0.c", 6)), "InvalidArgument");
  EXPECT_EQ(code(std::string("1.2.3.4\0x", 9)), "InvalidArgument");
}

std::vector<const KeyPair*> CertifiablePairs() {
  static const KeyPair* const pairs[] = {
      new KeyPair(NewEcPair(kP256)), new KeyPair(NewEcPair(kP384)), new KeyPair(NewEcPair(kP521)),
      new KeyPair(NewEcPair(kEd25519, CKM_EC_EDWARDS_KEY_PAIR_GEN)), &SomeRsaPair()};
  return {std::begin(pairs), std::end(pairs)};
}

TEST(CertifyTest, SelfSignedCertificateIsWhatItShouldBe) {
  const int signatures[] = {NID_ecdsa_with_SHA256, NID_ecdsa_with_SHA384, NID_ecdsa_with_SHA512,
                            NID_ED25519, NID_sha256WithRSAEncryption};
  size_t i = 0;
  for (const KeyPair* pair : CertifiablePairs()) {
    const Bytes der = Get(Certify(
        *pair->private_key, SelfSigned("CN=a.example,O=Example", {"a.example", "10.0.0.1"}), kNow));
    const X509Cert cert = ParseCertificate(der);
    ASSERT_NE(cert, nullptr);
    EXPECT_EQ(X509_verify(cert.get(), pair->public_key->pkey()), 1);
    EXPECT_EQ(X509_get_signature_nid(cert.get()), signatures[i++]);
    EXPECT_EQ(X509_get_version(cert.get()), X509_VERSION_3);
    EXPECT_EQ(NameText(X509_get_subject_name(cert.get())), "CN=a.example,O=Example");
    EXPECT_EQ(NameText(X509_get_issuer_name(cert.get())), "CN=a.example,O=Example");
    time_t before = kNow - 60;
    time_t after = kNow + 30 * 86400;
    EXPECT_EQ(ASN1_TIME_cmp_time_t(X509_get0_notBefore(cert.get()), before), 0);
    EXPECT_EQ(ASN1_TIME_cmp_time_t(X509_get0_notAfter(cert.get()), after), 0);
    EXPECT_EQ(X509_check_ca(cert.get()), 0);
    EXPECT_EQ(X509_check_purpose(cert.get(), X509_PURPOSE_SSL_SERVER, 0), 1);
    EXPECT_EQ(X509_check_purpose(cert.get(), X509_PURPOSE_SSL_CLIENT, 0), 1);
    EXPECT_EQ(X509_check_host(cert.get(), "a.example", 0, 0, nullptr), 1);
    EXPECT_EQ(X509_check_host(cert.get(), "b.example", 0, 0, nullptr), 0);
    EXPECT_EQ(X509_check_ip_asc(cert.get(), "10.0.0.1", 0), 1);
    const uint32_t encipher = pair->private_key->key_type() == CKK_RSA ? KU_KEY_ENCIPHERMENT : 0;
    EXPECT_EQ(X509_get_key_usage(cert.get()), KU_DIGITAL_SIGNATURE | encipher);
    const CertificateFacts facts = Get(ReadCertificate(der));
    EXPECT_EQ(facts.public_key_info, *pair->attributes.Find(CKA_PUBLIC_KEY_INFO));
    EXPECT_EQ(facts.subject, facts.issuer);
  }
}

TEST(CertifyTest, SerialNumbersDifferAndArePositive) {
  const KeyPair& pair = *CertifiablePairs().front();
  const auto serial = [&] {
    return Get(ReadCertificate(Get(Certify(*pair.private_key, SelfSigned("CN=a"), kNow))))
        .serial_number;
  };
  const Bytes first = serial();
  EXPECT_NE(first, serial());
  EXPECT_EQ(first.size(), 18U);
  EXPECT_LT(first[2], 0x80);
}

TEST(CertifyTest, RequestIsSignedByItsOwnKey) {
  for (const KeyPair* pair : CertifiablePairs()) {
    const Bytes der = Get(Certify(*pair->private_key, Csr("CN=a.example", {"a.example"}), kNow));
    const uint8_t* next = der.data();
    const X509Request request(d2i_X509_REQ(nullptr, &next, static_cast<long>(der.size())));
    ASSERT_NE(request, nullptr);
    EXPECT_EQ(X509_REQ_verify(request.get(), pair->public_key->pkey()), 1);
    EXPECT_EQ(NameText(X509_REQ_get_subject_name(request.get())), "CN=a.example");
    STACK_OF(X509_EXTENSION)* extensions = X509_REQ_get_extensions(request.get());
    EXPECT_EQ(sk_X509_EXTENSION_num(extensions), 1);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  }
}

TEST(CertifyTest, WrongRequestsAreRefused) {
  const KeyPair& pair = *CertifiablePairs().front();
  const auto code = [&](const wire::CertifyRequest& request) {
    return CodeOf(Certify(*pair.private_key, request, kNow));
  };
  EXPECT_EQ(code(SelfSigned("CN=a", {}, 0)), "InvalidArgument");
  EXPECT_EQ(code(SelfSigned("CN=a", {}, 3651)), "InvalidArgument");
  EXPECT_EQ(code(SelfSigned("CN=a", {}, 3650)), "ok");
  EXPECT_EQ(code(SelfSigned("", {"a.example"})), "InvalidArgument");
  EXPECT_EQ(code(Csr("")), "InvalidArgument");
  EXPECT_EQ(code(Csr("", {"a.example"})), "ok");
  EXPECT_EQ(code(Csr("CN=a", {"not a name"})), "InvalidArgument");
  EXPECT_EQ(code(Csr("nonsense")), "InvalidArgument");
  EXPECT_EQ(CodeOf(Certify(*pair.public_key, Csr("CN=a"), kNow)), "KeyTypeInconsistent");
  const KeyPair exchange = NewEcPair(kX25519, CKM_EC_MONTGOMERY_KEY_PAIR_GEN);
  EXPECT_EQ(CodeOf(Certify(*exchange.private_key, Csr("CN=a"), kNow)), "KeyTypeInconsistent");
  EXPECT_EQ(CodeOf(Certify(*AesKeyOf(16), Csr("CN=a"), kNow)), "KeyTypeInconsistent");
}

TEST(CertificateTest, MatchesItsOwnKeyOnly) {
  for (const KeyPair* pair : CertifiablePairs()) {
    const Bytes der = Get(Certify(*pair->private_key, SelfSigned("CN=a"), kNow));
    for (const KeyPair* other : CertifiablePairs()) {
      EXPECT_EQ(CodeOf(CheckCertificateMatches(der, *other->attributes.Find(CKA_PUBLIC_KEY_INFO))),
                pair == other ? "ok" : "CertificateMismatch");
    }
    EXPECT_EQ(CodeOf(CheckCertificateMatches(der, {})), "CertificateMismatch");
  }
}

TEST(CertificateTest, DamagedOnesAreRefused) {
  const Bytes der =
      Get(Certify(*CertifiablePairs().front()->private_key, SelfSigned("CN=a"), kNow));
  for (size_t size = 0; size < der.size(); ++size) {
    EXPECT_EQ(CodeOf(ReadCertificate(ByteSpan(der).first(size))), "Malformed") << size;
  }
  Bytes longer = der;
  longer.push_back(0);
  EXPECT_EQ(CodeOf(ReadCertificate(longer)), "Malformed");
  EXPECT_EQ(CodeOf(CheckCertificateMatches(longer, {})), "Malformed");
  for (size_t bit = 0; bit < der.size() * 8; ++bit) {
    // Either refused or read; never more than that.
    (void)ReadCertificate(Flipped(der, bit)).ok();
  }
}

}  // namespace
}  // namespace keyclave::mech
