// Certificates and requests. Lesson 35: a CA whose callers choose the names signs what its policy
// fixed, and nothing else.

#include "tests/unit/guard/certificates.h"

namespace keyclave::guard {
namespace {

using authz::CertificateUsage;
using authz::InputForm;
using authz::X509Constraints;

Certificate WithNames(const std::string& names) {
  Certificate certificate;
  certificate.extensions.back().value = names;
  return certificate;
}

Certificate WithSubject(std::vector<NamePart> subject) {
  Certificate certificate;
  certificate.subject = std::move(subject);
  return certificate;
}

TEST(X509Tbs, AcceptsWhatThePolicyNames) {
  ExpectAccepted(Judge({}));
  ExpectAccepted(
      Judge(WithNames("DNS:www.example.com,DNS:WWW.Example.COM,DNS:a.b.inner.example,"
                      "DNS:*.wild.example,IP:10.1.255.3,IP:::1,email:a.b+c@example.com,"
                      "URI:https://example.com/a?b,URI:spiffe://x.inner.example/y,"
                      "URI:https://example.com:8443")));
  ExpectAccepted(Judge(WithSubject({{"CN", "10.1.2.3"}})));
  ExpectAccepted(Judge(WithSubject({{"CN", "a@example.com"}})));
  ExpectAccepted(Judge(WithSubject({{"emailAddress", "a@example.com"}})));
  ExpectAccepted(Judge(WithSubject({})));  // the alternative names say whose it is
}

// Lesson 35.
TEST(X509Tbs, RefusesEveryOtherName) {
  for (const char* const names : {"DNS:example.com",
                                  "DNS:evil.example",
                                  "DNS:inner.example",
                                  "DNS:xinner.example",
                                  "DNS:*.inner.example",
                                  "DNS:*.www.example.com",
                                  "DNS:a.wild.example",
                                  "DNS:*",
                                  "DNS:www.example.com.",
                                  "DNS:www.example.com,DNS:evil.example",
                                  "DNS:www.*.wild.example",
                                  "DNS:.inner.example",
                                  "IP:10.2.0.1",
                                  "IP:::2",
                                  "IP:10.1.0.0,IP:8.8.8.8",
                                  "email:a@evil.example",
                                  "email:a@sub.example.com",
                                  "email:a@b@example.com",
                                  "email:\"x y\"@example.com",
                                  "email:@example.com",
                                  "email:example.com",
                                  "URI:https://evil.example/",
                                  "URI:https://example.com@evil.example/",
                                  "URI:https://evil.example/?example.com",
                                  "URI:https://example.com:8443@evil.example/",
                                  "URI:urn:example.com",
                                  "URI:https://inner.example",
                                  "URI:https://example.com%2eevil.example",
                                  "URI:https://evil.example\\\\example.com",
                                  "URI:https://example.com:x",
                                  "RID:1.2.3.4",
                                  "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:admin@example.com"}) {
    ExpectRefused(Judge(WithNames(names)), "permitted");
  }
  for (const std::vector<NamePart>& subject : std::vector<std::vector<NamePart>>{
           {{"CN", "evil.example"}},
           {{"CN", "www.example.com"}, {"CN", "evil.example"}},
           {{"CN", "10.2.0.1"}},
           {{"CN", "a@evil.example"}},
           {{"CN", "root"}},
           {{"CN", "Alice Example"}},
           {{"CN", "www.example.com"}, {"emailAddress", "a@evil.example"}},
           {{"O", "system:masters"}, {"CN", "www.example.com"}},
           {{"UID", "0"}, {"CN", "www.example.com"}}}) {
    ExpectRefused(Judge(WithSubject(subject)), "is not permitted");
  }
}

TEST(X509Tbs, WithoutNamesInTheRuleNoNameIsSigned) {
  const X509Constraints none;
  ExpectRefused(Judge({}, none), "is not permitted");
  ExpectRefused(Judge(WithSubject({}), none), "is not permitted");
  Certificate nobody = WithSubject({});
  nobody.extensions.pop_back();
  ExpectRefused(Judge(nobody), "it names nobody");
}

TEST(X509Tbs, SubjectsSayWhatTheRuleLists) {
  X509Constraints constraints = Permitted();
  constraints.subject = {"O=Example", "OU=*", "CN=*", "CN=root"};
  ExpectAccepted(
      Judge(WithSubject({{"O", "Example"}, {"OU", "anything"}, {"CN", "root"}}), constraints));
  ExpectAccepted(Judge(WithSubject({{"CN", "Alice Example"}}), constraints));
  ExpectRefused(Judge(WithSubject({{"O", "Other"}}), constraints), "the subject's O");
  // "CN=*" is not for what some software takes for a host.
  for (const char* const name : {"evil.example", "evil.example ", " evil.example", "admin"})
    ExpectRefused(Judge(WithSubject({{"CN", name}}), constraints), "the subject's CN");
  // Nor for what a reader cannot see.
  ExpectRefused(Judge(WithSubject({{"CN", std::string("Alice \0Example", 14)}}), constraints),
                "plain text");
  ExpectRefused(Judge(WithSubject({{"CN", "Alice \x7f"}}), constraints), "plain text");
  ExpectRefused(Judge(WithSubject({{"CN", "Alice Example", V_ASN1_T61STRING}}), constraints),
                "plain text");
  ExpectRefused(
      Judge(WithSubject({{"CN", std::string("\0A\0 \0B", 6), V_ASN1_BMPSTRING}}), constraints),
      "plain text");
}

TEST(X509Tbs, RefusesOtherVersionsAndSerialNumbers) {
  Certificate old;
  old.version = X509_VERSION_1;
  old.extensions.clear();
  ExpectRefused(Judge(old), "version");
  const auto with = [](Bytes serial) {
    Certificate certificate;
    certificate.serial = std::move(serial);
    return Judge(certificate);
  };
  ExpectRefused(with({0}), "not positive");
  ExpectAccepted(with(Bytes(20, 0x7f)));
  ExpectRefused(with(Bytes(20, 0x80)), "longer than 20");
  ExpectRefused(with(Bytes(21, 0x7f)), "longer than 20");
  auto negative = Make({}, CaKey());
  X509_get_serialNumber(negative.get())->type = V_ASN1_NEG_INTEGER;
  ExpectRefused(Check(Rule(Permitted()), Tbs(negative.get())), "not positive");
}

TEST(X509Tbs, RefusesDatesThatAreTooLongOrOutOfOrder) {
  const auto valid = [](UnixTime begin, UnixTime end, std::optional<uint64_t> days) {
    Certificate certificate;
    certificate.begin = begin;
    certificate.end = end;
    X509Constraints constraints = Permitted();
    constraints.max_days = days;
    return Judge(certificate, constraints);
  };
  constexpr UnixTime kDay = 86400;
  ExpectAccepted(valid(kNow, kNow + 90 * kDay, 90));
  ExpectRefused(valid(kNow, kNow + 90 * kDay + 1, 90), "too long");
  ExpectRefused(valid(kNow + 10 * kDay, kNow + 99 * kDay, 90), "too long");
  ExpectRefused(valid(kNow - 89 * kDay, kNow + 2 * kDay, 90), "too long");
  ExpectAccepted(valid(kNow, kNow + 20000 * kDay, std::nullopt));  // GeneralizedTime
  ExpectRefused(valid(kNow, kNow, 90), "ends before");
  ExpectRefused(valid(kNow + 1, kNow, std::nullopt), "ends before");
  // A date that RFC 5280 writes otherwise.
  auto certificate = Make({}, CaKey());
  ASSERT_EQ(
      ASN1_GENERALIZEDTIME_set_string(X509_getm_notAfter(certificate.get()), "20270101000000Z"), 1);
  ExpectRefused(Check(Rule(Permitted()), Tbs(certificate.get())), "RFC 5280");
}

TEST(X509Tbs, RefusesCasUnlessTheRuleSaysSo) {
  X509Constraints ca = Permitted();
  ca.ca = true;
  const auto with = [](std::vector<Extension> extensions) {
    Certificate certificate;
    certificate.extensions.insert(certificate.extensions.begin() + 2, extensions.begin(),
                                  extensions.end());
    certificate.extensions.erase(certificate.extensions.begin(),
                                 certificate.extensions.begin() + 2);
    return certificate;
  };
  const Certificate authority = with({{"basicConstraints", "critical,CA:TRUE,pathlen:0"},
                                      {"keyUsage", "critical,keyCertSign,cRLSign"}});
  ExpectRefused(Judge(authority), "it is a CA's");
  ExpectAccepted(Judge(authority, ca));
  Certificate without_usages = authority;
  without_usages.extensions.erase(without_usages.extensions.begin() + 2);
  ExpectAccepted(Judge(without_usages, ca));
  ExpectRefused(Judge(with({{"keyUsage", "critical,keyCertSign"}}), ca), "without being a CA's");
  ExpectRefused(Judge(with({{"keyUsage", "critical,cRLSign"}}), ca), "without being a CA's");
  ExpectRefused(Judge(with({{"basicConstraints", "CA:FALSE,pathlen:1"}}), ca), "path length");
  ExpectRefused(Judge(with({{"basicConstraints", "critical,CA:TRUE"},
                            {"keyUsage", "critical,digitalSignature"}}),
                      ca),
                "may not sign certificates");
}

TEST(X509Tbs, RefusesUsagesThatTheRuleDoesNotName) {
  const auto usage = [](const std::string& text) {
    Certificate certificate;
    certificate.extensions[2].value = text;
    return certificate;
  };
  for (const char* const text : {"OCSPSigning", "codeSigning", "timeStamping",
                                 "anyExtendedKeyUsage", "serverAuth,1.2.3.4", "msSmartcardLogin"}) {
    ExpectRefused(Judge(usage(text)), "is not permitted");
  }
  ExpectAccepted(Judge(usage("emailProtection")));
  X509Constraints constraints = Permitted();
  constraints.usages = {CertificateUsage::kOcspSigning, CertificateUsage::kCodeSigning,
                        CertificateUsage::kTimeStamping};
  ExpectAccepted(Judge(usage("OCSPSigning,codeSigning,timeStamping"), constraints));
  ExpectRefused(Judge(usage("serverAuth"), constraints), "is not permitted");
  Certificate none;
  none.extensions.erase(none.extensions.begin() + 2);
  ExpectRefused(Judge(none), "extendedKeyUsage");
}

TEST(X509Tbs, RefusesExtensionsThatTheRuleDoesNotName) {
  const auto with = [](const Extension& extension) {
    Certificate certificate;
    certificate.extensions.push_back(extension);
    return certificate;
  };
  for (const Extension& extension : std::vector<Extension>{{"1.2.3.4", "critical,DER:0500"},
                                                           {"1.2.3.4", "DER:0500"},
                                                           {"nsCertType", "sslCA"},
                                                           {"1.3.6.1.4.1.311.25.2", "DER:0500"},
                                                           {"issuerAltName", "DNS:a"}}) {
    ExpectRefused(Judge(with(extension)), "is not among those");
  }
  X509Constraints constraints = Permitted();
  constraints.extensions = {"1.2.3.4"};
  ExpectAccepted(Judge(with({"1.2.3.4", "critical,DER:0500"}), constraints));
  ExpectAccepted(Judge(with({"1.2.3.4", "DER:00"}), constraints));
  ExpectRefused(Judge(with({"1.2.3.5", "DER:0500"}), constraints), "1.2.3.5");
  for (const Extension& extension :
       std::vector<Extension>{{"subjectKeyIdentifier", "hash"},
                              {"tlsfeature", "status_request"},
                              {"crlDistributionPoints", "URI:http://example.com/crl"},
                              {"authorityInfoAccess", "OCSP;URI:http://example.com"},
                              {"2.5.29.32", "DER:300a3008060667810c010201"},
                              {"nsComment", "made by hand"}}) {
    ExpectAccepted(Judge(with(extension)));
  }
  ExpectRefused(Judge(with({"subjectAltName", "DNS:www.example.com"})), "twice");
  ExpectRefused(Judge(with({"2.5.29.14", "DER:04"})), "no DER");
  ExpectRefused(Judge(with({"2.5.29.14", "DER:04010000"})), "no DER");
  Certificate broken;
  broken.extensions.back() = {"2.5.29.17", "DER:0500"};
  ExpectRefused(Judge(broken), "subjectAltName");
}

TEST(X509Tbs, RefusesUniqueIdentifiers) {
  Bytes tbs = Tbs(Make({}, CaKey()).get());
  // In front of the extensions, whose lengths are of one byte here: [1] issuerUniqueID of no bits.
  ASSERT_EQ(tbs[1], 0x82);
  // The last place that looks like them: the key in front is random.
  auto found = tbs.end() - 2;
  while (found != tbs.begin() && (*found != 0xa3 || found[1] != tbs.end() - found - 2)) --found;
  ASSERT_NE(found, tbs.begin());
  const Bytes uid{0x81, 0x02, 0x00, 0x01};
  tbs.insert(found, uid.begin(), uid.end());
  tbs[3] = static_cast<uint8_t>(tbs[3] + uid.size());
  ExpectRefused(Check(Rule(Permitted()), tbs), "unique identifier");
}

TEST(X509Tbs, EveryOtherLengthIsRefused) {
  const Bytes good = Tbs(Make({}, CaKey()).get());
  ExpectAccepted(Check(Rule(Permitted()), good));
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(Check(Rule(Permitted()), ByteSpan(good).first(size)).ok()) << size;
  EXPECT_FALSE(Check(Rule(Permitted()), Join({good, Bytes{0}})).ok());
}

// No bit of a certificate may be turned into something that the rule did not mean: what is still
// accepted differs in its serial number, its dates, its key or an identifier of keys only.
TEST(X509Tbs, TurnedBitsChangeNothingThatTheRuleFixes) {
  const auto certificate = Make({}, CaKey());
  const Bytes good = Tbs(certificate.get());
  for (size_t bit = 0; bit < 8 * good.size(); ++bit) {
    Bytes turned = good;
    turned[bit / 8] = static_cast<uint8_t>(turned[bit / 8] ^ (1U << bit % 8));
    if (!Check(Rule(Permitted()), turned,
               {.issuers = {Der(X509_get_issuer_name(certificate.get()), i2d_X509_NAME)}})
             .ok()) {
      continue;
    }
    const auto read = ReadAsSigned<mech::X509Cert, X509_new_ex, d2i_X509>(turned);
    ASSERT_NE(read, nullptr);
    EXPECT_EQ(X509_get_version(read.get()), X509_VERSION_3);
    EXPECT_EQ(X509_check_ca(read.get()), 0) << bit;
    EXPECT_EQ(X509_check_host(read.get(), "www.example.com", 0, 0, nullptr), 1) << bit;
    EXPECT_EQ(
        X509_NAME_cmp(X509_get_issuer_name(read.get()), X509_get_issuer_name(certificate.get())),
        0);
  }
}

}  // namespace
}  // namespace keyclave::guard
