// Release: a key or data object, wrapped for a public key of the caller's evidence, with a receipt.

#include "enclave/base/hash.h"
#include "enclave/ops/audit_fields.h"
#include "enclave/ops/handlers.h"
#include "enclave/ops/receipt_jws.h"
#include "enclave/ops/release.h"
#include "enclave/wire/receipt.h"

namespace keyclave::ops {
namespace {

std::string ClaimText(const session::Session::Identity& identity, std::string_view name) {
  const attest::Claim* claim = identity.claims.Find(name);
  return claim == nullptr ? std::string() : attest::ToText(claim->value);
}

Result<wire::ReleaseReceipt> BuildReceipt(Call& call, const ReleaseTo::Proof& proof) {
  const keys::Object& object = proof.object();
  KC_ASSIGN(const auto policy, call.service.policies.OfObject(call.service.store, object));
  const auto& identity = call.identity;
  wire::ReleaseReceipt receipt;
  receipt.label = wire::kReceiptLabel;
  receipt.enclave_id = call.service.store.enclave_id();
  receipt.object = object.id;
  if (const Bytes* label = object.attributes.Find(CKA_LABEL)) receipt.object_label = *label;
  receipt.policy = policy->name();
  receipt.policy_version = policy->version();
  receipt.policy_digest = policy->digest();
  receipt.permit = proof.permit();
  receipt.evidence = identity->evidence;
  receipt.tee = ClaimText(*identity, "tee");
  receipt.measurement = ClaimText(*identity, "measurement");
  receipt.recipient = proof.recipient().name;
  receipt.recipient_spki = proof.recipient().spki;
  receipt.form = proof.form().name;
  receipt.released_at = call.now;
  return receipt;
}

// The record is on disk before anything is handed out.
Result<uint64_t> Record(Call& call, const keys::Object& object,
                        const wire::ReleaseReceipt& receipt) {
  std::vector<audit::Field> fields = ObjectFields(object);
  fields.push_back({"policy_version", std::to_string(receipt.policy_version)});
  fields.push_back({"permit", std::to_string(receipt.permit)});
  fields.push_back({"form", receipt.form});
  fields.push_back({"recipient", receipt.recipient});
  fields.push_back({"recipient_key", ToHex(receipt.recipient_spki)});
  AddCaller(call, fields);
  return call.service.audit.WriteNumbered("release", fields);
}

}  // namespace

ReplyOf<Op::kRelease> Release(Call& call, const wire::ReleaseRequest& request,
                              const ReleaseTo::Proof& proof) {
  const keys::Object& object = proof.object();
  if (request.nonce.size() > wire::kMaxReceiptNonce)
    return Fail(Code::kTooLarge, "a nonce of more than 64 bytes");
  KC_CHECK_OK(CheckReleasable(object, /*wrapped_by_trusted=*/false));
  KC_ASSIGN(const SecretBytes secret, SecretOf(call, object));
  wire::ReleaseReply reply;
  KC_ASSIGN(reply.wrapped,
            mech::WrapReleased(proof.form(), *proof.recipient().key, object.id, secret));
  KC_ASSIGN(wire::ReleaseReceipt receipt, BuildReceipt(call, proof));
  receipt.wrapped = Sha256(reply.wrapped);
  receipt.nonce = request.nonce;
  KC_ASSIGN(receipt.audit_sequence, Record(call, object, receipt));
  reply.receipt = wire::Encode(receipt);
  KC_ASSIGN(reply.signature, call.service.audit.SignDigest(wire::ReceiptDigest(reply.receipt)));
  KC_ASSIGN(reply.jws, ReceiptJws(call.service, receipt));
  return reply;
}

}  // namespace keyclave::ops
