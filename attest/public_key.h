// Public keys that sign evidence, and the signatures that evidence uses, by GnuTLS.
#pragma once

#include <gnutls/abstract.h>

#include <memory>
#include <string>

#include "enclave/base/bytes.h"
#include "enclave/base/hash.h"

namespace keyclave::attest {

// What a verifier expects, fixed by the format or by the key; never what a signature says of
// itself.
enum class SignatureScheme : uint8_t {
  kEcdsaP256Sha256,
  kEcdsaP384Sha384,
  kEcdsaP521Sha512,
  kRsaPkcs1Sha1,  // only where a caller may see it and refuse it by policy (old TPM quotes)
  kRsaPkcs1Sha256,
  kRsaPkcs1Sha384,
  kRsaPkcs1Sha512,
  kRsaPssSha256,
  kRsaPssSha384,
  kRsaPssSha512,
  kEd25519,
};

std::string_view SchemeName(SignatureScheme scheme);

enum class KeyKind : uint8_t { kOther, kRsa, kEcP256, kEcP384, kEcP521, kEd25519 };

// Immutable; copies share it, and threads may.
class PublicKey {
 public:
  // kMalformed for what is no key, or one whose point is not on its curve.
  static Result<PublicKey> FromSpki(ByteSpan der);
  static Result<PublicKey> FromPem(ByteSpan pem);
  // Coordinates big-endian; `kind` is one of the EC kinds.
  static Result<PublicKey> FromEcPoint(KeyKind kind, ByteSpan x, ByteSpan y);
  static Result<PublicKey> FromEd25519(ByteSpan point);  // 32 bytes, RFC 8032
  // Modulus and exponent big-endian.
  static Result<PublicKey> FromRsa(ByteSpan modulus, ByteSpan exponent);
  static Result<PublicKey> FromHandle(gnutls_pubkey_t key);  // takes it

  KeyKind kind() const { return kind_; }
  unsigned bits() const { return bits_; }
  const Bytes& spki() const { return spki_; }  // DER: equal keys have equal ones

  // The signature as GnuTLS wants it: ECDSA-Sig-Value (DER) for ECDSA, else the plain bytes.
  // kEvidenceSignature if it does not verify, or the key's kind does not fit the scheme.
  Status Verify(SignatureScheme scheme, ByteSpan message, ByteSpan signature) const;
  // ECDSA with r and s as big-endian numbers of any length.
  Status VerifyEcdsa(SignatureScheme scheme, ByteSpan message, ByteSpan r, ByteSpan s) const;

 private:
  PublicKey() = default;
  std::shared_ptr<std::remove_pointer_t<gnutls_pubkey_t>> key_;
  KeyKind kind_ = KeyKind::kOther;
  unsigned bits_ = 0;
  Bytes spki_;
};

}  // namespace keyclave::attest
