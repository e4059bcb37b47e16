// Message-based encryption (3.0 §5.9, §5.11): C_MessageEncrypt… and C_MessageDecrypt…. Each message
// is one request to the enclave, with a vector, associated data and a tag of its own. The parts of
// a message are gathered, and come out as a whole at its end: of a message that was changed nothing
// is seen.
#include "pkcs11/args.h"
#include "pkcs11/calls.h"
#include "pkcs11/cipher_operation.h"
#include "pkcs11/message_param.h"
#include "pkcs11/message_process.h"

namespace keyclave::pkcs11 {
namespace {

// What C hands over: nothing of it is looked at before the session is known.
struct Parameter {
  const void* data;
  CK_ULONG size;
  Result<MessageParam> Read(const MessageProcess& process) const {
    return ReadMessageParam(process.type, data, size);
  }
};
struct Input {
  const CK_BYTE* data;
  CK_ULONG size;
  Result<ByteSpan> Read() const { return InBytes(data, size); }
};

std::optional<MessageProcess>& SlotOf(const SessionCall& call, Direction direction) {
  return direction == Direction::kEncrypt ? call.operations().message_encrypt
                                          : call.operations().message_decrypt;
}

// Which mechanism, and with what, this message goes through. A vector that is made here is made
// now, and shown to the caller.
Result<wire::Mechanism> MechanismOf(MessageProcess& process, Direction direction,
                                    const MessageParam& param, ByteSpan associated) {
  Bytes iv = param.Iv();
  if (direction == Direction::kEncrypt) {
    KC_ASSIGN(iv, NextIv(std::move(iv), param.fixed_bits, param.generator, process.counter));
    std::copy(iv.begin(), iv.end(), param.iv.begin());
  }
  return param.ToWire(std::move(iv), associated, param.tag.size());
}

// The ciphertext, with its tag put where the caller wants it; or the plaintext.
Result<Bytes> Run(const SessionCall& call, const ObjectPtr& key, Direction direction,
                  const wire::Mechanism& mechanism, Bytes input, const MessageParam& param) {
  const size_t size = input.size();
  if (direction == Direction::kDecrypt)
    input.insert(input.end(), param.tag.begin(), param.tag.end());
  KC_ASSIGN(Bytes output, RequestCipher(call, key, std::nullopt, direction, mechanism, input));
  if (direction == Direction::kDecrypt) return output;
  if (output.size() != size + param.tag.size())
    return Fail(Code::kBadMessage, "a ciphertext of another length");
  std::copy(output.begin() + static_cast<ptrdiff_t>(size), output.end(), param.tag.begin());
  output.resize(size);
  return output;
}

// C_EncryptMessage and C_DecryptMessage. The output is as long as the input: what does not fit is
// not begun.
Status Whole(CK_SESSION_HANDLE session, Direction direction, const Parameter& parameter,
             const Input& associated, const Input& data, const OutBuffer& out) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  std::optional<MessageProcess>& slot = SlotOf(call, direction);
  KC_CHECK_OK(RequireNoMessage(slot));
  KC_CHECK_OK(out.Check());
  KC_ASSIGN(const MessageParam param, parameter.Read(*slot));
  KC_ASSIGN(const ByteSpan aad, associated.Read());
  KC_ASSIGN(const ByteSpan input, data.Read());
  if (!out.Fits(input.size())) return IgnoreDelivery(out.Length(input.size()));
  KC_ASSIGN(const wire::Mechanism mechanism, MechanismOf(*slot, direction, param, aad));
  KC_ASSIGN(const Bytes output, Run(call, slot->key, direction, mechanism, ToBytes(input), param));
  return IgnoreDelivery(out.Put(output));
}

Status BeginParts(CK_SESSION_HANDLE session, Direction direction, const Parameter& parameter,
                  const Input& associated) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  std::optional<MessageProcess>& slot = SlotOf(call, direction);
  KC_CHECK_OK(RequireNoMessage(slot));
  KC_ASSIGN(const MessageParam param, parameter.Read(*slot));
  KC_ASSIGN(const ByteSpan aad, associated.Read());
  KC_ASSIGN(wire::Mechanism mechanism, MechanismOf(*slot, direction, param, aad));
  KeyOperation& message = NewMessage(*slot);
  message.mechanism = std::move(mechanism);
  message.multi_part = true;
  return Done{};
}

// The last part. Where the message does not fit, it is not taken in: it comes again.
Result<Delivery> Last(const SessionCall& call, KeyOperation& operation, Direction direction,
                      const MessageParam& param, ByteSpan part, const OutBuffer& out) {
  const size_t size = operation.input.size() + part.size();
  if (!out.Fits(size)) return out.Length(size);
  KC_CHECK_OK(operation.Add(part));
  KC_ASSIGN(const Bytes output, Run(call, operation.key, direction, operation.mechanism,
                                    std::move(operation.input), param));
  return out.Put(output);
}

