// Certificates as Envoy reads them, and as this process does.
#pragma once

#include "enclave/base/bytes.h"
#include "enclave/base/clock.h"

namespace keyclave::sds {

std::string CertificatePem(ByteSpan der);

struct CertificateLife {
  std::string serial;  // hexadecimal
  UnixTime not_after = 0;
};
// kMalformed.
Result<CertificateLife> ReadLife(ByteSpan certificate);

}  // namespace keyclave::sds
