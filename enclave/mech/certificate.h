// What X.509 certificates say, for objects that hold them.
#pragma once

#include "enclave/base/bytes.h"

namespace keyclave::mech {

struct CertificateFacts {
  Bytes subject;          // DER of the Name
  Bytes issuer;           // DER of the Name
  Bytes serial_number;    // DER of the INTEGER
  Bytes public_key_info;  // DER of the SubjectPublicKeyInfo
  Bytes check_value;      // CKA_CHECK_VALUE: the first three bytes of the certificate's SHA-1
};

// kMalformed unless `der` is one whole certificate. Nothing is verified.
Result<CertificateFacts> ReadCertificate(ByteSpan der);

}  // namespace keyclave::mech
