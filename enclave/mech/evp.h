// OpenSSL as Keyclave uses it: one private library context, errors as Codes, values in and out.
//
// - The context holds the default provider and reads no configuration file: an openssl.cnf of the
//   host that activates Keyclave's own provider can never lead a key operation back to the daemon.
// - Digests and ciphers are fetched by name once and kept; no operation fetches its own.
#pragma once

#include "enclave/base/secret_bytes.h"
#include "enclave/mech/openssl_handles.h"

namespace keyclave::mech {

// The private library context; lives as long as the process.
OSSL_LIB_CTX* Library();

// Empties OpenSSL's error queue into the detail of one error. OpenSSL's texts name functions and
// reasons, never values.
Error OpensslError(Code code, std::string_view where);
// kCryptoFailed.
Error OpensslError(std::string_view where);

Bytes BigNumBytes(const BIGNUM* number);                // big-endian, no leading zeros
Bytes BigNumBytes(const BIGNUM* number, size_t width);  // big-endian, padded to width
Result<BigNum> ToBigNum(ByteSpan big_endian);           // held in secure (constant-time) form
Result<BigNum> PkeyBigNum(const EVP_PKEY* pkey, const char* param);
Result<Bytes> PkeyOctets(const EVP_PKEY* pkey, const char* param);
Result<std::string> PkeyText(const EVP_PKEY* pkey, const char* param);

// Whether this OpenSSL has the key algorithm ("ED25519", "ML-DSA-65").
bool HasKeyAlgorithm(const char* name);

}  // namespace keyclave::mech
