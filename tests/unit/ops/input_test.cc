// A permit's `input`, judged with what the token stores.
#include "enclave/ops/input_check.h"
#include "tests/unit/guard/certificates.h"
#include "tests/unit/ops/enclave_fixture.h"

namespace keyclave::ops {
namespace {

using authz::InputForm;
using authz::InputRule;
using wire::Op;

class InputTest : public EnclaveFixture {
 protected:
  void SetUp() override {
    EnclaveFixture::SetUp();
    token_ = MakeToken(PolicyText("p", "sign, manage", OwnMeasurement())).id;
    caller_ = Connect(1000);
    root_ = Connect(0);
    const auto pair = MakeKey(*root_, token_, "ca");
    ASSERT_TRUE(pair.ok()) << pair.error().Text();
    key_ = *store_->Get(pair->private_key.id);
  }

  Status Check(const InputRule& rule, uint64_t mechanism, ByteSpan message) {
    Call call{.service = *service_,
              .connection = caller_->connection,
              .session = *caller_->connection.session,
              .op = Op::kSign,
              .now = guard::kNow,
              .audit_fields = {}};
    wire::Mechanism used;
    used.type = mechanism;
    return CheckSignInput(call, *key_, used, message, rule);
  }

  // A certificate of the key in the token, or in a session of the caller.
  void Store(ByteSpan der, bool persistent) {
    wire::CreateObjectRequest request;
    request.token = token_;
    request.attributes.SetUlong(CKA_CLASS, CKO_CERTIFICATE);
    request.attributes.SetUlong(CKA_CERTIFICATE_TYPE, CKC_X_509);
    request.attributes.Set(CKA_ID, *key_->attributes.Find(CKA_ID));
    request.attributes.Set(CKA_VALUE, der);
    request.attributes.SetBool(CKA_TOKEN, persistent);
    const auto stored = Run<Op::kCreateObject>(persistent ? *root_ : *caller_, request);
    ASSERT_TRUE(stored.ok()) << stored.error().Text();
  }
  Bytes CertifyKey(const std::string& subject) {
    wire::CertifyRequest request;
    request.key = ByLabel("ca");
    request.kind = wire::CertifyKind::kSelfSigned;
    request.subject = subject;
    request.days = 30;
    const auto reply = Run<Op::kCertify>(*root_, request);
    EXPECT_TRUE(reply.ok()) << reply.error().Text();
    return reply.ok() ? reply->der : Bytes();
  }

  wire::TokenId token_{};
  std::unique_ptr<Caller> caller_;
  std::unique_ptr<Caller> root_;
  keys::ObjectPtr key_;
};

Bytes TbsFrom(const std::string& issuer) {
  guard::Certificate certificate;
  certificate.issuer = {{"CN", issuer}};
  const mech::EvpPkey any = guard::NewKey();
  return guard::Tbs(guard::Make(certificate, any.get()).get());
}

InputRule TbsRule() {
  return {.forms = {InputForm::kX509Tbs},
          .x509 = authz::X509Constraints{.dns = {"www.example.com"}}};
}

TEST_F(InputTest, TheMechanismSaysWhetherTheMessageIsSeen) {
  const Bytes message = guard::Tls13("server", 32);
  EXPECT_TRUE(Check(guard::kServer, CKM_ECDSA_SHA256, message).ok());
  guard::ExpectRefused(Check(guard::kServer, CKM_ECDSA, Bytes(32)), "has to see the message");
  EXPECT_EQ(Check(guard::kServer, 0x7777, message).code(), Code::kMechanismInvalid);
}

TEST_F(InputTest, ARequestIsForTheKeyItself) {
  const auto handle = store_->OpenKey(*key_);
  ASSERT_TRUE(handle.ok());
  const mech::X509Request request(X509_REQ_new());
  X509_REQ_set_pubkey(request.get(), (*handle)->pkey());
  const InputRule rule = guard::Form(InputForm::kX509Csr);
  EXPECT_TRUE(Check(rule, CKM_ECDSA_SHA256, guard::Der(request.get(), i2d_re_X509_REQ_tbs)).ok());
  const mech::EvpPkey other = guard::NewKey();
  X509_REQ_set_pubkey(request.get(), other.get());
  guard::ExpectRefused(
      Check(rule, CKM_ECDSA_SHA256, guard::Der(request.get(), i2d_re_X509_REQ_tbs)), "another key");
}

TEST_F(InputTest, TheIssuerIsWhatTheStoredCertificateSays) {
  // Nobody has said yet who this CA is.
  EXPECT_TRUE(Check(TbsRule(), CKM_ECDSA_SHA256, TbsFrom("Whoever")).ok());
  Store(CertifyKey("CN=The CA"), /*persistent=*/true);
  EXPECT_TRUE(Check(TbsRule(), CKM_ECDSA_SHA256, TbsFrom("The CA")).ok());
  guard::ExpectRefused(Check(TbsRule(), CKM_ECDSA_SHA256, TbsFrom("Whoever")), "issuer");
}

TEST_F(InputTest, CertificatesOfSessionsAndOfOtherKeysDoNotSayIt) {
  Store(CertifyKey("CN=The CA"), /*persistent=*/true);
  Store(CertifyKey("CN=Whoever"), /*persistent=*/false);
  const mech::EvpPkey other = guard::NewKey();
  guard::Certificate foreign;
  foreign.subject = {{"CN", "Whoever"}};
  Store(guard::Der(guard::Make(foreign, other.get()).get(), i2d_X509), /*persistent=*/true);
  guard::ExpectRefused(Check(TbsRule(), CKM_ECDSA_SHA256, TbsFrom("Whoever")), "issuer");
  EXPECT_TRUE(Check(TbsRule(), CKM_ECDSA_SHA256, TbsFrom("The CA")).ok());
}

}  // namespace
}  // namespace keyclave::ops
