// What `issue` permits: the enclave's own drafts, judged by names, usages and time.
#include "enclave/guard/issue.h"

#include "tests/unit/guard/certificates.h"

namespace keyclave::guard {
namespace {

authz::IssueRule Mesh() {
  return {.x509 = {.dns = {"www.example.com", ".mesh.example", "*.wild.example"},
                   .ip = {{{10, 1, 0, 0}, 16}},
                   .email = {"example.com"},
                   .uri = {"spiffe://mesh.example/ns/web/*", "spiffe://mesh.example/one",
                           "host.example"},
                   .subject = {"O=Example"},
                   .usages = {authz::CertificateUsage::kServerAuth}},
          .max_validity = 3600};
}

Bytes CsrOf(EVP_PKEY* key) {
  const mech::X509Request request(X509_REQ_new());
  X509_REQ_set_pubkey(request.get(), key);
  EXPECT_GT(X509_REQ_sign(request.get(), key, EVP_sha256()), 0);
  return Der(request.get(), i2d_X509_REQ);
}

wire::IssueCertificateRequest For(std::vector<std::string> names) {
  static const auto* const csr = new Bytes(CsrOf(NewKey().get()));
  wire::IssueCertificateRequest request;
  request.csr = *csr;
  request.names = std::move(names);
  request.usages = {"server-auth"};
  request.validity = 3600;
  return request;
}

Status Judge(const wire::IssueCertificateRequest& request, const authz::IssueRule& rule = Mesh()) {
  KC_ASSIGN(const mech::Leaf leaf, mech::DraftLeaf(request));
  return CheckIssue(rule, leaf);
}

TEST(Issue, WhatTheRuleNamesIsIssued) {
  for (const char* const name :
       {"www.example.com", "a.mesh.example", "a.b.mesh.example", "A.Mesh.EXAMPLE", "*.wild.example",
        "10.1.2.3", "job@example.com", "spiffe://mesh.example/ns/web/sa/a",
        "spiffe://mesh.example/ns/web/x", "spiffe://mesh.example/one", "https://host.example/a",
        "xn--bcher-kva.mesh.example"}) {
    EXPECT_TRUE(Judge(For({name})).ok()) << name << ": " << Judge(For({name})).error().Text();
  }
  EXPECT_TRUE(Judge(For({"a.mesh.example", "10.1.0.1", "spiffe://mesh.example/one"})).ok());
}

TEST(Issue, EveryOtherNameIsRefused) {
  for (const char* const name : {"example.com",
                                 "mesh.example",
                                 "xmesh.example",
                                 "*.mesh.example",
                                 "a.wild.example",
                                 "*.a.wild.example",
                                 "www.example.com.evil.example",
                                 "10.2.0.1",
                                 "::1",
                                 "::ffff:10.1.2.3",
                                 "job@sub.example.com",
                                 "spiffe://mesh.example/ns/web",
                                 "spiffe://mesh.example/ns/web/",
                                 "spiffe://mesh.example/ns/web/../other",
                                 "spiffe://mesh.example/ns/web/./a",
                                 "spiffe://mesh.example/ns/web//a",
                                 "spiffe://mesh.example/ns/web/%2e%2e/a",
                                 "spiffe://mesh.example/ns/web/a?b",
                                 "spiffe://mesh.example/ns/web/a#b",
                                 "spiffe://mesh.example/ns/web/*",
                                 "spiffe://mesh.example/ns/webs/a",
                                 "spiffe://mesh.example/one/",
                                 "spiffe://mesh.example/One",
                                 "SPIFFE://mesh.example/one",
                                 "spiffe://MESH.example/one",
                                 "spiffe://mesh.example:443/one",
                                 "spiffe://x@mesh.example/one",
                                 "spiffe://mesh.example.evil.example/one",
                                 "https://mesh.example/one"}) {
    EXPECT_EQ(Judge(For({name})).code(), Code::kIssueRefused) << name;
    EXPECT_EQ(Judge(For({"www.example.com", name})).code(), Code::kIssueRefused) << name;
  }
}

// They never become a name in a certificate.
TEST(Issue, ConfusingNamesAreNone) {
  using std::string_literals::operator""s;
  for (const std::string& name : {""s,
                                  "."s,
                                  "a.mesh.example."s,
                                  "a..mesh.example"s,
                                  ".mesh.example"s,
                                  "www.example.com\0.evil.example"s,
                                  "www.example.com\0"s,
                                  "a.mesh.example "s,
                                  " a.mesh.example"s,
                                  "a b.mesh.example"s,
                                  "b\xc3\xbc\x63her.mesh.example"s,
                                  "a.mesh.example\n"s,
                                  "**.wild.example"s,
                                  "x*.wild.example"s,
                                  "*"s,
                                  "*.*.wild.example"s,
                                  "10.1.2"s,
                                  "10.1.2.3.4"s,
                                  "010.1.2.3"s,
                                  "10.1.2.3\0"s,
                                  "spiffe://mesh.example/\xc3\xbc"s,
                                  "spiffe://mesh.example/one\0x"s,
                                  "://mesh.example/one"s,
                                  "-a.mesh.example"s,
                                  std::string(64, 'a') + ".mesh.example"}) {
    EXPECT_EQ(Judge(For({name})).code(), Code::kInvalidArgument) << name;
  }
}

TEST(Issue, AddressesNeedARangeOfTheirKind) {
  authz::IssueRule rule = Mesh();
  rule.x509.ip.clear();
  EXPECT_EQ(Judge(For({"10.1.2.3"}), rule).code(), Code::kIssueRefused);
  rule.x509.dns = {"10.1.2.3"};  // a name that looks like one is none
  EXPECT_EQ(Judge(For({"10.1.2.3"}), rule).code(), Code::kIssueRefused);
}

TEST(Issue, TheSubjectIsJudgedToo) {
  auto request = For({"www.example.com"});
  for (const char* const good : {"", "CN=www.example.com", "CN=a.mesh.example", "O=Example"}) {
    request.subject = good;
    EXPECT_TRUE(Judge(request).ok()) << good;
  }
  for (const char* const bad : {"CN=evil.example", "O=Other", "CN=*.mesh.example", "OU=x",
                                "CN=www.example.com,CN=evil.example"}) {
    request.subject = bad;
    EXPECT_EQ(Judge(request).code(), Code::kIssueRefused) << bad;
  }
}

TEST(Issue, UsagesAndTimeAreTheRules) {
  auto request = For({"www.example.com"});
  request.usages = {"client-auth"};
  EXPECT_EQ(Judge(request).code(), Code::kIssueRefused);
  request.usages = {"server-auth", "client-auth"};
  EXPECT_EQ(Judge(request).code(), Code::kIssueRefused);
  for (const std::vector<std::string>& none :
       {std::vector<std::string>{}, {"any"}, {"server-auth", "server-auth"}, {"SERVER-AUTH"}}) {
    request.usages = none;
    EXPECT_EQ(Judge(request).code(), Code::kInvalidArgument);
  }
  request = For({"www.example.com"});
  request.validity = 3601;
  EXPECT_EQ(Judge(request).code(), Code::kIssueRefused);
  request.validity = UINT64_MAX;
  EXPECT_EQ(Judge(request).code(), Code::kIssueRefused);
  request.validity = 0;
  EXPECT_EQ(Judge(request).code(), Code::kInvalidArgument);
}

TEST(Issue, ARuleThatPermitsMoreThanLeavesPermitsNothing) {
  authz::IssueRule rule = Mesh();
  rule.x509.ca = true;
  EXPECT_EQ(Judge(For({"www.example.com"}), rule).code(), Code::kIssueRefused);
  rule = Mesh();
  rule.x509.extensions = {"1.2.3.4"};
  EXPECT_EQ(Judge(For({"www.example.com"}), rule).code(), Code::kIssueRefused);
}

}  // namespace
}  // namespace keyclave::guard
