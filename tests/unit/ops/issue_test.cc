// Certificates for others: who may have them, what they say, and what the audit log says of it.
#include "enclave/mech/evp.h"
#include "tests/unit/guard/certificates.h"
#include "tests/unit/ops/enclave_fixture.h"

namespace keyclave::ops {
namespace {

using wire::Op;

constexpr const char* kRule =
    "    issue: {dns: [.mesh.example], usages: [server-auth, client-auth], max_validity: 24h}\n";

Bytes CsrOf(EVP_PKEY* key, const EVP_MD* digest = EVP_sha256()) {
  const mech::X509Request request(X509_REQ_new());
  X509_REQ_set_pubkey(request.get(), key);
  // What it asks for counts for nothing.
  X509_REQ_set_subject_name(request.get(), guard::MakeName({{"CN", "evil.example"}}).get());
  EXPECT_GT(X509_REQ_sign(request.get(), key, digest), 0);
  return guard::Der(request.get(), i2d_X509_REQ);
}

mech::X509Cert Read(const Bytes& der) {
  const uint8_t* next = der.data();
  return mech::X509Cert(d2i_X509(nullptr, &next, static_cast<long>(der.size())));
}

UnixTime TimeOf(const ASN1_TIME* time) { return guard::ReadTime(time).value(); }

class IssueTest : public EnclaveFixture {
 protected:
  void SetUp() override {
    EnclaveFixture::SetUp();
    leaf_ = guard::NewKey();
    MakeCa(kRule);
  }
  // A token with a CA under a policy whose first permit issues.
  void MakeCa(const std::string& rule, uint64_t days = 30) {
    token_ = MakeToken(PolicyText("ca", "issue", OwnMeasurement(), rule)).id;
    root_ = Connect(0);
    caller_ = Connect(1000);
    ASSERT_TRUE(MakeKey(*root_, token_, "ca").ok());
    Store(MakeRoot(days), "ca");
  }
  Bytes MakeRoot(uint64_t days) {
    wire::CertifyRequest request;
    request.key = Ca();
    request.kind = wire::CertifyKind::kSelfSignedCa;
    request.subject = "CN=Mesh CA";
    request.days = days;
    const auto reply = Run<Op::kCertify>(*root_, request);
    EXPECT_TRUE(reply.ok()) << reply.error().Text();
    return reply->der;
  }
  void Store(const Bytes& der, const std::string& label) {
    wire::CreateObjectRequest request;
    request.token = token_;
    const auto found = store_->Resolve(Ca(), [](const keys::Object&) { return true; });
    request.attributes.SetUlong(CKA_CLASS, CKO_CERTIFICATE);
    request.attributes.SetUlong(CKA_CERTIFICATE_TYPE, CKC_X_509);
    request.attributes.SetText(CKA_LABEL, label);
    request.attributes.Set(CKA_ID, *(*found)->attributes.Find(CKA_ID));
    request.attributes.Set(CKA_VALUE, der);
    request.attributes.SetBool(CKA_TOKEN, true);
    const auto stored = Run<Op::kCreateObject>(*root_, request);
    ASSERT_TRUE(stored.ok()) << stored.error().Text();
  }
  static wire::ObjectRef Ca() {
    wire::ObjectRef ref = ByLabel("ca");
    ref.object_class = CKO_PRIVATE_KEY;
    return ref;
  }
  wire::IssueCertificateRequest For(std::vector<std::string> names) const {
    wire::IssueCertificateRequest request;
    request.key = Ca();
    request.csr = CsrOf(leaf_.get());
    request.names = std::move(names);
    request.usages = {"server-auth"};
    request.validity = 3600;
    return request;
  }
  // The last record of this kind.
  std::string LastAudit(const std::string& event) {
    std::string last;
    const auto lines = audit_->Read(1, 1000);
    for (const std::string& line : lines.value()) {
      if (line.find("\"event\":\"" + event + "\"") != std::string::npos) last = line;
    }
    return last;
  }

