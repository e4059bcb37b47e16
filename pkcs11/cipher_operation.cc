#include "pkcs11/cipher_operation.h"

#include "pkcs11/cipher_chunk.h"

namespace keyclave::pkcs11 {
namespace {

// Room in a reply for what a mechanism adds to its input: a tag, a padding.
constexpr size_t kMaxWhole = wire::kMaxField - 1024;

Result<Bytes> Request(const SessionCall& call, const KeyOperation& operation, Direction direction,
                      const wire::Mechanism& mechanism, ByteSpan input) {
  return RequestCipher(call, operation.key, operation.login, direction, mechanism, input);
}

// Processes `input`, whole blocks from the middle of the message.
Result<Bytes> Middle(const SessionCall& call, KeyOperation& operation, Direction direction,
                     ByteSpan input) {
  Bytes output;
  while (!input.empty()) {
    if (operation.exhausted) return Fail(Code::kDataLenRange, "the counter is used up");
    const ByteSpan chunk = input.first(std::min(input.size(), kChunk));
    KC_ASSIGN(const Bytes piece,
              Request(call, operation, direction, MiddleMechanism(operation), chunk));
    KC_CHECK_OK(Advance(operation, direction, chunk, piece));
    output.insert(output.end(), piece.begin(), piece.end());
    input = input.subspan(chunk.size());
  }
  return output;
}

// Processes what is left in `operation.input`, the end of the message.
Result<Bytes> Last(const SessionCall& call, KeyOperation& operation, Direction direction) {
  const bool nothing_left = operation.multi_part && operation.input.empty();
  if (nothing_left && CanCut(operation) && operation.mechanism.type != CKM_AES_CBC_PAD)
    return Bytes();
  if (operation.exhausted) return Fail(Code::kDataLenRange, "the counter is used up");
  return Request(call, operation, direction, operation.mechanism, operation.input);
}

std::optional<OutputSize> SizeOf(const KeyOperation& operation, Direction direction, size_t input) {
  const wire::AttributeList& key = operation.key->attributes();
  return direction == Direction::kEncrypt ? CiphertextSize(key, operation.mechanism, input)
                                          : PlaintextSize(key, operation.mechanism, input);
}

Result<Bytes> Whole(const SessionCall& call, KeyOperation& operation, Direction direction,
                    ByteSpan data) {
  if (data.size() <= kMaxWhole)
    return Request(call, operation, direction, operation.mechanism, data);
  if (!CanCut(operation)) return Fail(Code::kDataLenRange, "more than one request can carry");
  const size_t first = Releasable(operation, direction, data.size());
  KC_ASSIGN(Bytes output, Middle(call, operation, direction, data.first(first)));
  operation.multi_part = true;
  operation.input = ToBytes(data.subspan(first));
  KC_ASSIGN(const Bytes rest, Last(call, operation, direction));
  output.insert(output.end(), rest.begin(), rest.end());
  return output;
}

}  // namespace

Result<Bytes> RequestCipher(const SessionCall& call, const ObjectPtr& key,
                            std::optional<uint64_t> login, Direction direction,
                            const wire::Mechanism& mechanism, ByteSpan input) {
  wire::SignRequest request;
  request.key.id = key->info.id;
  request.key.login = login;
  request.mechanism = mechanism;
  request.input = ToBytes(input);
  auto reply = direction == Direction::kEncrypt ? call.client().Call<wire::Op::kEncrypt>(request)
                                                : call.client().Call<wire::Op::kDecrypt>(request);
  if (!reply.ok()) return ObjectError(call, key, reply.error(), Code::kP11KeyHandleInvalid);
  return std::move(reply->output);
}

Result<Delivery> CipherWhole(const SessionCall& call, KeyOperation& operation, Direction direction,
                             ByteSpan data, const OutBuffer& out) {
  KC_CHECK_OK(out.Check());
  MatchPending(operation, data);
  const auto delivery = Deliver(out, SizeOf(operation, direction, data.size()), operation.pending,
                                [&] { return Whole(call, operation, direction, data); });
  MatchPending(operation, data);
  return delivery;
}

Result<Delivery> CipherPart(const SessionCall& call, KeyOperation& operation, Direction direction,
                            ByteSpan part, const OutBuffer& out) {
  KC_CHECK_OK(out.Check());
  KC_CHECK_OK(BeginPart(operation));
  if (!CanCut(operation)) {
    if (part.size() > kMaxWhole - std::min(kMaxWhole, operation.input.size())) {
      return Fail(Code::kDataLenRange, "more than one request can carry");
    }
    // A length query takes nothing in: the part comes again with the buffer.
    if (out.IsQuery()) return out.Length(0);
    KC_CHECK_OK(operation.Add(part));
    return out.Put(Bytes());
  }
  const size_t ready = Releasable(operation, direction, operation.input.size() + part.size());
  if (!out.Fits(ready)) return out.Length(ready);
  Bytes input = std::move(operation.input);
  input.insert(input.end(), part.begin(), part.end());
  operation.input = ToBytes(ByteSpan(input).subspan(ready));
  KC_ASSIGN(const Bytes output, Middle(call, operation, direction, ByteSpan(input).first(ready)));
  return out.Put(output);
}

Result<Delivery> CipherLast(const SessionCall& call, KeyOperation& operation, Direction direction,
                            const OutBuffer& out) {
  KC_CHECK_OK(out.Check());
  operation.multi_part = true;
  return Deliver(out, SizeOf(operation, direction, operation.input.size()), operation.pending,
                 [&] { return Last(call, operation, direction); });
}

}  // namespace keyclave::pkcs11
