// Keys: wrap and unwrap, also with associated data (3.2 §5.18.4, §5.18.6).
#include "pkcs11/args.h"
#include "pkcs11/calls.h"
#include "pkcs11/key_operation.h"
#include "pkcs11/message_param.h"

namespace keyclave::pkcs11::call {
namespace {

// CheckMechanism in the words of C_WrapKey and C_UnwrapKey.
Status CheckKeyMechanism(const SessionCall& call, const ObjectPtr& key, CK_MECHANISM_TYPE type,
                         CK_FLAGS function, Code wrong_type) {
  const Status status = CheckMechanism(call, key->attributes(), type, function);
  if (!status.ok() && status.code() == Code::kKeyTypeInconsistent) return Fail(wrong_type);
  return status;
}

// A mechanism, and for CKM_AES_GCM and CKM_AES_CCM where its vector and tag lie.
struct WrapMechanism {
  wire::Mechanism mechanism;
  std::optional<MessageParam> message;
};

// Vectors that count start at zero, and so would repeat themselves under the same key.
Status CheckGenerator(const MessageParam& message) {
  const bool counts =
      message.generator == CKG_GENERATE_COUNTER || message.generator == CKG_GENERATE_COUNTER_XOR;
  if (counts) return Fail(Code::kMechanismParamInvalid, "a counter does not wrap keys");
  return Done{};
}

// C_WrapKey: CK_GCM_WRAP_PARAMS or CK_CCM_WRAP_PARAMS, whose tag follows the wrapped key; or what
// every mechanism has.
Result<WrapMechanism> ReadPlain(const CK_MECHANISM& mechanism) {
  WrapMechanism read;
  if (!IsWrapParamSize(mechanism.mechanism, mechanism.ulParameterLen)) {
    KC_ASSIGN(read.mechanism, FromMechanism(&mechanism));
    return read;
  }
  KC_ASSIGN(const WrapParam param,
            ReadWrapParam(mechanism.mechanism, mechanism.pParameter, mechanism.ulParameterLen));
  KC_CHECK_OK(CheckGenerator(param.message));
  read.mechanism = param.message.ToWire(param.message.Iv(), param.associated, param.tag_size);
  read.message = param.message;
  return read;
}

// C_WrapKeyAuthenticated: CK_GCM_MESSAGE_PARAMS or CK_CCM_MESSAGE_PARAMS, whose tag lies with the
// caller.
Result<WrapMechanism> ReadAuthenticated(const CK_MECHANISM& mechanism, const CK_BYTE* associated,
                                        CK_ULONG associated_size) {
  if (!HasMessageParam(mechanism.mechanism))
    return Fail(Code::kMechanismInvalid, "not an authenticated mechanism");
  KC_ASSIGN(const MessageParam message,
            ReadMessageParam(mechanism.mechanism, mechanism.pParameter, mechanism.ulParameterLen));
  KC_CHECK_OK(CheckGenerator(message));
  KC_ASSIGN(const ByteSpan aad, InBytes(associated, associated_size));
  return WrapMechanism{message.ToWire(message.Iv(), aad, message.tag.size()), message};
}

// What one request wraps, with a vector of its own where the caller wants one.
Result<Session::Wrapped> MakeWrapped(const SessionCall& call, wire::WrapKeyRequest request,
                                     const std::optional<MessageParam>& message,
                                     const ObjectPtr& key) {
  Session::Wrapped made;
  if (message.has_value()) {
    uint64_t counter = 0;
    KC_ASSIGN(made.iv, NextIv(message->Iv(), message->fixed_bits, message->generator, counter));
    SetIv(request.mechanism, made.iv);
  }
  auto reply = call.client().Call<wire::Op::kWrapKey>(request);
  if (!reply.ok()) return ObjectError(call, key, reply.error(), Code::kP11KeyHandleInvalid);
  Bytes output = std::move(reply->output);
  const size_t tag = message.has_value() ? message->tag.size() : 0;
  if (output.size() < tag) return Fail(Code::kBadMessage, "a wrapped key without its tag");
  made.tag.assign(output.end() - static_cast<ptrdiff_t>(tag), output.end());
  output.resize(output.size() - tag);
  made.output = std::move(output);
  return made;
}

// Not an operation with a state, so the output that did not fit is kept in the session, beside its
// request. `read` (() -> Result<WrapMechanism>) looks at the parameter, once the mechanism is known
// to be one that wraps.
template <class Read>
Status Wrap(const SessionCall& call, const CK_MECHANISM* mechanism, CK_OBJECT_HANDLE wrapping_key,
            CK_OBJECT_HANDLE key, const Read& read, const OutBuffer& out) {
  KC_ASSIGN(const ObjectPtr wrapping,
            FindKey(call, wrapping_key, CKA_WRAP, Code::kP11WrappingKeyHandleInvalid));
  KC_CHECK_OK(CheckKeyMechanism(call, wrapping, mechanism->mechanism, CKF_WRAP,
                                Code::kP11WrappingKeyTypeInconsistent));
  const auto wrapped_key = call.module->objects().Find(key, call.session->token());
  if (!wrapped_key.ok() || !(*wrapped_key)->IsKey()) return Fail(Code::kP11KeyHandleInvalid);
  KC_ASSIGN(const WrapMechanism used, read());
  wire::WrapKeyRequest request;
  request.wrapping_key.id = wrapping->info.id;
  request.mechanism = used.mechanism;
  request.key.id = (*wrapped_key)->info.id;

  Session::Wrapped& kept = call.session->wrapped;
  const Bytes encoded = wire::OpCodec<wire::Op::kWrapKey>::EncodeRequest(request);
  if (kept.request != encoded || !kept.output.has_value()) {
    KC_ASSIGN(kept, MakeWrapped(call, request, used.message, *wrapped_key));
    kept.request = encoded;
  }
  KC_ASSIGN(const Delivery delivery, out.Put(*kept.output));
  if (delivery == Delivery::kLengthOnly) return Done{};
  if (used.message.has_value()) {
    std::copy(kept.iv.begin(), kept.iv.end(), used.message->iv.begin());
    std::copy(kept.tag.begin(), kept.tag.end(), used.message->tag.begin());
  }
  kept = {};
  return Done{};
}

struct Template {
  CK_ATTRIBUTE_PTR attributes;
  CK_ULONG count;
};

template <class Read>
Status Unwrap(const SessionCall& call, const CK_MECHANISM* mechanism,
              CK_OBJECT_HANDLE unwrapping_key, ByteSpan wrapped, const Template& attributes,
              const Read& read, CK_OBJECT_HANDLE_PTR key) {
  if (wrapped.size() > wire::kMaxField) return Fail(Code::kWrappedKeyLenRange);
  KC_ASSIGN(const ObjectPtr unwrapping,
            FindKey(call, unwrapping_key, CKA_UNWRAP, Code::kP11UnwrappingKeyHandleInvalid));
  KC_CHECK_OK(CheckKeyMechanism(call, unwrapping, mechanism->mechanism, CKF_UNWRAP,
                                Code::kP11UnwrappingKeyTypeInconsistent));
  KC_ASSIGN(const WrapMechanism used, read());
  wire::UnwrapKeyRequest request;
  request.unwrapping_key.id = unwrapping->info.id;
  request.mechanism = used.mechanism;
  KC_ASSIGN(request.attributes, FromTemplate(attributes.attributes, attributes.count));
  KC_CHECK_OK(CheckWritable(*call.session, request.attributes, *unwrapping, CKA_UNWRAP_TEMPLATE));
  request.wrapped = ToBytes(wrapped);
  if (used.message.has_value())
    request.wrapped.insert(request.wrapped.end(), used.message->tag.begin(),
                           used.message->tag.end());
  const Freshness before = FreshnessNow(call.client());
  auto reply = call.client().Call<wire::Op::kUnwrapKey>(request);
  if (!reply.ok())
    return ObjectError(call, unwrapping, reply.error(), Code::kP11UnwrappingKeyHandleInvalid);
  *key = TakeNewObject(call, std::move(reply->object), before);
  return Done{};
}

}  // namespace

Status C_WrapKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism,
                 CK_OBJECT_HANDLE wrapping_key, CK_OBJECT_HANDLE key, CK_BYTE_PTR out,
                 CK_ULONG_PTR out_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  const OutBuffer buffer(out, out_size);
  KC_CHECK_OK(buffer.Check());
  KC_CHECK_OK(NotNull(mechanism));
  return Wrap(
      call, mechanism, wrapping_key, key, [&] { return ReadPlain(*mechanism); }, buffer);
}

