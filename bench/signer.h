// What sign_bench measures: somebody who signs SHA-256 digests with an RSA (PKCS #1 v1.5) or P-256
// key. Errors are std::runtime_error.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace keyclave::bench {

using Digest = std::array<uint8_t, 32>;
using Signature = std::vector<uint8_t>;

// Digests that differ, so that nothing can answer from memory.
inline Digest MakeDigest(uint64_t number) {
  Digest digest{};
  for (size_t i = 0; i < digest.size(); ++i) {
    digest[i] = static_cast<uint8_t>(number >> (8 * (i % 8)) ^ (i * 37 + 1));
  }
  return digest;
}

class Signer {
 public:
  virtual ~Signer() = default;
  // For one thread: signs a digest; in `digest` is then the one that was signed, which an
  // asynchronous signer was given earlier. RSA signatures as PKCS #1 has them, ECDSA ones as DER.
  virtual std::function<Signature(Digest& digest)> ForThread() = 0;
  // Whether the signature is one of this key's, checked with the public key by OpenSSL outside the
  // measurement.
  virtual bool Verify(const Digest& digest, const Signature& signature) = 0;
};

struct Pkcs11Options {
  std::string module;
  std::string token;
  std::string pin;  // empty: no login
  std::string label;
};
std::unique_ptr<Signer> MakePkcs11Signer(const Pkcs11Options& options);
// `uri`: what OSSL_STORE opens: a PEM file (the key is then in memory), or pkcs11:… with Keyclave's
// provider active.
// With `jobs` each thread keeps so many signatures in flight, as asynchronous jobs of OpenSSL.
std::unique_ptr<Signer> MakeEvpSigner(const std::string& uri, unsigned jobs);

// Verifies with an OpenSSL public key given as SubjectPublicKeyInfo (DER).
bool VerifyWith(const std::vector<uint8_t>& public_key_info, const Digest& digest,
                const Signature& signature);

}  // namespace keyclave::bench
