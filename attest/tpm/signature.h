// TPMT_SIGNATURE: how a TPM signs a quote (TPM 2.0 Library, Part 2 §11.3.4).
#pragma once

#include "attest/public_key.h"

namespace keyclave::attest::tpm {

struct Signature {
  uint16_t algorithm = 0;  // TPM_ALG_RSASSA, _RSAPSS or _ECDSA
  uint16_t hash = 0;       // TPM_ALG_ID
  Bytes rsa;               // of the RSA schemes
  Bytes r, s;              // of ECDSA, big-endian
};

// kMalformed for another scheme (HMAC and ECDAA among them) and a hash that is not known;
// kTruncated, kTrailingBytes, kTooLarge.
inline constexpr size_t kMaxSignature = 1024;  // bytes; RSA 4096 has 518
Result<Signature> ParseSignature(ByteSpan bytes);

// "RSASSA SHA-256", for people.
std::string SchemeText(const Signature& signature);

// The TPMT_SIGNATURE around the plain bytes of an RSASSA SHA-256 signature, which is how tools of
// Azure's virtual machines keep it.
Bytes WrapRsassaSha256(ByteSpan raw);

// The hash of the scheme, with which the PCR digest is made, too. kEvidenceSignature if it does not
// verify under this key, if the key is not one for its scheme, or for SHA-1.
Result<HashAlgorithm> VerifySignature(const Signature& signature, const PublicKey& key,
                                      ByteSpan message);

}  // namespace keyclave::attest::tpm
