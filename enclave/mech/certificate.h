// What X.509 certificates say, for objects that hold them.
#pragma once

#include "enclave/base/bytes.h"

namespace keyclave::mech {

struct CertificateFacts {
  Bytes subject;          // DER of the Name
  Bytes issuer;           // DER of the Name
  Bytes serial_number;    // DER of the INTEGER
  Bytes public_key_info;  // DER of the SubjectPublicKeyInfo
};

// kMalformed unless `der` is one whole certificate. Nothing is verified.
Result<CertificateFacts> ReadCertificate(ByteSpan der);
// CKA_CHECK_VALUE of any kind of certificate: "the first three bytes of the SHA-1 hash"
// (pkcs11-base-v3.0 §4.6.2).
Result<Bytes> CertificateCheckValue(ByteSpan certificate);

}  // namespace keyclave::mech
