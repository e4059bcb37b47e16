// How an operation of a key begins, is fed and is answered: what C_Sign…, C_Verify…, C_Encrypt… and
// C_Decrypt… share.
#pragma once

#include "pkcs11/session_object.h"

namespace keyclave::pkcs11 {

// A key for an operation. `wrong` (kP11KeyHandleInvalid …) if the handle is no key's. If the key's
// attributes do not have the usage (CKA_SIGN …), they are read anew before
// kKeyFunctionNotPermitted: the enclave decides, this only answers early.
Result<ObjectPtr> FindKey(const SessionCall& call, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE usage,
                          Code wrong = Code::kP11KeyHandleInvalid);

// The mechanism is offered for this function, allowed by the key, and made for its type.
Status CheckMechanism(const SessionCall& call, const wire::AttributeList& key,
                      CK_MECHANISM_TYPE type, CK_FLAGS function);

// What every C_…Init begins with: nothing stands in the way of this operation, and the key may do
// it with this mechanism. kP11ArgumentsBad for NULL, kP11OperationActive, and as above.
Result<ObjectPtr> ChooseKey(const SessionCall& call, const CK_MECHANISM* mechanism,
                            CK_OBJECT_HANDLE key, CK_FLAGS function, CK_ATTRIBUTE_TYPE usage);

// C_…Init. After it `slot` holds the new operation; or, for a NULL mechanism, what was there has
// ended (3.0 §5.8.1 and its like: "can be called with pMechanism set to NULL_PTR to terminate an
// active … operation").
Status BeginKeyOperation(const SessionCall& call, std::optional<KeyOperation>& slot,
                         const CK_MECHANISM* mechanism, CK_OBJECT_HANDLE key, CK_FLAGS function,
                         CK_ATTRIBUTE_TYPE usage);

// C_Sign and its like cannot end what C_SignUpdate began (base §5.11): kP11OperationNotInitialized.
Status RequireSinglePart(const KeyOperation& operation);
// A part cannot follow the last step, whose output only waits to be fetched:
// kP11OperationNotInitialized.
Status BeginPart(KeyOperation& operation);

// Output that waits belongs to the message it was made of: asked for with another message, it is
// forgotten.
void MatchPending(KeyOperation& operation, ByteSpan message);

// A part of what is signed or verified, for C_SignUpdate and its like.
Status SignPart(KeyOperation& operation, ByteSpan part);

}  // namespace keyclave::pkcs11
