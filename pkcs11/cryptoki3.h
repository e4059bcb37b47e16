// PKCS#11 3.0 as far as p11-kit's header of Debian 12 (2.40) lacks it: interfaces, the 3.0 function
// list, numbers. Names and layouts are those of the OASIS header pkcs11.h 3.0.
#pragma once

#include "enclave/wire/pkcs11_extra.h"

#ifndef CKR_OPERATION_CANCEL_FAILED

// NOLINTBEGIN(modernize-use-using, cppcoreguidelines-macro-usage): a C header's content
#define CKR_OPERATION_CANCEL_FAILED 0x202UL

#define CKF_INTERFACE_FORK_SAFE 0x1UL

#define CKF_MESSAGE_ENCRYPT 0x2UL
#define CKF_MESSAGE_DECRYPT 0x4UL
#define CKF_MESSAGE_SIGN 0x8UL
#define CKF_MESSAGE_VERIFY 0x10UL
#define CKF_FIND_OBJECTS 0x40UL

#define CKM_SHA3_256 0x2b0UL
#define CKM_SHA3_224 0x2b5UL
#define CKM_SHA3_384 0x2c0UL
#define CKM_SHA3_512 0x2d0UL
#define CKM_SHA3_256_RSA_PKCS 0x60UL
#define CKM_SHA3_384_RSA_PKCS 0x61UL
#define CKM_SHA3_512_RSA_PKCS 0x62UL
#define CKM_SHA3_256_RSA_PKCS_PSS 0x63UL
#define CKM_SHA3_384_RSA_PKCS_PSS 0x64UL
#define CKM_SHA3_512_RSA_PKCS_PSS 0x65UL
#define CKM_SHA3_224_RSA_PKCS 0x66UL
#define CKM_SHA3_224_RSA_PKCS_PSS 0x67UL
#define CKM_ECDSA_SHA3_224 0x1047UL
#define CKM_ECDSA_SHA3_256 0x1048UL
#define CKM_ECDSA_SHA3_384 0x1049UL
#define CKM_ECDSA_SHA3_512 0x104aUL

#define CKG_MGF1_SHA3_224 0x6UL
#define CKG_MGF1_SHA3_256 0x7UL
#define CKG_MGF1_SHA3_384 0x8UL
#define CKG_MGF1_SHA3_512 0x9UL

typedef struct CK_INTERFACE {
  CK_UTF8CHAR_PTR pInterfaceName;
  CK_VOID_PTR pFunctionList;
  CK_FLAGS flags;
} CK_INTERFACE;
typedef CK_INTERFACE* CK_INTERFACE_PTR;
typedef CK_INTERFACE_PTR* CK_INTERFACE_PTR_PTR;

#endif  // CKR_OPERATION_CANCEL_FAILED

extern "C" {
#define KC_FUNCTION(name, parameters, arguments)
#define KC_FUNCTION_3_0(name, parameters, arguments) \
  typedef CK_RV(*CK_##name) parameters;              \
  CK_RV name parameters;
#include "pkcs11/functions.inc"
#undef KC_FUNCTION
#undef KC_FUNCTION_3_0

typedef struct CK_FUNCTION_LIST_3_0 {
  CK_VERSION version;
#define KC_FUNCTION(name, parameters, arguments) CK_##name name;
#define KC_FUNCTION_3_0(name, parameters, arguments) CK_##name name;
#include "pkcs11/functions.inc"
#undef KC_FUNCTION
#undef KC_FUNCTION_3_0
} CK_FUNCTION_LIST_3_0;
// NOLINTEND(modernize-use-using, cppcoreguidelines-macro-usage)
}
