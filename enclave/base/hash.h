// Message digests by GnuTLS, for both ends (the modules bring no libcrypto of their own).
#pragma once

#include <memory>

#include "enclave/base/bytes.h"

namespace keyclave {

enum class HashAlgorithm : uint8_t {
  kSha1 = 1,
  kSha224,
  kSha256,
  kSha384,
  kSha512,
  kSha3_224,
  kSha3_256,
  kSha3_384,
  kSha3_512,
  kMd5
};

size_t HashSize(HashAlgorithm algorithm);  // bytes

// One running digest. Copies by Clone (PKCS#11 and OpenSSL both duplicate digests).
class Hasher {
 public:
  static Result<Hasher> Create(HashAlgorithm algorithm);  // kUnsupported if the library lacks it
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  ~Hasher();

  Status Update(ByteSpan bytes);
  Result<Bytes> Finish();  // HashSize bytes; the hasher then starts anew
  Result<Hasher> Clone() const;
  HashAlgorithm algorithm() const { return algorithm_; }

 private:
  struct Handle;
  Hasher(HashAlgorithm algorithm, std::unique_ptr<Handle> handle);
  HashAlgorithm algorithm_;
  std::unique_ptr<Handle> handle_;
};

Result<Bytes> Hash(HashAlgorithm algorithm, ByteSpan bytes);
ByteArray<32> Sha256(ByteSpan bytes);
ByteArray<64> Sha512(ByteSpan bytes);

// Fills with random bytes fit for keys and nonces (GnuTLS's generator; safe after fork).
void RandomFill(std::span<uint8_t> bytes);
template <size_t N>
ByteArray<N> RandomArray() {
  ByteArray<N> array;
  RandomFill(array);
  return array;
}

}  // namespace keyclave