  wire::TokenId token_{};
  std::unique_ptr<Caller> root_;
  std::unique_ptr<Caller> caller_;
  mech::EvpPkey leaf_;
};

TEST_F(IssueTest, TheCertificateSaysWhatWasAskedAndNothingElse) {
  const auto reply = Run<Op::kIssueCertificate>(*caller_, For({"web.mesh.example"}));
  ASSERT_TRUE(reply.ok()) << reply.error().Text();
  const mech::X509Cert made = Read(reply->certificate);
  ASSERT_EQ(reply->chain.size(), 1U);
  const mech::X509Cert ca = Read(reply->chain.front());
  EXPECT_EQ(X509_get_version(made.get()), X509_VERSION_3);
  EXPECT_EQ(X509_NAME_entry_count(X509_get_subject_name(made.get())), 0);
  EXPECT_EQ(X509_check_host(made.get(), "web.mesh.example", 0, 0, nullptr), 1);
  EXPECT_NE(X509_check_host(made.get(), "evil.example", 0, 0, nullptr), 1);
  EXPECT_EQ(EVP_PKEY_eq(X509_get0_pubkey(made.get()), leaf_.get()), 1);
  EXPECT_EQ(X509_check_ca(made.get()), 0);
  EXPECT_EQ(X509_get_key_usage(made.get()), static_cast<uint32_t>(KU_DIGITAL_SIGNATURE));
  EXPECT_EQ(X509_get_extended_key_usage(made.get()), static_cast<uint32_t>(XKU_SSL_SERVER));
  EXPECT_EQ(X509_check_issued(ca.get(), made.get()), X509_V_OK);
  EXPECT_EQ(X509_verify(made.get(), X509_get0_pubkey(ca.get())), 1);
  EXPECT_EQ(TimeOf(X509_get0_notBefore(made.get())), clock_.now - 60);
  EXPECT_EQ(TimeOf(X509_get0_notAfter(made.get())), clock_.now + 3600);
  // Random, positive, 16 bytes.
  const ASN1_INTEGER* serial = X509_get0_serialNumber(made.get());
  EXPECT_EQ(ASN1_STRING_length(serial), 16);
  const auto second = Run<Op::kIssueCertificate>(*caller_, For({"web.mesh.example"}));
  EXPECT_NE(ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(Read(second->certificate).get())), 0);
}

TEST_F(IssueTest, EachIssueIsARecord) {
  const auto reply = Run<Op::kIssueCertificate>(*caller_, For({"web.mesh.example"}));
  ASSERT_TRUE(reply.ok());
  const std::string line = LastAudit("issue");
  const mech::X509Cert made = Read(reply->certificate);
  const ASN1_INTEGER* serial = X509_get0_serialNumber(made.get());
  for (const std::string& part :
       {std::string("\"names\":\"web.mesh.example\""), std::string("\"permit\":\"1\""),
        std::string("\"validity\":\"3600\""), std::string("\"usages\":\"server-auth\""),
        "\"not_after\":\"" + FormatTime(clock_.now + 3600) + "\"",
        "\"serial\":\"" + ToHex(FromC(ASN1_STRING_get0_data(serial), 16)) + "\"",
        "\"public_key\":\"" + ToHex(Sha256(guard::SpkiOf(leaf_.get()))) + "\""}) {
    EXPECT_NE(line.find(part), std::string::npos) << part << "\n" << line;
  }
}

TEST_F(IssueTest, WhatThePolicyDoesNotNameIsRefusedAndRecorded) {
  const auto refused = Run<Op::kIssueCertificate>(*caller_, For({"web.evil.example"}));
  EXPECT_EQ(refused.code(), Code::kIssueRefused);
  const std::string line = LastAudit("denial");
  EXPECT_NE(line.find("\"names\":\"web.evil.example\""), std::string::npos) << line;
  EXPECT_NE(line.find("\"operation\":\"issue\""), std::string::npos) << line;
  EXPECT_NE(line.find("\"code\":\"IssueRefused\""), std::string::npos) << line;
  EXPECT_NE(line.find(ToHex(Sha256(guard::SpkiOf(leaf_.get())))), std::string::npos) << line;
  EXPECT_EQ(LastAudit("issue"), "");
}

TEST_F(IssueTest, OnlyWhoHoldsTheKeyHasItCertified) {
  auto request = For({"web.mesh.example"});
  const Bytes good = request.csr;
  request.csr.back() = static_cast<uint8_t>(request.csr.back() ^ 1U);
  EXPECT_EQ(Run<Op::kIssueCertificate>(*caller_, request).code(), Code::kProofInvalid);
  // Another's key, signed by one's own.
  const mech::X509Request forged(X509_REQ_new());
  X509_REQ_set_pubkey(forged.get(), leaf_.get());
  EXPECT_GT(X509_REQ_sign(forged.get(), guard::NewKey().get(), EVP_sha256()), 0);
  request.csr = guard::Der(forged.get(), i2d_X509_REQ);
  EXPECT_EQ(Run<Op::kIssueCertificate>(*caller_, request).code(), Code::kProofInvalid);
  request.csr = CsrOf(leaf_.get(), EVP_sha1());
  EXPECT_EQ(Run<Op::kIssueCertificate>(*caller_, request).code(), Code::kProofInvalid);
  for (const Bytes& bad : {Bytes(), Bytes(1, 0x30), Bytes(good.begin(), good.end() - 1)}) {
    request.csr = bad;
    EXPECT_EQ(Run<Op::kIssueCertificate>(*caller_, request).code(), Code::kMalformed);
  }
  request.csr = good;
  request.csr.push_back(0);
  EXPECT_EQ(Run<Op::kIssueCertificate>(*caller_, request).code(), Code::kMalformed);
}

TEST_F(IssueTest, KeysThatAreWeakAreNotCertified) {
  const mech::EvpPkey weak(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{1024}));
  auto request = For({"web.mesh.example"});
  request.csr = CsrOf(weak.get());
  EXPECT_EQ(Run<Op::kIssueCertificate>(*caller_, request).code(), Code::kKeySizeRange);
  const mech::EvpPkey strong = guard::NewKey("RSA");
  request.csr = CsrOf(strong.get());
  const auto reply = Run<Op::kIssueCertificate>(*caller_, request);
  ASSERT_TRUE(reply.ok()) << reply.error().Text();
  EXPECT_EQ(X509_get_key_usage(Read(reply->certificate).get()),
            static_cast<uint32_t>(KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT));
}

