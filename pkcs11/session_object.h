// Taking in objects that a call of a session made: read-only sessions, ownership of session
// objects, handles.
#pragma once

#include "pkcs11/module.h"

namespace keyclave::pkcs11 {

// kP11SessionReadOnly if the template asks for a token object in a read-only session (base §5.1.6).
// An absent CKA_TOKEN is CK_FALSE, except where `token_by_default` says otherwise (the copy of a
// token object).
Status CheckWritable(const Session& session, const wire::AttributeList& attributes,
                     bool token_by_default = false);

// The same for a key that comes through `key`, whose CKA_UNWRAP_TEMPLATE or CKA_DERIVE_TEMPLATE
// (`type`) may ask for a token object.
Status CheckWritable(const Session& session, const wire::AttributeList& attributes,
                     const CachedObject& key, CK_ATTRIBUTE_TYPE type);

// The handle of a new object; a session object will end with this session. `read` is the freshness
// before the request.
CK_OBJECT_HANDLE TakeNewObject(const SessionCall& call, wire::ObjectInfo info, Freshness read);

// The error of a request about an object: where it says that the object is gone, its handle is
// invalid from now on and the error becomes `gone`.
Error ObjectError(const SessionCall& call, const ObjectPtr& object, const Error& error,
                  Code gone = Code::kP11ObjectHandleInvalid);

}  // namespace keyclave::pkcs11
