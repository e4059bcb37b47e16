#include "enclave/ctl/release_call.h"

#include "enclave/base/hash.h"

namespace keyclave::ctl {
namespace {

// The receipt must be for what came, by the enclave that it came from.
Result<wire::ReleaseReceipt> CheckReceipt(Enclave& enclave, const wire::ReleaseRequest& request,
                                          const wire::ReleaseReply& reply) {
  KC_ASSIGN(const wire::StatusReply status, enclave.Call<wire::Op::kStatus>({}));
  KC_ASSIGN(wire::ReleaseReceipt receipt,
            VerifyReceipt({reply.receipt, reply.signature}, status.audit_key));
  const bool fits = receipt.wrapped == Sha256(reply.wrapped) && receipt.nonce == request.nonce &&
                    receipt.recipient_spki == request.recipient &&
                    receipt.object == request.object.id;
  if (!fits) return Fail(Code::kReceiptInvalid, "it is for another release");
  return receipt;
}

}  // namespace

void NameInEvidence(client::ClientConfig& config, const Bytes& spki) {
  for (const wire::ReleaseKey& key : config.release_keys) {
    if (key.spki == spki) return;
  }
  config.release_keys.push_back({std::string(kReleaseKeyName), spki});
}

Result<Released> ReleaseTo(Enclave& enclave, const wire::ObjectInfo& object,
                           const Recipient& recipient) {
  wire::ReleaseRequest request;
  request.object = RefTo(object);
  request.recipient = Sha256(recipient.spki);
  request.form = static_cast<uint64_t>(*authz::ParseWrapForm(recipient.form->name));
  request.nonce = ToBytes(RandomArray<32>());
  KC_ASSIGN(wire::ReleaseReply reply, enclave.Call<wire::Op::kRelease>(request));
  KC_ASSIGN(wire::ReleaseReceipt receipt, CheckReceipt(enclave, request, reply));
  return Released{std::move(reply), std::move(receipt)};
}

}  // namespace keyclave::ctl
