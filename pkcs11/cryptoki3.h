// PKCS#11 3.0 and 3.2 as far as p11-kit's header lacks them: that of Debian 12 is 2.40, that of
// Debian 13 is 3.0 without the generators of vectors and the parameters of messages. Interfaces,
// function lists, parameters, numbers; names and layouts are those of OASIS's headers of 3.2.
#pragma once

#include "enclave/wire/pkcs11_numbers.h"

// NOLINTBEGIN(modernize-use-using, cppcoreguidelines-macro-usage): a C header's content
#if CRYPTOKI_VERSION_MAJOR < 3
#define CKR_OPERATION_CANCEL_FAILED 0x202UL

#define CKF_INTERFACE_FORK_SAFE 0x1UL

#define CKF_MESSAGE_ENCRYPT 0x2UL
#define CKF_MESSAGE_DECRYPT 0x4UL
#define CKF_MESSAGE_SIGN 0x8UL
#define CKF_MESSAGE_VERIFY 0x10UL
#define CKF_MULTI_MESSAGE 0x20UL
#define CKF_FIND_OBJECTS 0x40UL
#define CKF_END_OF_MESSAGE 0x1UL  // of C_EncryptMessageNext

#define CKA_PROFILE_ID 0x601UL
#define CKP_BASELINE_PROVIDER 0x1UL
#define CKP_EXTENDED_PROVIDER 0x2UL
#define CKP_AUTHENTICATION_TOKEN 0x3UL
#define CKP_PUBLIC_CERTIFICATES_TOKEN 0x4UL

typedef struct CK_INTERFACE {
  CK_UTF8CHAR_PTR pInterfaceName;
  CK_VOID_PTR pFunctionList;
  CK_FLAGS flags;
} CK_INTERFACE;
typedef CK_INTERFACE* CK_INTERFACE_PTR;
typedef CK_INTERFACE_PTR* CK_INTERFACE_PTR_PTR;
#endif

#ifndef CKG_GENERATE
#define CKG_NO_GENERATE 0x0UL
#define CKG_GENERATE 0x1UL
#define CKG_GENERATE_COUNTER 0x2UL
#define CKG_GENERATE_RANDOM 0x3UL
#define CKG_GENERATE_COUNTER_XOR 0x4UL
#endif
#ifndef CKP_HKDF_TLS_TOKEN
#define CKP_HKDF_TLS_TOKEN 0x6UL
#endif
#ifndef CKF_ASYNC_SESSION
#define CKF_ASYNC_SESSION 0x8UL  // of C_OpenSession
#endif
#ifndef CKS_LAST_VALIDATION_OK
#define CKS_LAST_VALIDATION_OK 0x1UL
#endif

#ifndef CKR_SESSION_ASYNC_NOT_SUPPORTED
#define CKR_SESSION_ASYNC_NOT_SUPPORTED 0x205UL
#define CKR_PARAMETER_SET_NOT_SUPPORTED 0x209UL

// Of the parameter of one message: the vector and the tag lie with the caller, either way.
typedef struct CK_GCM_MESSAGE_PARAMS {
  CK_BYTE_PTR pIv;
  CK_ULONG ulIvLen;  // bytes
  CK_ULONG ulIvFixedBits;
  CK_ULONG ivGenerator;  // CKG_…
  CK_BYTE_PTR pTag;
  CK_ULONG ulTagBits;
} CK_GCM_MESSAGE_PARAMS;
typedef struct CK_CCM_MESSAGE_PARAMS {
  CK_ULONG ulDataLen;  // bytes of plaintext
  CK_BYTE_PTR pNonce;
  CK_ULONG ulNonceLen;
  CK_ULONG ulNonceFixedBits;
  CK_ULONG nonceGenerator;  // CKG_…
  CK_BYTE_PTR pMAC;
  CK_ULONG ulMACLen;  // bytes
} CK_CCM_MESSAGE_PARAMS;
// Of C_WrapKey and C_UnwrapKey: the tag follows the wrapped key.
typedef struct CK_GCM_WRAP_PARAMS {
  CK_BYTE_PTR pIv;
  CK_ULONG ulIvLen;  // bytes
  CK_ULONG ulIvFixedBits;
  CK_ULONG ivGenerator;
  CK_BYTE_PTR pAAD;
  CK_ULONG ulAADLen;
  CK_ULONG ulTagBits;
} CK_GCM_WRAP_PARAMS;
typedef struct CK_CCM_WRAP_PARAMS {
  CK_ULONG ulDataLen;
  CK_BYTE_PTR pNonce;
  CK_ULONG ulNonceLen;
  CK_ULONG ulNonceFixedBits;
  CK_ULONG nonceGenerator;
  CK_BYTE_PTR pAAD;
  CK_ULONG ulAADLen;
  CK_ULONG ulMACLen;
} CK_CCM_WRAP_PARAMS;

typedef CK_ULONG CK_SESSION_VALIDATION_FLAGS_TYPE;
typedef struct CK_ASYNC_DATA {
  CK_ULONG ulVersion;
  CK_BYTE_PTR pValue;
  CK_ULONG ulValue;
  CK_OBJECT_HANDLE hObject;
  CK_OBJECT_HANDLE hAdditionalObject;
} CK_ASYNC_DATA;
typedef CK_ASYNC_DATA* CK_ASYNC_DATA_PTR;
#endif  // CKR_SESSION_ASYNC_NOT_SUPPORTED

extern "C" {
#define KC_FUNCTION(name, parameters, arguments)
#define KC_FUNCTION_3_0(name, parameters, arguments) \
  typedef CK_RV(*CK_##name) parameters;              \
  CK_RV name parameters;
#include "pkcs11/functions.inc"

#if CRYPTOKI_VERSION_MAJOR < 3
typedef struct CK_FUNCTION_LIST_3_0 {
  CK_VERSION version;
#define KC_FUNCTION(name, parameters, arguments) CK_##name name;
#define KC_FUNCTION_3_2(name, parameters, arguments)
#include "pkcs11/functions.inc"
} CK_FUNCTION_LIST_3_0;
#endif

typedef struct CK_FUNCTION_LIST_3_2 {
  CK_VERSION version;
#define KC_FUNCTION(name, parameters, arguments) CK_##name name;
#include "pkcs11/functions.inc"
} CK_FUNCTION_LIST_3_2;
// NOLINTEND(modernize-use-using, cppcoreguidelines-macro-usage)
}
