// Encryption and decryption: C_Encrypt… and C_Decrypt…. A whole operation is one request where it
// fits in one; modes that allow it are cut into several (cipher_chunk.h), all others are gathered
// and sent at the end.
#include "pkcs11/args.h"
#include "pkcs11/calls.h"
#include "pkcs11/cipher_chunk.h"

namespace keyclave::pkcs11 {
namespace {

// Room in a reply for what a mechanism adds to its input: a tag, a padding.
constexpr size_t kMaxWhole = wire::kMaxField - 1024;

Result<Bytes> Request(const SessionCall& call, const KeyOperation& operation, Direction direction,
                      const wire::Mechanism& mechanism, ByteSpan input) {
  wire::SignRequest request;
  request.key.id = operation.key->info.id;
  request.mechanism = mechanism;
  request.input = ToBytes(input);
  auto reply = direction == Direction::kEncrypt ? call.client().Call<wire::Op::kEncrypt>(request)
                                                : call.client().Call<wire::Op::kDecrypt>(request);
  if (!reply.ok())
    return ObjectError(call, operation.key, reply.error(), Code::kP11KeyHandleInvalid);
  return std::move(reply->output);
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

std::optional<KeyOperation>& SlotOf(const SessionCall& call, Direction direction) {
  return direction == Direction::kEncrypt ? call.operations().encrypt : call.operations().decrypt;
}

Result<Delivery> WholeInto(const SessionCall& call, KeyOperation& operation, Direction direction,
                           ByteSpan data, const OutBuffer& out) {
  KC_CHECK_OK(out.Check());
  MatchPending(operation, data);
  const auto delivery = Deliver(out, SizeOf(operation, direction, data.size()), operation.pending,
                                [&] { return Whole(call, operation, direction, data); });
  MatchPending(operation, data);
  return delivery;
}

Status OneShot(CK_SESSION_HANDLE session, Direction direction, const CK_BYTE* data,
               CK_ULONG data_size, const OutBuffer& out) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  std::optional<KeyOperation>& slot = SlotOf(call, direction);
  KC_CHECK_OK(Require(slot));
  OperationScope operation(slot);
  KC_CHECK_OK(RequireSinglePart(*operation));
  KC_ASSIGN(const ByteSpan bytes, InBytes(data, data_size));
  return operation.Finish(WholeInto(call, *operation, direction, bytes, out));
}

Status Update(CK_SESSION_HANDLE session, Direction direction, const CK_BYTE* part,
              CK_ULONG part_size, const OutBuffer& out) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  std::optional<KeyOperation>& slot = SlotOf(call, direction);
  KC_CHECK_OK(Require(slot));
  OperationScope operation(slot);
  KC_ASSIGN(const ByteSpan bytes, InBytes(part, part_size));
  return operation.Continue(IgnoreDelivery(CipherPart(call, *operation, direction, bytes, out)));
}

Result<Delivery> LastInto(const SessionCall& call, KeyOperation& operation, Direction direction,
                          const OutBuffer& out) {
  KC_CHECK_OK(out.Check());
  operation.multi_part = true;
  return Deliver(out, SizeOf(operation, direction, operation.input.size()), operation.pending,
                 [&] { return Last(call, operation, direction); });
}

Status Final(CK_SESSION_HANDLE session, Direction direction, const OutBuffer& out) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  std::optional<KeyOperation>& slot = SlotOf(call, direction);
  KC_CHECK_OK(Require(slot));
  OperationScope operation(slot);
  return operation.Finish(LastInto(call, *operation, direction, out));
}

}  // namespace

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

namespace call {

Status C_EncryptInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  return BeginKeyOperation(call, call.operations().encrypt, mechanism, key, CKF_ENCRYPT,
                           CKA_ENCRYPT);
}

Status C_Encrypt(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_size, CK_BYTE_PTR out,
                 CK_ULONG_PTR out_size) {
  return OneShot(session, Direction::kEncrypt, data, data_size, OutBuffer(out, out_size));
}

Status C_EncryptUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG part_size,
                       CK_BYTE_PTR out, CK_ULONG_PTR out_size) {
  return Update(session, Direction::kEncrypt, part, part_size, OutBuffer(out, out_size));
}

Status C_EncryptFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR out, CK_ULONG_PTR out_size) {
  return Final(session, Direction::kEncrypt, OutBuffer(out, out_size));
}

Status C_DecryptInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  return BeginKeyOperation(call, call.operations().decrypt, mechanism, key, CKF_DECRYPT,
                           CKA_DECRYPT);
}

Status C_Decrypt(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_size, CK_BYTE_PTR out,
                 CK_ULONG_PTR out_size) {
  return OneShot(session, Direction::kDecrypt, data, data_size, OutBuffer(out, out_size));
}

Status C_DecryptUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG part_size,
                       CK_BYTE_PTR out, CK_ULONG_PTR out_size) {
  return Update(session, Direction::kDecrypt, part, part_size, OutBuffer(out, out_size));
}

Status C_DecryptFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR out, CK_ULONG_PTR out_size) {
  return Final(session, Direction::kDecrypt, OutBuffer(out, out_size));
}

}  // namespace call
}  // namespace keyclave::pkcs11
