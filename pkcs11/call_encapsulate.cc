// Key encapsulation (3.2 §5.18.8, §5.18.9): C_EncapsulateKey, C_DecapsulateKey.
#include "pkcs11/args.h"
#include "pkcs11/calls.h"
#include "pkcs11/key_operation.h"

namespace keyclave::pkcs11::call {
namespace {

// "If any attribute conflict occurs on an attempt to encapsulate a key then the function SHALL
// return CKR_KEY_HANDLE_INVALID": for what the template says otherwise. The enclave checks the
// rest.
Status CheckTemplate(const wire::AttributeList& key, const wire::AttributeList& wanted) {
  const Bytes* encoded = key.Find(CKA_ENCAPSULATE_TEMPLATE);
  if (encoded == nullptr) return Done{};
  const auto fixed = wire::Decode<wire::AttributeList>(*encoded);
  if (!fixed.ok()) return fixed.error();
  for (const wire::Attribute& attribute : fixed->items) {
    const Bytes* said = wanted.Find(attribute.type);
    if (said != nullptr && *said != attribute.value)
      return Fail(Code::kP11KeyHandleInvalid, "CKA_ENCAPSULATE_TEMPLATE says otherwise");
  }
  return Done{};
}

}  // namespace

// A ciphertext that does not fit is not made, and neither is a key: its length follows from the
// public key.
Status C_EncapsulateKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism,
                        CK_OBJECT_HANDLE public_key, CK_ATTRIBUTE_PTR attributes, CK_ULONG count,
                        CK_BYTE_PTR out, CK_ULONG_PTR out_size, CK_OBJECT_HANDLE_PTR key) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  const OutBuffer buffer(out, out_size);
  KC_CHECK_OK(buffer.Check());
  KC_CHECK_OK(NotNull(mechanism));
  if (!buffer.IsQuery()) KC_CHECK_OK(NotNull(key));
  KC_ASSIGN(const ObjectPtr found, FindKey(call, public_key, CKA_ENCAPSULATE));
  KC_CHECK_OK(CheckMechanism(call, found->attributes(), mechanism->mechanism, CKF_ENCAPSULATE));
  wire::EncapsulateKeyRequest request;
  request.public_key.id = found->info.id;
  KC_ASSIGN(request.mechanism, FromMechanism(mechanism));
  KC_ASSIGN(request.attributes, FromTemplate(attributes, count));
  KC_CHECK_OK(CheckWritable(*call.session, request.attributes));
  KC_CHECK_OK(CheckTemplate(found->attributes(), request.attributes));
  const auto size = EncapsulationSize(found->attributes(), mechanism->mechanism);
  if (!size.has_value()) return Fail(Code::kKeyTypeInconsistent);
  if (!buffer.Fits(*size)) return IgnoreDelivery(buffer.Length(*size));
  const Freshness before = FreshnessNow(call.client());
  auto reply = call.client().Call<wire::Op::kEncapsulateKey>(request);
  if (!reply.ok()) return ObjectError(call, found, reply.error(), Code::kP11KeyHandleInvalid);
  if (reply->ciphertext.size() != *size)
    return Fail(Code::kBadMessage, "a ciphertext of another length");
  KC_CHECK_OK(IgnoreDelivery(buffer.Put(reply->ciphertext)));
  *key = TakeNewObject(call, std::move(reply->object), before);
  return Done{};
}

Status C_DecapsulateKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism,
                        CK_OBJECT_HANDLE private_key, CK_ATTRIBUTE_PTR attributes, CK_ULONG count,
                        CK_BYTE_PTR ciphertext, CK_ULONG ciphertext_size,
                        CK_OBJECT_HANDLE_PTR key) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(NotNull(key));
  KC_CHECK_OK(NotNull(mechanism));
  KC_CHECK_OK(NotNull(ciphertext));
  if (ciphertext_size > wire::kMaxField) return Fail(Code::kWrappedKeyLenRange);
  constexpr Code kGone = Code::kP11UnwrappingKeyHandleInvalid;
  KC_ASSIGN(const ObjectPtr found, FindKey(call, private_key, CKA_DECAPSULATE, kGone));
  const Status fits =
      CheckMechanism(call, found->attributes(), mechanism->mechanism, CKF_DECAPSULATE);
  if (!fits.ok() && fits.code() == Code::kKeyTypeInconsistent)
    return Fail(Code::kP11UnwrappingKeyTypeInconsistent);
  KC_CHECK_OK(fits);
  wire::DecapsulateKeyRequest request;
  request.private_key.id = found->info.id;
  KC_ASSIGN(request.mechanism, FromMechanism(mechanism));
  KC_ASSIGN(request.attributes, FromTemplate(attributes, count));
  KC_CHECK_OK(CheckWritable(*call.session, request.attributes));
  request.ciphertext = ToBytes(FromC(ciphertext, ciphertext_size));
  const Freshness before = FreshnessNow(call.client());
  auto reply = call.client().Call<wire::Op::kDecapsulateKey>(request);
  if (!reply.ok()) return ObjectError(call, found, reply.error(), kGone);
  *key = TakeNewObject(call, std::move(reply->object), before);
  return Done{};
}

}  // namespace keyclave::pkcs11::call
