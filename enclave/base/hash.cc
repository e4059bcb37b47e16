#include "enclave/base/hash.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include <cstdlib>
#include <string>

namespace keyclave {
namespace {

gnutls_digest_algorithm_t ToGnutls(HashAlgorithm algorithm) {
  switch (algorithm) {
    case HashAlgorithm::kSha1: return GNUTLS_DIG_SHA1;
    case HashAlgorithm::kSha224: return GNUTLS_DIG_SHA224;
    case HashAlgorithm::kSha256: return GNUTLS_DIG_SHA256;
    case HashAlgorithm::kSha384: return GNUTLS_DIG_SHA384;
    case HashAlgorithm::kSha512: return GNUTLS_DIG_SHA512;
    case HashAlgorithm::kSha3_224: return GNUTLS_DIG_SHA3_224;
    case HashAlgorithm::kSha3_256: return GNUTLS_DIG_SHA3_256;
    case HashAlgorithm::kSha3_384: return GNUTLS_DIG_SHA3_384;
    case HashAlgorithm::kSha3_512: return GNUTLS_DIG_SHA3_512;
    case HashAlgorithm::kMd5: return GNUTLS_DIG_MD5;
  }
  return GNUTLS_DIG_UNKNOWN;
}

Error GnutlsError(int code) { return Fail(Code::kCryptoFailed, gnutls_strerror(code)); }

template <size_t N>
ByteArray<N> HashToArray(gnutls_digest_algorithm_t algorithm, ByteSpan bytes) {
  ByteArray<N> digest;
  // SHA-2 of bytes in memory cannot fail but by a broken library; a zero digest must never be taken
  // for a real one.
  if (gnutls_hash_fast(algorithm, bytes.data(), bytes.size(), digest.data()) != 0) std::abort();
  return digest;
}

}  // namespace

struct Hasher::Handle {
  explicit Handle(gnutls_hash_hd_t h) : hash(h) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { gnutls_hash_deinit(hash, nullptr); }
  gnutls_hash_hd_t hash;
};

size_t HashSize(HashAlgorithm algorithm) { return gnutls_hash_get_len(ToGnutls(algorithm)); }

Hasher::Hasher(HashAlgorithm algorithm, std::unique_ptr<Handle> handle)
    : algorithm_(algorithm), handle_(std::move(handle)) {}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

Result<Hasher> Hasher::Create(HashAlgorithm algorithm) {
  gnutls_hash_hd_t hash = nullptr;
  if (gnutls_hash_init(&hash, ToGnutls(algorithm)) != 0)
    return Fail(Code::kUnsupported, "digest algorithm");
  return Hasher(algorithm, std::make_unique<Handle>(hash));
}

Status Hasher::Update(ByteSpan bytes) {
  if (bytes.empty()) return Done{};
  const int code = gnutls_hash(handle_->hash, bytes.data(), bytes.size());
  if (code != 0) return GnutlsError(code);
  return Done{};
}

Result<Bytes> Hasher::Finish() {
  Bytes digest(HashSize(algorithm_));
  gnutls_hash_output(handle_->hash, digest.data());
  return digest;
}

Result<Hasher> Hasher::Clone() const {
  gnutls_hash_hd_t copy = gnutls_hash_copy(handle_->hash);
  if (copy == nullptr) return Fail(Code::kUnsupported, "copy of a running digest");
  return Hasher(algorithm_, std::make_unique<Handle>(copy));
}

Result<Bytes> Hash(HashAlgorithm algorithm, ByteSpan bytes) {
  KC_ASSIGN(Hasher hasher, Hasher::Create(algorithm));
  KC_CHECK_OK(hasher.Update(bytes));
  return hasher.Finish();
}

ByteArray<32> Sha256(ByteSpan bytes) { return HashToArray<32>(GNUTLS_DIG_SHA256, bytes); }
ByteArray<64> Sha512(ByteSpan bytes) { return HashToArray<64>(GNUTLS_DIG_SHA512, bytes); }

void RandomFill(std::span<uint8_t> bytes) {
  // Without randomness nothing that follows would be safe.
  if (!bytes.empty() && gnutls_rnd(GNUTLS_RND_KEY, bytes.data(), bytes.size()) != 0) std::abort();
}

}  // namespace keyclave
