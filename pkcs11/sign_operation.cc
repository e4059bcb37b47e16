#include "pkcs11/sign_operation.h"

#include "pkcs11/args.h"

namespace keyclave::pkcs11 {
namespace {

// What the request carries: mechanism and input.
Result<wire::SignRequest> MakeRequest(KeyOperation& operation) {
  wire::SignRequest request;
  request.key.id = operation.key->info.id;
  request.key.login = operation.login;
  if (!operation.message.has_value()) {
    request.mechanism = operation.mechanism;
    request.input = operation.input;
    return request;
  }
  KC_ASSIGN(client::SignedMessage::Taken taken, operation.message->Take());
  request.mechanism = taken.whole ? operation.mechanism : operation.prehash->raw;
  request.input = taken.whole ? std::move(taken.bytes) : operation.prehash->Input(taken.bytes);
  return request;
}

Result<Bytes> RequestSignature(const SessionCall& call, KeyOperation& operation) {
  KC_ASSIGN(const wire::SignRequest request, MakeRequest(operation));
  auto reply = call.client().Call<wire::Op::kSign>(request);
  if (!reply.ok())
    return ObjectError(call, operation.key, reply.error(), Code::kP11KeyHandleInvalid);
  return std::move(reply->output);
}

}  // namespace

Status PrepareMessage(KeyOperation& operation) {
  operation.prehash = SplitHash(operation.mechanism, operation.key->attributes());
  if (!operation.prehash.has_value()) return Done{};
  auto message = client::SignedMessage::Create(operation.prehash->hash);
  // A digest that this library lacks: the enclave hashes.
  if (message.ok()) operation.message = std::move(message).value();
  return Done{};
}

Status CheckSignatureLength(const KeyOperation& operation, CK_ULONG signature_size) {
  const auto size = SignatureSize(operation.key->attributes(), operation.mechanism.type);
  // One of ECDSA may be shorter: two halves without zeros in front (v3.2 §6.3.1).
  const bool halves = operation.key->attributes().Ulong(CKA_KEY_TYPE) == CKK_EC;
  const bool shorter =
      size.has_value() && signature_size < size->bytes && (!halves || signature_size % 2 != 0);
  const bool longer = size.has_value() && signature_size > size->bytes;
  if (shorter || longer || signature_size > wire::kMaxField) return Fail(Code::kSignatureLenRange);
  return Done{};
}

Result<Delivery> SignWhole(const SessionCall& call, KeyOperation& operation, ByteSpan message,
                           const OutBuffer& out) {
  KC_CHECK_OK(out.Check());
  MatchPending(operation, message);
  const auto size = SignatureSize(operation.key->attributes(), operation.mechanism.type);
  const auto delivery = Deliver(out, size, operation.pending, [&]() -> Result<Bytes> {
    operation.input.clear();
    KC_CHECK_OK(operation.Add(message));
    return RequestSignature(call, operation);
  });
  MatchPending(operation, message);
  return delivery;
}

Result<Delivery> SignParts(const SessionCall& call, KeyOperation& operation, const OutBuffer& out) {
  KC_CHECK_OK(out.Check());
  operation.multi_part = true;
  const auto size = SignatureSize(operation.key->attributes(), operation.mechanism.type);
  return Deliver(out, size, operation.pending, [&] { return RequestSignature(call, operation); });
}

Status VerifyWith(const SessionCall& call, KeyOperation& operation, const CK_BYTE* signature,
                  CK_ULONG signature_size) {
  KC_CHECK_OK(NotNull(signature));
  KC_CHECK_OK(CheckSignatureLength(operation, signature_size));
  KC_ASSIGN(wire::SignRequest made, MakeRequest(operation));
  wire::VerifyRequest request{std::move(made.key), std::move(made.mechanism), std::move(made.input),
                              ToBytes(FromC(signature, signature_size))};
  const auto reply = call.client().Call<wire::Op::kVerify>(request);
  if (!reply.ok())
    return ObjectError(call, operation.key, reply.error(), Code::kP11KeyHandleInvalid);
  return Done{};
}

}  // namespace keyclave::pkcs11
