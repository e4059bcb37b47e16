// Certificates that a CA's key issues to others.

#include "enclave/ops/audit_fields.h"
#include "enclave/ops/ca_certificates.h"
#include "enclave/ops/handlers.h"

namespace keyclave::ops {
namespace {

// The record is on disk before anything is handed out.
Status Record(Call& call, const IssueUnder::Proof& proof, const mech::IssuedCertificate& issued) {
  std::vector<audit::Field> fields = ObjectFields(proof.object());
  fields.push_back({"permit", std::to_string(proof.permit())});
  AddWanted(proof.wanted(), fields);
  fields.push_back({"serial", issued.serial});
  fields.push_back({"not_before", FormatTime(issued.not_before)});
  fields.push_back({"not_after", FormatTime(issued.not_after)});
  AddCaller(call, fields);
  return call.service.audit.Write("issue", fields);
}

}  // namespace

ReplyOf<Op::kIssueCertificate> IssueCertificate(Call& call,
                                                const wire::IssueCertificateRequest& /*request*/,
                                                const IssueUnder::Proof& proof) {
  const keys::Object& object = proof.object();
  // A session object is its caller's own: no permit was asked, and so neither names nor proof.
  if (proof.permit() == 0 || proof.wanted().leaf() == nullptr)
    return Fail(Code::kIssueRefused, "a CA is a token's key, under a policy");
  if (object.Class() != CKO_PRIVATE_KEY)
    return Fail(Code::kKeyTypeInconsistent, "only a private key");
  if (!object.attributes.IsTrue(CKA_SIGN)) return Fail(Code::kKeyFunctionNotPermitted, "CKA_SIGN");
  KC_ASSIGN(const auto key, call.service.store.OpenKey(object));
  KC_ASSIGN(const mech::Issuer issuer, IssuerOf(call, object));
  KC_ASSIGN(mech::IssuedCertificate issued,
            mech::IssuedCertificate::Sign(*key, issuer, *proof.wanted().leaf(), call.now));
  wire::IssueCertificateReply reply;
  KC_ASSIGN(reply.chain, issuer.Chain());
  KC_CHECK_OK(Record(call, proof, issued));
  reply.certificate = std::move(issued.der);
  return reply;
}

}  // namespace keyclave::ops
