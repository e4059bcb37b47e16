// The TLS key of one process: an ephemeral P-256 key and a self-signed certificate around it, and
// the rules under which both ends speak TLS.
//
// The certificate says nothing: trust comes from evidence that names the key (docs/wire.md). The
// key lives as long as the process and is written nowhere.
//
// Nothing here may start GnuTLS's PKCS#11 layer (system trust, URLs): GnuTLS itself may be loading
// our module at that moment.
#pragma once

#include <memory>

#include "enclave/base/bytes.h"

namespace keyclave::wire {

class TlsIdentity {
 public:
  // Makes a new key. kTlsFailed names GnuTLS's reason.
  static Result<std::shared_ptr<const TlsIdentity>> Create();
  ~TlsIdentity();
  TlsIdentity(const TlsIdentity&) = delete;
  TlsIdentity& operator=(const TlsIdentity&) = delete;

  // SHA-256 of the key's SubjectPublicKeyInfo.
  const ByteArray<32>& spki() const { return spki_; }

 private:
  friend class TlsStream;
  struct Handles;
  TlsIdentity();
  std::unique_ptr<Handles> handles_;
  ByteArray<32> spki_{};
};

}  // namespace keyclave::wire
