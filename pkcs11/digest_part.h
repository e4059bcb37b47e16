// C_DigestUpdate's step, for the dual-function calls too.
#pragma once

#include "pkcs11/operation.h"

namespace keyclave::pkcs11 {

Status DigestPart(DigestOperation& operation, ByteSpan part);

}  // namespace keyclave::pkcs11
