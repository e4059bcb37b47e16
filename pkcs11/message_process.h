// How message-based processes begin and end, and how a message stands in one: what
// C_MessageSign…, C_MessageVerify…, C_MessageEncrypt… and C_MessageDecrypt… share.
#pragma once

#include "pkcs11/key_operation.h"

namespace keyclave::pkcs11 {

// C_Message…Init. `function`: CKF_MESSAGE_SIGN …. After it `slot` holds the process; or, for a NULL
// mechanism, what was there has ended, with the message that was under way.
Status BeginMessages(const SessionCall& call, std::optional<MessageProcess>& slot,
                     const CK_MECHANISM* mechanism, CK_OBJECT_HANDLE key, CK_FLAGS function,
                     CK_ATTRIBUTE_TYPE usage);
// C_Message…Final; likewise.
Status EndMessages(std::optional<MessageProcess>& slot);

// Before a message: kP11OperationNotInitialized without a process, kP11OperationActive in the
// middle of a message in parts.
Status RequireNoMessage(const std::optional<MessageProcess>& slot);
// Before a part: kP11OperationNotInitialized where no message in parts has begun.
Status RequireMessage(const std::optional<MessageProcess>& slot);

// The message that now begins.
KeyOperation& NewMessage(MessageProcess& process);

}  // namespace keyclave::pkcs11
