#include "pkcs11/session_object.h"

namespace keyclave::pkcs11 {

Status CheckWritable(const Session& session, const wire::AttributeList& attributes,
                     bool token_by_default) {
  if (session.read_write()) return Done{};
  if (attributes.Bool(CKA_TOKEN).value_or(token_by_default)) return Fail(Code::kP11SessionReadOnly);
  return Done{};
}

Status CheckWritable(const Session& session, const wire::AttributeList& attributes,
                     const CachedObject& key, CK_ATTRIBUTE_TYPE type) {
  const Bytes* encoded = key.attributes().Find(type);
  if (encoded == nullptr) return CheckWritable(session, attributes);
  KC_ASSIGN(const wire::AttributeList added, wire::Decode<wire::AttributeList>(*encoded));
  return CheckWritable(session, attributes, added.IsTrue(CKA_TOKEN));
}

CK_OBJECT_HANDLE TakeNewObject(const SessionCall& call, wire::ObjectInfo info, Freshness read) {
  const ObjectPtr object = call.module->objects().Put(std::move(info), read);
  if (!object->IsTokenObject()) call.session->session_objects.insert(object->info.id);
  return object->handle;
}

Error ObjectError(const SessionCall& call, const ObjectPtr& object, const Error& error, Code gone) {
  if (error.code() != Code::kObjectNotFound) return error;
  call.module->objects().Remove(object->info.id);
  return Fail(gone, "the object is gone");
}

}  // namespace keyclave::pkcs11