// A session object is under no policy: what it may be used for, nobody has said.
TEST_F(IssueTest, AKeyOfASessionIsNoCa) {
  ASSERT_TRUE(MakeKey(*caller_, token_, "own", /*persistent=*/false).ok());
  auto request = For({"web.mesh.example"});
  request.key = ByLabel("own");
  request.key.object_class = CKO_PRIVATE_KEY;
  EXPECT_EQ(Run<Op::kIssueCertificate>(*caller_, request).code(), Code::kIssueRefused);
}

TEST_F(IssueTest, SigningIsAnotherOperation) {
  EXPECT_EQ(Run<Op::kSign>(*caller_, SignWith(Ca())).code(), Code::kDenied);
}

TEST_F(IssueTest, WithoutEvidenceNobodyHasACertificate) {
  const auto stranger = Connect(1000, /*attest=*/false);
  EXPECT_EQ(Run<Op::kIssueCertificate>(*stranger, For({"web.mesh.example"})).code(),
            Code::kNotAttested);
}

TEST_F(IssueTest, NothingOutlivesTheCa) {
  clock_.now += 29 * 86400;
  auto request = For({"web.mesh.example"});
  request.validity = 86400;
  clock_.now += 43200;
  caller_ = Connect(1000);
  const auto reply = Run<Op::kIssueCertificate>(*caller_, request);
  ASSERT_TRUE(reply.ok()) << reply.error().Text();
  EXPECT_EQ(TimeOf(X509_get0_notAfter(Read(reply->certificate).get())),
            TimeOf(X509_get0_notAfter(Read(reply->chain.front()).get())));
  clock_.now += 43200;
  caller_ = Connect(1000);
  EXPECT_EQ(Run<Op::kIssueCertificate>(*caller_, request).code(), Code::kIssuerUnfit);
}

