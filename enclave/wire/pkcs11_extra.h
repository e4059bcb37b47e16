// PKCS#11 numbers that p11-kit's header of Debian 12 lacks, and Keyclave's own vendor numbers ("KC"
// = 0x4b43).
#pragma once

#include <p11-kit/pkcs11.h>

#ifndef CKA_UNIQUE_ID
#define CKA_UNIQUE_ID 0x00000004UL  // PKCS#11 3.0, base §4.4
#endif
#ifndef CKA_PUBLIC_KEY_INFO
#define CKA_PUBLIC_KEY_INFO 0x00000129UL  // PKCS#11 2.40, base §4.7
#endif

namespace keyclave {

// Keys say which policy governs them; plain clients never need these.
inline constexpr CK_ATTRIBUTE_TYPE kCkaPolicy =
    CKA_VENDOR_DEFINED | 0x4b430001UL;  // UTF-8 policy name
inline constexpr CK_ATTRIBUTE_TYPE kCkaPolicyDigest =
    CKA_VENDOR_DEFINED | 0x4b430002UL;  // SHA-256 of its text
inline constexpr CK_ATTRIBUTE_TYPE kCkaCreatorMeasurement =
    CKA_VENDOR_DEFINED | 0x4b430003UL;  // UTF-8, hexadecimal
inline constexpr CK_ATTRIBUTE_TYPE kCkaCreated =
    CKA_VENDOR_DEFINED | 0x4b430004UL;  // CK_ULONG, Unix seconds
inline constexpr CK_ATTRIBUTE_TYPE kCkaCreatorTee =
    CKA_VENDOR_DEFINED | 0x4b430005UL;  // UTF-8: the type of the evidence of who made it
inline constexpr CK_ATTRIBUTE_TYPE kCkaInheritedPolicies =
    CKA_VENDOR_DEFINED | 0x4b430006UL;  // UTF-8: names that have to grant, too, joined by ","
inline constexpr CK_ATTRIBUTE_TYPE kCkaParents =
    CKA_VENDOR_DEFINED | 0x4b430007UL;  // ids (16 bytes each) of the keys that it was made from
// Versions of a key (docs/rotation.md). Keys of one label in one token are a line; without a number
// a key is version 1.
inline constexpr CK_ATTRIBUTE_TYPE kCkaVersion = CKA_VENDOR_DEFINED | 0x4b430008UL;  // CK_ULONG
inline constexpr CK_ATTRIBUTE_TYPE kCkaStaged =
    CKA_VENDOR_DEFINED | 0x4b430009UL;  // CK_BBOOL: made to be certified, not in service yet
inline constexpr CK_ATTRIBUTE_TYPE kCkaUseUntil =
    CKA_VENDOR_DEFINED | 0x4b43000aUL;  // CK_ULONG, Unix seconds: retired from then on; 0: never

// RSA decryption of a TLS 1.2 pre-master secret (RFC 5246 §7.4.7.1): 48 bytes always, implicit
// rejection in the enclave.
inline constexpr CK_MECHANISM_TYPE kCkmRsaPkcsTls = CKM_VENDOR_DEFINED | 0x4b430001UL;

// China's standard algorithms, for which PKCS#11 has no numbers (docs/mechanisms.md).
inline constexpr CK_KEY_TYPE kCkkSm2 = CKK_VENDOR_DEFINED | 0x4b430001UL;
inline constexpr CK_KEY_TYPE kCkkSm4 = CKK_VENDOR_DEFINED | 0x4b430002UL;
inline constexpr CK_MECHANISM_TYPE kCkmSm2KeyPairGen = CKM_VENDOR_DEFINED | 0x4b430010UL;
inline constexpr CK_MECHANISM_TYPE kCkmSm2Sm3 = CKM_VENDOR_DEFINED | 0x4b430011UL;
inline constexpr CK_MECHANISM_TYPE kCkmSm2Encrypt = CKM_VENDOR_DEFINED | 0x4b430012UL;
inline constexpr CK_MECHANISM_TYPE kCkmSm3 = CKM_VENDOR_DEFINED | 0x4b430020UL;
inline constexpr CK_MECHANISM_TYPE kCkmSm3Hmac = CKM_VENDOR_DEFINED | 0x4b430021UL;
inline constexpr CK_MECHANISM_TYPE kCkmSm3HmacGeneral = CKM_VENDOR_DEFINED | 0x4b430022UL;
inline constexpr CK_MECHANISM_TYPE kCkmSm4KeyGen = CKM_VENDOR_DEFINED | 0x4b430030UL;
inline constexpr CK_MECHANISM_TYPE kCkmSm4Ecb = CKM_VENDOR_DEFINED | 0x4b430031UL;
inline constexpr CK_MECHANISM_TYPE kCkmSm4Cbc = CKM_VENDOR_DEFINED | 0x4b430032UL;
inline constexpr CK_MECHANISM_TYPE kCkmSm4CbcPad = CKM_VENDOR_DEFINED | 0x4b430033UL;
inline constexpr CK_MECHANISM_TYPE kCkmSm4Ctr = CKM_VENDOR_DEFINED | 0x4b430034UL;

}  // namespace keyclave
