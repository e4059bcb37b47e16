// The platforms' ways to keep the root secret, one file each.
#pragma once

#include "attest/tee_type.h"
#include "enclave/config/sealing_config.h"
#include "enclave/keys/root_sealer.h"

namespace keyclave::seal {

// `producer` must outlive it.
std::unique_ptr<keys::RootSealer> MakeRootSealer(const config::SealingConfig& sealing,
                                                 const attest::ProducerConfig& producer);

// A platform that derives keys: the secret is sealed with AES-256-GCM under a key made by HKDF from
// the platform's. What the platform's key is bound to, beside what it always is, stands before it
// in clear and is authenticated.
class KeySealer : public keys::RootSealer {
 public:
  Result<Bytes> Seal(const SecretBytes& root_secret) const final;
  Result<SecretBytes> Unseal(ByteSpan sealed) const final;

 protected:
  // The versions and the like that a key of now is bound to.
  virtual Result<Bytes> BindingOfNow() const = 0;
  // kSealingKeyUnavailable, kMalformed.
  virtual Result<SecretBytes> PlatformKey(ByteSpan binding) const = 0;
  // What an operator should think of when the key is not the one that sealed.
  virtual std::string Advice() const = 0;
};

std::unique_ptr<keys::RootSealer> MakeGramineSealer(const attest::ProducerConfig& producer,
                                                    attest::SgxIdentity identity);
std::unique_ptr<keys::RootSealer> MakeOcclumSealer(const attest::ProducerConfig& producer,
                                                   attest::SgxIdentity identity);
std::unique_ptr<keys::RootSealer> MakeSnpSealer(const attest::ProducerConfig& producer);
std::unique_ptr<keys::RootSealer> MakeTpmSealer(const attest::ProducerConfig& producer,
                                                const attest::tpm::PcrChoice& pcrs);

}  // namespace keyclave::seal
