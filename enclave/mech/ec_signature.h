// ECDSA's and SM2's signatures as PKCS#11 has them (pkcs11-curr-v3.0 §2.3.1): r and s, each as long
// as the curve's order, concatenated; OpenSSL has DER.
#pragma once

#include "enclave/base/bytes.h"
#include "enclave/mech/openssl_handles.h"

namespace keyclave::mech {

Result<Bytes> ToHalves(ByteSpan der, size_t half);
Result<Bytes> FromHalves(ByteSpan halves);
Result<EcdsaSig> SignatureOf(ByteSpan halves);

}  // namespace keyclave::mech