class UnfitIssuerTest : public IssueTest {
 protected:
  void SetUp() override {
    EnclaveFixture::SetUp();
    leaf_ = guard::NewKey();
    token_ = MakeToken(PolicyText("ca", "issue", OwnMeasurement(), kRule)).id;
    root_ = Connect(0);
    caller_ = Connect(1000);
    ASSERT_TRUE(MakeKey(*root_, token_, "ca").ok());
  }
  // The certificate that another CA gives to this one's key.
  Bytes CertifiedBy(EVP_PKEY* parent, const std::vector<guard::Extension>& extensions) {
    const auto object = store_->Resolve(Ca(), [](const keys::Object&) { return true; });
    const auto handle = store_->OpenKey(**object);
    guard::Certificate what;
    what.issuer = {{"CN", "Parent"}};
    what.subject = {{"CN", "Mesh CA"}};
    what.begin = clock_.now - 60;
    what.end = clock_.now + 86400;
    what.extensions = extensions;
    const mech::X509Cert made = guard::Make(what, parent);
    X509_set_pubkey(made.get(), (*handle)->pkey());
    EXPECT_GT(X509_sign(made.get(), parent, EVP_sha256()), 0);
    return guard::Der(made.get(), i2d_X509);
  }
  Code Issue(const std::string& name) {
    const auto reply = Run<Op::kIssueCertificate>(*caller_, For({name}));
    return reply.ok() ? Code{} : reply.code();
  }
};

TEST_F(UnfitIssuerTest, WithoutACasCertificateNothingIsIssued) {
  EXPECT_EQ(Issue("a.mesh.example"), Code::kIssuerUnfit);
  const mech::EvpPkey parent = guard::NewKey();
  Store(CertifiedBy(parent.get(), {{"basicConstraints", "critical,CA:FALSE"}}), "leaf");
  EXPECT_EQ(Issue("a.mesh.example"), Code::kIssuerUnfit);
  Store(CertifiedBy(parent.get(),
                    {{"basicConstraints", "critical,CA:TRUE"}, {"keyUsage", "critical,cRLSign"}}),
        "crl");
  EXPECT_EQ(Issue("a.mesh.example"), Code::kIssuerUnfit);
  Store(CertifiedBy(parent.get(), {{"basicConstraints", "critical,CA:TRUE"},
                                   {"keyUsage", "critical,keyCertSign"}}),
        "ca");
  EXPECT_EQ(Issue("a.mesh.example"), Code{});
}

TEST_F(UnfitIssuerTest, AnotherKeysCertificateMakesNobodyACa) {
  guard::Certificate what;
  what.extensions = {{"basicConstraints", "critical,CA:TRUE"}};
  what.begin = clock_.now - 60;
  what.end = clock_.now + 86400;
  Store(guard::Der(guard::Make(what, guard::NewKey().get()).get(), i2d_X509), "other");
  EXPECT_EQ(Issue("a.mesh.example"), Code::kIssuerUnfit);
}

TEST_F(UnfitIssuerTest, NameConstraintsOfTheCaHold) {
  const mech::EvpPkey parent = guard::NewKey();
  Store(
      CertifiedBy(parent.get(), {{"basicConstraints", "critical,CA:TRUE"},
                                 {"keyUsage", "critical,keyCertSign"},
                                 {"nameConstraints", "critical,permitted;DNS:inner.mesh.example"}}),
      "ca");
  EXPECT_EQ(Issue("a.inner.mesh.example"), Code{});
  EXPECT_EQ(Issue("a.mesh.example"), Code::kIssuerUnfit);
}

TEST_F(UnfitIssuerTest, TheChainGoesUpAsFarAsTheTokenHasIt) {
  const mech::EvpPkey parent = guard::NewKey();
  guard::Certificate what;
  what.issuer = what.subject = {{"CN", "Parent"}};
  what.begin = clock_.now - 60;
  what.end = clock_.now + 86400;
  what.extensions = {{"basicConstraints", "critical,CA:TRUE"},
                     {"keyUsage", "critical,keyCertSign"},
                     {"nameConstraints", "critical,excluded;DNS:secret.mesh.example"}};
  const mech::X509Cert top = guard::Make(what, parent.get());
  Store(CertifiedBy(parent.get(), {{"basicConstraints", "critical,CA:TRUE"},
                                   {"keyUsage", "critical,keyCertSign"}}),
        "ca");
  Store(guard::Der(top.get(), i2d_X509), "parent");
  const auto reply = Run<Op::kIssueCertificate>(*caller_, For({"a.mesh.example"}));
  ASSERT_TRUE(reply.ok()) << reply.error().Text();
  ASSERT_EQ(reply->chain.size(), 2U);
  EXPECT_EQ(reply->chain.back(), guard::Der(top.get(), i2d_X509));
  // What stands above binds, too.
  EXPECT_EQ(Issue("a.secret.mesh.example"), Code::kIssuerUnfit);
}

}  // namespace
}  // namespace keyclave::ops
