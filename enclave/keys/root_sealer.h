// Who keeps the root secret while no daemon runs, and counts for the witness: what a platform gives
// (enclave/seal has one file per platform). Here is the one that needs none.
#pragma once

#include <memory>

#include "enclave/base/secret_bytes.h"

namespace keyclave::keys {

// A counter of the platform's that cannot go back, whoever owns the machine's disk.
class MonotonicCounter {
 public:
  virtual ~MonotonicCounter() = default;
  virtual std::string Name() const = 0;
  virtual Result<uint64_t> Create() = 0;     // its first value; kStoreExists
  virtual Result<uint64_t> Read() = 0;       // kWitnessMissing: there is none
  virtual Result<uint64_t> Increment() = 0;  // the new value; kWitnessMissing
  virtual Status Remove() = 0;
};

class RootSealer {
 public:
  virtual ~RootSealer() = default;
  // As keyclaved.yaml calls it: lower-case letters and hyphens.
  virtual std::string Name() const = 0;
  // What comes back may lie on any disk. kSealingKeyUnavailable.
  virtual Result<Bytes> Seal(const SecretBytes& root_secret) const = 0;
  // kSealingKeyUnavailable: the platform gives no key, or not to what runs here now; kSealFailed,
  // kMalformed: these are not the bytes that Seal gave. Each says what an operator can do.
  virtual Result<SecretBytes> Unseal(ByteSpan sealed) const = 0;
  // nullptr where the platform has none: the witness is then a file and no more.
  virtual std::shared_ptr<MonotonicCounter> Counter() const { return nullptr; }
};

// Of a simulated enclave: the secret itself, protected by the mode of its file.
class FileSealer final : public RootSealer {
 public:
  std::string Name() const override { return "file"; }
  Result<Bytes> Seal(const SecretBytes& root_secret) const override {
    return ToBytes(root_secret.Expose(SecretAccess()));
  }
  Result<SecretBytes> Unseal(ByteSpan sealed) const override { return SecretBytes::CopyOf(sealed); }
};

}  // namespace keyclave::keys
