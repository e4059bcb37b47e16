// Owned GnuTLS objects, for .cc files of attest/ and enclave/ctl only.
#pragma once

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>

#include <memory>

#include "enclave/base/bytes.h"

namespace keyclave::attest {

template <auto Deinit>
struct GnutlsFree {
  template <class T>
  void operator()(T* object) const {
    Deinit(object);
  }
};
template <class Pointer, auto Deinit>
using GnutlsHandle = std::unique_ptr<std::remove_pointer_t<Pointer>, GnutlsFree<Deinit>>;

// The memory is only read, although GnuTLS's type cannot say so.
inline gnutls_datum_t AsDatum(ByteSpan bytes) {
  return {const_cast<unsigned char*>(bytes.data()), static_cast<unsigned>(bytes.size())};
}

// What GnuTLS allocated; wiped, because it may be a private key.
class OwnedDatum {
 public:
  OwnedDatum() = default;
  OwnedDatum(const OwnedDatum&) = delete;
  OwnedDatum& operator=(const OwnedDatum&) = delete;
  ~OwnedDatum() {
    Wipe({datum_.data, datum_.size});
    gnutls_free(datum_.data);
  }
  gnutls_datum_t* get() { return &datum_; }
  ByteSpan bytes() const { return {datum_.data, datum_.size}; }

 private:
  gnutls_datum_t datum_{nullptr, 0};
};

inline Error GnutlsError(int code) { return Fail(Code::kCryptoFailed, gnutls_strerror(code)); }

}  // namespace keyclave::attest
