// The key of a CA in the enclave, as OpenSSL's X.509 functions take it: through the provider, which
// sends what is to be signed to the enclave whole. The policy's `input` decides there.
#pragma once

#include "enclave/ctl/enclave_link.h"
#include "enclave/mech/openssl_handles.h"

namespace keyclave::ctl {

class CaKey {
 public:
  // The key, and a certificate of it in its token. kObjectNotFound, kIssuerUnfit (no certificate),
  // kNotFound (no provider).
  static Result<CaKey> Open(const Globals& globals, const TokenChoice& token,
                            const std::string& key);

  X509* certificate() const { return certificate_.get(); }
  const std::string& label() const { return label_; }
  // A signature that is about to be made, with the digest that suits the key.
  Result<mech::EvpMdCtx> BeginSignature() const;

 private:
  using Library = mech::Owned<OSSL_LIB_CTX, OSSL_LIB_CTX_free>;
  CaKey() = default;
  Status LoadPrivateKey(const Globals& globals, const std::string& uri);

  std::string label_;
  mech::X509Cert certificate_;
  Library library_;  // outlives the key; its providers end with it
  mech::EvpPkey private_key_;
};

// What openssl says of the last failure, for a message.
Error SigningFailed(std::string_view what);

// The list of a file (PEM or DER), if this certificate's key has signed it. kMalformed,
// kCertificateMismatch.
Result<mech::X509Crl> ReadCrl(const std::string& path, X509* issuer);

}  // namespace keyclave::ctl
