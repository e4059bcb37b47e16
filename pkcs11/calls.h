// The implementations behind the exported functions, one per row of functions.inc:
// keyclave::pkcs11::call::C_Sign stands behind C_Sign. They may throw; entry.cc is the barrier.
#pragma once

#include "enclave/base/result.h"
#include "pkcs11/cryptoki3.h"

namespace keyclave::pkcs11::call {

#define KC_FUNCTION(name, parameters, arguments) Status name parameters;
#include "pkcs11/functions.inc"

// C_GetInfo as the function lists of 3.0 and 3.2 have it: it names their version.
Status GetInfoOf(CK_VERSION cryptoki, CK_INFO_PTR info);

}  // namespace keyclave::pkcs11::call
