#include "enclave/ops/receipt_jws.h"

#include <nlohmann/json.hpp>

#include "enclave/base/hash.h"
#include "enclave/mech/ec_signature.h"

namespace keyclave::ops {
namespace {

constexpr size_t kScalar = 32;  // bytes, of P-256

// Labels are bytes; JSON has text.
std::string LabelText(const Bytes& label) {
  const nlohmann::json text = std::string(AsText(label));
  const std::string dumped = text.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return nlohmann::json::parse(dumped).get<std::string>();
}

nlohmann::json ClaimsOf(const wire::ReleaseReceipt& receipt) {
  return {{"iss", receipt.enclave_id},
          {"iat", receipt.released_at},
          {"jti", std::to_string(receipt.audit_sequence)},
          {"nonce", ToBase64Url(receipt.nonce)},
          {"object", ToHex(receipt.object)},
          {"label", LabelText(receipt.object_label)},
          {"policy", receipt.policy},
          {"policy_version", receipt.policy_version},
          {"policy_digest", ToHex(receipt.policy_digest)},
          {"permit", receipt.permit},
          {"evidence", ToHex(receipt.evidence)},
          {"tee", receipt.tee},
          {"measurement", receipt.measurement},
          {"recipient", receipt.recipient},
          {"recipient_key", ToHex(receipt.recipient_spki)},
          {"form", receipt.form},
          {"wrapped", ToHex(receipt.wrapped)}};
}

}  // namespace

Result<std::string> ReceiptJws(Service& service, const wire::ReleaseReceipt& receipt) {
  const nlohmann::json header = {
      {"alg", "ES256"}, {"typ", "keyclave-receipt+jwt"}, {"kid", ToHex(Sha256(service.audit_key))}};
  const std::string input =
      ToBase64Url(AsBytes(header.dump())) + "." + ToBase64Url(AsBytes(ClaimsOf(receipt).dump()));
  KC_ASSIGN(const Bytes signature, service.audit.SignDigest(Sha256(AsBytes(input))));
  KC_ASSIGN(const Bytes raw, mech::ToHalves(signature, kScalar));
  return input + "." + ToBase64Url(raw);
}

}  // namespace keyclave::ops
