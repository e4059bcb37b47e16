// Contexts of one asymmetric key that are set up once and copied for each operation: setting one up
// costs several searches by name, a copy costs a fraction of a microsecond.
//
// - Any number of threads may call Begin at once; none waits for another.
// - A key remembers the first kSlots distinct uses; further ones work the same, only slower.
#pragma once

#include <array>
#include <atomic>

#include "enclave/base/result.h"
#include "enclave/mech/openssl_handles.h"

namespace keyclave::mech {

enum class PkeyVerb : uint8_t { kSign, kVerify, kEncrypt, kDecrypt };

// What is fixed for an operation before its input is known. Equal uses give equal contexts.
struct PkeyUse {
  PkeyVerb verb = PkeyVerb::kSign;
  int rsa_padding = 0;              // RSA_PKCS1_PADDING …; 0: no RSA key
  const EVP_MD* md = nullptr;       // of the digest that is signed, or OAEP's
  const EVP_MD* mgf = nullptr;      // of MGF1, for PSS and OAEP
  int pss_salt_length = -1;         // bytes
  unsigned tls_client_version = 0;  // of RSA_PKCS1_WITH_TLS_PADDING
  unsigned tls_negotiated_version = 0;
  friend bool operator==(const PkeyUse&, const PkeyUse&) = default;
};

class PreparedUses {
 public:
  PreparedUses() = default;
  PreparedUses(const PreparedUses&) = delete;
  PreparedUses& operator=(const PreparedUses&) = delete;
  ~PreparedUses();

  // `pkey` must be the same in every call. kCryptoFailed.
  Result<EvpPkeyCtx> Begin(EVP_PKEY* pkey, const PkeyUse& use) const;

 private:
  static constexpr size_t kSlots = 8;
  struct Prepared {
    PkeyUse use;
    EvpPkeyCtx context;
  };
  // A slot is filled once and never changed again, so a reader needs no lock.
  mutable std::array<std::atomic<const Prepared*>, kSlots> slots_{};
};

}  // namespace keyclave::mech
