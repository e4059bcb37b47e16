// ECDSA over P-256 with SHA-256 by GnuTLS, keys as SubjectPublicKeyInfo and PEM, signatures as the
// two numbers of 32 bytes each: a signature has exactly one encoding.
#pragma once

#include <gnutls/abstract.h>

#include <memory>

#include "enclave/base/bytes.h"

namespace keyclave::attest {

using P256Signature = ByteArray<64>;

struct PrivateKeyFree {
  void operator()(gnutls_privkey_t key) const { gnutls_privkey_deinit(key); }
};
struct PublicKeyFree {
  void operator()(gnutls_pubkey_t key) const { gnutls_pubkey_deinit(key); }
};

class P256PrivateKey {
 public:
  static Result<P256PrivateKey> Generate();
  static Result<P256PrivateKey> FromPem(ByteSpan pem);  // kKeyFileInvalid

  Result<Bytes> ToPem() const;  // PKCS#8, not encrypted
  Result<class P256PublicKey> Public() const;
  Result<P256Signature> Sign(ByteSpan message) const;

 private:
  using Handle = std::unique_ptr<std::remove_pointer_t<gnutls_privkey_t>, PrivateKeyFree>;
  explicit P256PrivateKey(Handle key) : key_(std::move(key)) {}
  Handle key_;
};

class P256PublicKey {
 public:
  static Result<P256PublicKey> FromPem(ByteSpan pem);   // kKeyFileInvalid
  static Result<P256PublicKey> FromSpki(ByteSpan der);  // kKeyFileInvalid

  Result<Bytes> ToPem() const;
  Result<Bytes> ToSpki() const;
  bool Verify(ByteSpan message, const P256Signature& signature) const;

 private:
  friend class P256PrivateKey;
  using Handle = std::unique_ptr<std::remove_pointer_t<gnutls_pubkey_t>, PublicKeyFree>;
  explicit P256PublicKey(Handle key) : key_(std::move(key)) {}
  static Result<P256PublicKey> Import(ByteSpan encoded, gnutls_x509_crt_fmt_t format);
  Handle key_;
};

}  // namespace keyclave::attest
