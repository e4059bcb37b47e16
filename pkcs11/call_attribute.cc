// Attributes of objects: get, set, size.
#include "pkcs11/args.h"
#include "pkcs11/calls.h"
#include "pkcs11/profile_object.h"
#include "pkcs11/session_object.h"

namespace keyclave::pkcs11::call {
namespace {

// Where C_GetAttributeValue takes values from: the cache, and for secrets of a key that gives them
// away, the enclave once.
class AttributeSource {
 public:
  AttributeSource(ObjectCache& objects, ObjectPtr object)
      : objects_(objects), object_(std::move(object)) {}

  // kAttributeSensitive, kAttributeTypeInvalid. Valid until the next Find.
  Result<ByteSpan> Find(CK_ATTRIBUTE_TYPE type) {
    const wire::AttributeList& known = object_->attributes();
    if (!IsSecretAttribute(known, type)) return In(known, type, Code::kAttributeTypeInvalid);
    // Base §4.9, §4.10: secrets are readable only of keys that are extractable and not sensitive.
    const bool readable = known.IsTrue(CKA_EXTRACTABLE) && !known.IsTrue(CKA_SENSITIVE);
    if (!readable) return Fail(Code::kAttributeSensitive);
    if (!secrets_.has_value()) {
      KC_ASSIGN(secrets_, objects_.Read(*object_));
    }
    // What the key would give and the policy does not is as sensitive as anything.
    return In(secrets_->attributes, type, Code::kAttributeSensitive);
  }

 private:
  static Result<ByteSpan> In(const wire::AttributeList& list, CK_ATTRIBUTE_TYPE type, Code absent) {
    const Bytes* value = list.Find(type);
    if (value == nullptr) return Fail(absent);
    return ByteSpan(*value);
  }
  ObjectCache& objects_;
  ObjectPtr object_;
  std::optional<wire::ObjectInfo> secrets_;
};

Status GetOne(AttributeSource& source, CK_ATTRIBUTE& out) {
  const auto value = source.Find(out.type);
  if (value.ok()) return PutAttribute(out, *value);
  out.ulValueLen = CK_UNAVAILABLE_INFORMATION;
  return value.error();
}

}  // namespace

// Base §5.7: the whole template is worked through whatever is wrong with one attribute; the first
// thing wrong is returned.
Status C_GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                           CK_ATTRIBUTE_PTR attributes, CK_ULONG count) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  if (count != 0) KC_CHECK_OK(NotNull(attributes));
  ObjectCache& objects = call.module->objects();
  KC_ASSIGN(ObjectPtr found, objects.Fresh(object, call.session->token()));
  AttributeSource source(objects, std::move(found));
  Status status;
  for (CK_ATTRIBUTE& attribute : std::span(attributes, count)) {
    Status one = GetOne(source, attribute);
    if (status.ok()) status = std::move(one);
  }
  return status;
}

Status C_SetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                           CK_ATTRIBUTE_PTR attributes, CK_ULONG count) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_ASSIGN(wire::AttributeList list, FromTemplate(attributes, count));
  ObjectCache& objects = call.module->objects();
  KC_ASSIGN(const ObjectPtr found, objects.Find(object, call.session->token()));
  KC_CHECK_OK(CheckNotProfile(*found));
  KC_CHECK_OK(CheckWritable(*call.session, found->attributes()));
  const Freshness before = FreshnessNow(call.client());
  auto reply =
      call.client().Call<wire::Op::kSetAttributes>({RefTo(found->info.id), std::move(list)});
  if (!reply.ok()) return ObjectError(call, found, reply.error());
  objects.Put(std::move(reply->object), before);
  return Done{};
}

// "in bytes": what the attributes take on the wire; the enclave's own record is a little larger.
Status C_GetObjectSize(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ULONG_PTR size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(NotNull(size));
  KC_ASSIGN(const ObjectPtr found, call.module->objects().Fresh(object, call.session->token()));
  *size = wire::Encode(found->attributes()).size();
  return Done{};
}

}  // namespace keyclave::pkcs11::call