Status C_WrapKeyAuthenticated(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism,
                              CK_OBJECT_HANDLE wrapping_key, CK_OBJECT_HANDLE key,
                              CK_BYTE_PTR associated, CK_ULONG associated_size, CK_BYTE_PTR out,
                              CK_ULONG_PTR out_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  const OutBuffer buffer(out, out_size);
  KC_CHECK_OK(buffer.Check());
  KC_CHECK_OK(NotNull(mechanism));
  return Wrap(
      call, mechanism, wrapping_key, key,
      [&] { return ReadAuthenticated(*mechanism, associated, associated_size); }, buffer);
}

Status C_UnwrapKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism,
                   CK_OBJECT_HANDLE unwrapping_key, CK_BYTE_PTR wrapped, CK_ULONG wrapped_size,
                   CK_ATTRIBUTE_PTR attributes, CK_ULONG count, CK_OBJECT_HANDLE_PTR key) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(NotNull(key));
  KC_CHECK_OK(NotNull(mechanism));
  KC_CHECK_OK(NotNull(wrapped));
  return Unwrap(
      call, mechanism, unwrapping_key, FromC(wrapped, wrapped_size), {attributes, count},
      [&] { return ReadPlain(*mechanism); }, key);
}

Status C_UnwrapKeyAuthenticated(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism,
                                CK_OBJECT_HANDLE unwrapping_key, CK_BYTE_PTR wrapped,
                                CK_ULONG wrapped_size, CK_ATTRIBUTE_PTR attributes, CK_ULONG count,
                                CK_BYTE_PTR associated, CK_ULONG associated_size,
                                CK_OBJECT_HANDLE_PTR key) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(NotNull(key));
  KC_CHECK_OK(NotNull(mechanism));
  KC_CHECK_OK(NotNull(wrapped));
  return Unwrap(
      call, mechanism, unwrapping_key, FromC(wrapped, wrapped_size), {attributes, count},
      [&] { return ReadAuthenticated(*mechanism, associated, associated_size); }, key);
}

}  // namespace keyclave::pkcs11::call
