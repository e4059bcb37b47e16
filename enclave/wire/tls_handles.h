// Owners for GnuTLS objects, shared by the files of the TLS layer.
#pragma once

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "enclave/base/bytes.h"
#include "enclave/wire/tls_identity.h"

namespace keyclave::wire {

template <class T, void (*kFree)(T)>
class TlsHandle {
 public:
  TlsHandle() = default;
  TlsHandle(const TlsHandle&) = delete;
  TlsHandle& operator=(const TlsHandle&) = delete;
  ~TlsHandle() {
    if (handle_ != nullptr) kFree(handle_);
  }
  T get() const { return handle_; }
  T* out() { return &handle_; }

 private:
  T handle_ = nullptr;
};

using TlsPrivateKey = TlsHandle<gnutls_x509_privkey_t, gnutls_x509_privkey_deinit>;
using TlsPublicKey = TlsHandle<gnutls_pubkey_t, gnutls_pubkey_deinit>;
using TlsCertificate = TlsHandle<gnutls_x509_crt_t, gnutls_x509_crt_deinit>;
using TlsCredentials =
    TlsHandle<gnutls_certificate_credentials_t, gnutls_certificate_free_credentials>;
using TlsPriority = TlsHandle<gnutls_priority_t, gnutls_priority_deinit>;

struct TlsIdentity::Handles {
  TlsCredentials credentials;
  TlsPriority priority;
};

// kTlsFailed with GnuTLS's reason for a negative result.
Status CheckTls(int result, std::string_view what);
// SHA-256 of the certificate's SubjectPublicKeyInfo (DER). kTlsFailed unless its key is on P-256.
Result<ByteArray<32>> SpkiHash(gnutls_x509_crt_t certificate);

}  // namespace keyclave::wire
