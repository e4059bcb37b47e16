// What the certificates that the enclave makes are put together from: its own (certify.h) and those
// that it issues to others (issue.h).
#pragma once

#include <optional>

#include "enclave/base/clock.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/key.h"

namespace keyclave::mech {

inline constexpr UnixTime kBackdate = 60;  // seconds; for verifiers whose clock is a little behind

// The digest of a certificate's signature: SHA-256 for RSA, as strong as the curve for EC (RFC 5480
// §4), none for Edwards keys, which hash themselves. nullopt: the key cannot sign certificates.
std::optional<const EVP_MD*> SignatureDigest(const Key& key);

// A random serial number of 127 bits: positive, and never shorter than 16 bytes.
Status SetSerialNumber(X509* certificate);
Status SetValidity(X509* certificate, UnixTime begin, UnixTime end);
// CA:FALSE; keyUsage for the certificate's own key; extendedKeyUsage of these NIDs.
Status AddLeafProfile(X509* certificate, const std::vector<int>& purposes);
// CA:TRUE with path length 0, keyCertSign and cRLSign.
Status AddCaProfile(X509* certificate);
// RFC 5280 §4.2.1.2, method (1): the SHA-1 of the public key's bits.
Result<OctetString> KeyIdentifier(const X509* certificate);
Status AddKeyIdentifier(X509* certificate);

// The DER of a certificate or request, or a part of one.
template <class Thing>
Result<Bytes> EncodeDer(const Thing* thing, int (*encode)(const Thing*, unsigned char**)) {
  const int size = encode(thing, nullptr);
  if (size <= 0) return OpensslError("encoding a certificate");
  Bytes der(static_cast<size_t>(size));
  uint8_t* next = der.data();
  if (encode(thing, &next) != size) return OpensslError("encoding a certificate");
  return der;
}

}  // namespace keyclave::mech
