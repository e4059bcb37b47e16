// The implementations behind the exported functions, one per row of functions.inc:
// keyclave::pkcs11::call::C_Sign stands behind C_Sign. They may throw; entry.cc is the barrier.
#pragma once

#include "enclave/base/result.h"
#include "pkcs11/cryptoki3.h"

namespace keyclave::pkcs11::call {

#define KC_FUNCTION(name, parameters, arguments) Status name parameters;
#define KC_FUNCTION_3_0(name, parameters, arguments) Status name parameters;
#include "pkcs11/functions.inc"
#undef KC_FUNCTION
#undef KC_FUNCTION_3_0

// C_GetInfo as the 3.0 function list has it: it names that version.
Status GetInfoOf(CK_VERSION cryptoki, CK_INFO_PTR info);

}  // namespace keyclave::pkcs11::call
