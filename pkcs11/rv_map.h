// Code -> CK_RV, in one place. docs/pkcs11.md says what a user should look at for each.
#pragma once

#include <string_view>

#include "enclave/base/result.h"
#include "pkcs11/cryptoki3.h"

namespace keyclave::pkcs11 {

// Every Code has its return value: a code without a case here does not compile.
CK_RV ToRv(Code code);
// "CKR_PIN_INCORRECT", for logs.
std::string_view RvName(CK_RV rv);

}  // namespace keyclave::pkcs11
