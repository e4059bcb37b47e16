// Certificates that a CA's key issues to others.

#include <nlohmann/json.hpp>

#include "enclave/ops/audit_fields.h"
#include "enclave/ops/ca_certificates.h"
#include "enclave/ops/handlers.h"

namespace keyclave::ops {
namespace {

constexpr int kAttestationResult = 8;  // RFC 9999: bit 3 of the indicator

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

// What the permit has the certificate tell: of the claims that it names, those that the caller has
// proved. A record of RFC 9999: media type, value, and that it is an attestation result.
Result<std::string> ToldClaims(Call& call, const IssueUnder::Proof& proof) {
  KC_ASSIGN(const auto policy, call.service.policies.OfObject(call.service.store, proof.object()));
  const authz::Permit& permit = policy->permits().at(proof.permit() - 1);
  if (!permit.issue.has_value() || permit.issue->claims.empty()) return std::string();
  const auto& identity = call.identity;
  if (!identity->attested) return std::string();
  nlohmann::json claims = nlohmann::json::object();
  for (const std::string& name : permit.issue->claims) {
    const attest::Claim* claim = identity->claims.Find(name);
    if (claim != nullptr && claim->origin == attest::Origin::kAttested)
      claims[name] = attest::ToText(claim->value);
  }
  const nlohmann::json result = {{"iat", identity->verified_at}, {"keyclave", std::move(claims)}};
  const nlohmann::json record = {"application/eat-ucs+json", ToBase64Url(AsBytes(result.dump())),
                                 kAttestationResult};
  return record.dump();
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
  KC_ASSIGN(const std::string told, ToldClaims(call, proof));
  KC_ASSIGN(mech::IssuedCertificate issued,
            mech::IssuedCertificate::Sign(*key, issuer, *proof.wanted().leaf(), call.now, told));
  wire::IssueCertificateReply reply;
  KC_ASSIGN(reply.chain, issuer.Chain());
  KC_CHECK_OK(Record(call, proof, issued));
  reply.certificate = std::move(issued.der);
  return reply;
}

}  // namespace keyclave::ops