Status Next(CK_SESSION_HANDLE session, Direction direction, const Parameter& parameter,
            const Input& part, const OutBuffer& out, CK_FLAGS flags) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  std::optional<MessageProcess>& slot = SlotOf(call, direction);
  KC_CHECK_OK(RequireMessage(slot));
  OperationScope operation(slot->current);
  KC_CHECK_OK(out.Check());
  KC_ASSIGN(const MessageParam param, parameter.Read(*slot));
  KC_ASSIGN(const ByteSpan bytes, part.Read());
  if ((flags & CKF_END_OF_MESSAGE) == 0)
    return operation.Continue(IgnoreDelivery(CipherPart(call, *operation, direction, bytes, out)));
  if (param.tag.size() != TagSize(operation->mechanism))
    return Fail(Code::kMechanismParamInvalid, "the tag is not as long as the message began with");
  return operation.Finish(Last(call, *operation, direction, param, bytes, out));
}

}  // namespace

namespace call {

Status C_MessageEncryptInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism,
                            CK_OBJECT_HANDLE key) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  return BeginMessages(call, call.operations().message_encrypt, mechanism, key, CKF_MESSAGE_ENCRYPT,
                       CKA_ENCRYPT);
}

Status C_EncryptMessage(CK_SESSION_HANDLE session, CK_VOID_PTR parameter, CK_ULONG parameter_size,
                        CK_BYTE_PTR associated, CK_ULONG associated_size, CK_BYTE_PTR plaintext,
                        CK_ULONG plaintext_size, CK_BYTE_PTR out, CK_ULONG_PTR out_size) {
  return Whole(session, Direction::kEncrypt, Parameter{parameter, parameter_size},
               Input{associated, associated_size}, Input{plaintext, plaintext_size},
               OutBuffer(out, out_size));
}

Status C_EncryptMessageBegin(CK_SESSION_HANDLE session, CK_VOID_PTR parameter,
                             CK_ULONG parameter_size, CK_BYTE_PTR associated,
                             CK_ULONG associated_size) {
  return BeginParts(session, Direction::kEncrypt, Parameter{parameter, parameter_size},
                    Input{associated, associated_size});
}

Status C_EncryptMessageNext(CK_SESSION_HANDLE session, CK_VOID_PTR parameter,
                            CK_ULONG parameter_size, CK_BYTE_PTR part, CK_ULONG part_size,
                            CK_BYTE_PTR out, CK_ULONG_PTR out_size, CK_FLAGS flags) {
  return Next(session, Direction::kEncrypt, Parameter{parameter, parameter_size},
              Input{part, part_size}, OutBuffer(out, out_size), flags);
}

Status C_MessageEncryptFinal(CK_SESSION_HANDLE session) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  return EndMessages(call.operations().message_encrypt);
}

Status C_MessageDecryptInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism,
                            CK_OBJECT_HANDLE key) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  return BeginMessages(call, call.operations().message_decrypt, mechanism, key, CKF_MESSAGE_DECRYPT,
                       CKA_DECRYPT);
}

Status C_DecryptMessage(CK_SESSION_HANDLE session, CK_VOID_PTR parameter, CK_ULONG parameter_size,
                        CK_BYTE_PTR associated, CK_ULONG associated_size, CK_BYTE_PTR ciphertext,
                        CK_ULONG ciphertext_size, CK_BYTE_PTR out, CK_ULONG_PTR out_size) {
  return Whole(session, Direction::kDecrypt, Parameter{parameter, parameter_size},
               Input{associated, associated_size}, Input{ciphertext, ciphertext_size},
               OutBuffer(out, out_size));
}

Status C_DecryptMessageBegin(CK_SESSION_HANDLE session, CK_VOID_PTR parameter,
                             CK_ULONG parameter_size, CK_BYTE_PTR associated,
                             CK_ULONG associated_size) {
  return BeginParts(session, Direction::kDecrypt, Parameter{parameter, parameter_size},
                    Input{associated, associated_size});
}

Status C_DecryptMessageNext(CK_SESSION_HANDLE session, CK_VOID_PTR parameter,
                            CK_ULONG parameter_size, CK_BYTE_PTR part, CK_ULONG part_size,
                            CK_BYTE_PTR out, CK_ULONG_PTR out_size, CK_FLAGS flags) {
  return Next(session, Direction::kDecrypt, Parameter{parameter, parameter_size},
              Input{part, part_size}, OutBuffer(out, out_size), flags);
}

Status C_MessageDecryptFinal(CK_SESSION_HANDLE session) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  return EndMessages(call.operations().message_decrypt);
}

}  // namespace call
}  // namespace keyclave::pkcs11
