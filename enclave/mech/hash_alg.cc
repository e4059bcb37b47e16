#include "enclave/mech/hash_alg.h"

#include <cstdlib>

#include "enclave/mech/evp.h"

namespace keyclave::mech {
namespace {

constexpr uint64_t kNone = CK_UNAVAILABLE_INFORMATION;  // no such mechanism

// clang-format off
constexpr HashAlg kHashes[] = {
    {"SHA1", 20, CKM_SHA_1, CKG_MGF1_SHA1, CKD_SHA1_KDF, CKD_SHA1_KDF_SP800,
     CKM_SHA1_RSA_PKCS, CKM_SHA1_RSA_PKCS_PSS, CKM_ECDSA_SHA1, CKM_SHA_1_HMAC, CKM_SHA_1_HMAC_GENERAL, CKK_SHA_1_HMAC, CKM_SHA1_KEY_DERIVATION},
    {"SHA2-224", 28, CKM_SHA224, CKG_MGF1_SHA224, CKD_SHA224_KDF, CKD_SHA224_KDF_SP800,
     CKM_SHA224_RSA_PKCS, CKM_SHA224_RSA_PKCS_PSS, CKM_ECDSA_SHA224, CKM_SHA224_HMAC, CKM_SHA224_HMAC_GENERAL, CKK_SHA224_HMAC, CKM_SHA224_KEY_DERIVATION},
    {"SHA2-256", 32, CKM_SHA256, CKG_MGF1_SHA256, CKD_SHA256_KDF, CKD_SHA256_KDF_SP800,
     CKM_SHA256_RSA_PKCS, CKM_SHA256_RSA_PKCS_PSS, CKM_ECDSA_SHA256, CKM_SHA256_HMAC, CKM_SHA256_HMAC_GENERAL, CKK_SHA256_HMAC, CKM_SHA256_KEY_DERIVATION},
    {"SHA2-384", 48, CKM_SHA384, CKG_MGF1_SHA384, CKD_SHA384_KDF, CKD_SHA384_KDF_SP800,
     CKM_SHA384_RSA_PKCS, CKM_SHA384_RSA_PKCS_PSS, CKM_ECDSA_SHA384, CKM_SHA384_HMAC, CKM_SHA384_HMAC_GENERAL, CKK_SHA384_HMAC, CKM_SHA384_KEY_DERIVATION},
    {"SHA2-512", 64, CKM_SHA512, CKG_MGF1_SHA512, CKD_SHA512_KDF, CKD_SHA512_KDF_SP800,
     CKM_SHA512_RSA_PKCS, CKM_SHA512_RSA_PKCS_PSS, CKM_ECDSA_SHA512, CKM_SHA512_HMAC, CKM_SHA512_HMAC_GENERAL, CKK_SHA512_HMAC, CKM_SHA512_KEY_DERIVATION},
    {"SHA3-224", 28, CKM_SHA3_224, CKG_MGF1_SHA3_224, CKD_SHA3_224_KDF, CKD_SHA3_224_KDF_SP800,
     CKM_SHA3_224_RSA_PKCS, CKM_SHA3_224_RSA_PKCS_PSS, CKM_ECDSA_SHA3_224, CKM_SHA3_224_HMAC, CKM_SHA3_224_HMAC_GENERAL, CKK_SHA3_224_HMAC, CKM_SHA3_224_KEY_DERIVATION},
    {"SHA3-256", 32, CKM_SHA3_256, CKG_MGF1_SHA3_256, CKD_SHA3_256_KDF, CKD_SHA3_256_KDF_SP800,
     CKM_SHA3_256_RSA_PKCS, CKM_SHA3_256_RSA_PKCS_PSS, CKM_ECDSA_SHA3_256, CKM_SHA3_256_HMAC, CKM_SHA3_256_HMAC_GENERAL, CKK_SHA3_256_HMAC, CKM_SHA3_256_KEY_DERIVATION},
    {"SHA3-384", 48, CKM_SHA3_384, CKG_MGF1_SHA3_384, CKD_SHA3_384_KDF, CKD_SHA3_384_KDF_SP800,
     CKM_SHA3_384_RSA_PKCS, CKM_SHA3_384_RSA_PKCS_PSS, CKM_ECDSA_SHA3_384, CKM_SHA3_384_HMAC, CKM_SHA3_384_HMAC_GENERAL, CKK_SHA3_384_HMAC, CKM_SHA3_384_KEY_DERIVATION},
    {"SHA3-512", 64, CKM_SHA3_512, CKG_MGF1_SHA3_512, CKD_SHA3_512_KDF, CKD_SHA3_512_KDF_SP800,
     CKM_SHA3_512_RSA_PKCS, CKM_SHA3_512_RSA_PKCS_PSS, CKM_ECDSA_SHA3_512, CKM_SHA3_512_HMAC, CKM_SHA3_512_HMAC_GENERAL, CKK_SHA3_512_HMAC, CKM_SHA3_512_KEY_DERIVATION},
    {"SHA2-512/224", 28, CKM_SHA512_224, kNone, kNone, kNone,
     kNone, kNone, kNone, CKM_SHA512_224_HMAC, CKM_SHA512_224_HMAC_GENERAL, CKK_SHA512_224_HMAC, CKM_SHA512_224_KEY_DERIVATION},
    {"SHA2-512/256", 32, CKM_SHA512_256, kNone, kNone, kNone,
     kNone, kNone, kNone, CKM_SHA512_256_HMAC, CKM_SHA512_256_HMAC_GENERAL, CKK_SHA512_256_HMAC, CKM_SHA512_256_KEY_DERIVATION},
    {"SM3", 32, kCkmSm3, kNone, kNone, kNone,
     kNone, kNone, kNone, kCkmSm3Hmac, kCkmSm3HmacGeneral, kNone, kNone},
};
// clang-format on

using Fetched = std::array<const EVP_MD*, std::size(kHashes)>;

Fetched FetchAll() {
  Fetched fetched{};
  for (size_t i = 0; i < fetched.size(); ++i) {
    fetched[i] = EVP_MD_fetch(Library(), kHashes[i].name, nullptr);
    // The default provider of every OpenSSL 3 has them all; without one, nothing here is safe.
    if (fetched[i] == nullptr) std::abort();
  }
  return fetched;
}

}  // namespace

const EVP_MD* HashAlg::md() const {
  static const Fetched fetched = FetchAll();
  return fetched[static_cast<size_t>(this - kHashes)];
}

Result<Bytes> HashAlg::Digest(ByteSpan input) const {
  Bytes output(size);
  unsigned int written = 0;
  if (EVP_Digest(input.data(), input.size(), output.data(), &written, md(), nullptr) != 1 ||
      written != size) {
    return OpensslError("digest");
  }
  return output;
}

std::span<const HashAlg> AllHashes() { return std::span(kHashes); }

const HashAlg* FindHash(uint64_t HashAlg::*column, uint64_t number) {
  if (number == kNone) return nullptr;
  for (const HashAlg& hash : kHashes) {
    if (hash.*column == number) return &hash;
  }
  return nullptr;
}

}  // namespace keyclave::mech
