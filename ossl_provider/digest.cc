#include "ossl_provider/digest.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <openssl/obj_mac.h>

#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::ossl {
namespace {

constexpr Digest kDigests[] = {
    {HashAlgorithm::kSha256,
     "SHA2-256",
     {"SHA256", "SHA-256", "2.16.840.1.101.3.4.2.1"},
     CKM_SHA256,
     CKG_MGF1_SHA256,
     NID_sha256,
     CKM_SHA256_RSA_PKCS,
     CKM_SHA256_RSA_PKCS_PSS,
     CKM_ECDSA_SHA256,
     CKD_SHA256_KDF},
    {HashAlgorithm::kSha384,
     "SHA2-384",
     {"SHA384", "SHA-384", "2.16.840.1.101.3.4.2.2"},
     CKM_SHA384,
     CKG_MGF1_SHA384,
     NID_sha384,
     CKM_SHA384_RSA_PKCS,
     CKM_SHA384_RSA_PKCS_PSS,
     CKM_ECDSA_SHA384,
     CKD_SHA384_KDF},
    {HashAlgorithm::kSha512,
     "SHA2-512",
     {"SHA512", "SHA-512", "2.16.840.1.101.3.4.2.3"},
     CKM_SHA512,
     CKG_MGF1_SHA512,
     NID_sha512,
     CKM_SHA512_RSA_PKCS,
     CKM_SHA512_RSA_PKCS_PSS,
     CKM_ECDSA_SHA512,
     CKD_SHA512_KDF},
    {HashAlgorithm::kSha1,
     "SHA1",
     {"SHA-1", "SSL3-SHA1", "1.3.14.3.2.26"},
     CKM_SHA_1,
     CKG_MGF1_SHA1,
     NID_sha1,
     CKM_SHA1_RSA_PKCS,
     CKM_SHA1_RSA_PKCS_PSS,
     CKM_ECDSA_SHA1,
     CKD_SHA1_KDF},
    {HashAlgorithm::kSha224,
     "SHA2-224",
     {"SHA224", "SHA-224", "2.16.840.1.101.3.4.2.4"},
     CKM_SHA224,
     CKG_MGF1_SHA224,
     NID_sha224,
     CKM_SHA224_RSA_PKCS,
     CKM_SHA224_RSA_PKCS_PSS,
     CKM_ECDSA_SHA224,
     CKD_SHA224_KDF},
    {HashAlgorithm::kSha3_224,
     "SHA3-224",
     {"2.16.840.1.101.3.4.2.7"},
     CKM_SHA3_224,
     CKG_MGF1_SHA3_224,
     NID_sha3_224,
     CKM_SHA3_224_RSA_PKCS,
     CKM_SHA3_224_RSA_PKCS_PSS,
     CKM_ECDSA_SHA3_224,
     CKD_SHA3_224_KDF},
    {HashAlgorithm::kSha3_256,
     "SHA3-256",
     {"2.16.840.1.101.3.4.2.8"},
     CKM_SHA3_256,
     CKG_MGF1_SHA3_256,
     NID_sha3_256,
     CKM_SHA3_256_RSA_PKCS,
     CKM_SHA3_256_RSA_PKCS_PSS,
     CKM_ECDSA_SHA3_256,
     CKD_SHA3_256_KDF},
    {HashAlgorithm::kSha3_384,
     "SHA3-384",
     {"2.16.840.1.101.3.4.2.9"},
     CKM_SHA3_384,
     CKG_MGF1_SHA3_384,
     NID_sha3_384,
     CKM_SHA3_384_RSA_PKCS,
     CKM_SHA3_384_RSA_PKCS_PSS,
     CKM_ECDSA_SHA3_384,
     CKD_SHA3_384_KDF},
    {HashAlgorithm::kSha3_512,
     "SHA3-512",
     {"2.16.840.1.101.3.4.2.10"},
     CKM_SHA3_512,
     CKG_MGF1_SHA3_512,
     NID_sha3_512,
     CKM_SHA3_512_RSA_PKCS,
     CKM_SHA3_512_RSA_PKCS_PSS,
     CKM_ECDSA_SHA3_512,
     CKD_SHA3_512_KDF},
};

bool SameName(std::string_view a, const char* b) {
  if (b == nullptr) return false;
  const std::string_view other = b;
  const auto upper = [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  };
  return std::equal(a.begin(), a.end(), other.begin(), other.end(),
                    [&](char x, char y) { return upper(x) == upper(y); });
}

gnutls_digest_algorithm_t GnutlsNumber(HashAlgorithm algorithm) {
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

}  // namespace

std::span<const Digest> AllDigests() { return kDigests; }

const Digest* FindDigest(std::string_view name) {
  for (const Digest& digest : kDigests) {
    if (SameName(name, digest.name)) return &digest;
    for (const char* alias : digest.aliases) {
      if (SameName(name, alias)) return &digest;
    }
  }
  return nullptr;
}

Result<const Digest*> RequireDigest(std::string_view name) {
  if (const Digest* digest = FindDigest(name)) return digest;
  return Fail(Code::kUnsupported, "the digest " + std::string(name));
}

Result<Bytes> DigestInfo(const Digest& digest, ByteSpan value) {
  Bytes copy = ToBytes(value);
  const gnutls_datum_t in{copy.data(), static_cast<unsigned int>(copy.size())};
  gnutls_datum_t out{nullptr, 0};
  if (gnutls_encode_ber_digest_info(GnutlsNumber(digest.algorithm), &in, &out) < 0)
    return Fail(Code::kUnsupported, std::string("a DigestInfo of ") + digest.name);
  Bytes der = ToBytes(ByteSpan(out.data, out.size));
  gnutls_free(out.data);
  return der;
}

}  // namespace keyclave::ossl
