#include "ossl_provider/digest.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <openssl/obj_mac.h>

#include "enclave/wire/pkcs11_extra.h"

namespace keyclave::ossl {
namespace {

// PKCS#11 3.0, mechanisms §6.22.. and base §3.. : numbers that Debian 12's header lacks.
constexpr uint64_t kSha3_224 = 0x2b5, kSha3_256 = 0x2b0, kSha3_384 = 0x2c0, kSha3_512 = 0x2d0;
constexpr uint64_t kMgfSha3_224 = 6, kMgfSha3_256 = 7, kMgfSha3_384 = 8, kMgfSha3_512 = 9;
constexpr uint64_t kSha3_224Pkcs1 = 0x66, kSha3_256Pkcs1 = 0x60, kSha3_384Pkcs1 = 0x61,
                   kSha3_512Pkcs1 = 0x62;
constexpr uint64_t kSha3_224Pss = 0x67, kSha3_256Pss = 0x63, kSha3_384Pss = 0x64,
                   kSha3_512Pss = 0x65;
constexpr uint64_t kEcdsaSha3_224 = 0x1047, kEcdsaSha3_256 = 0x1048, kEcdsaSha3_384 = 0x1049,
                   kEcdsaSha3_512 = 0x104a;

constexpr Digest kDigests[] = {
    {HashAlgorithm::kSha256,
     "SHA2-256",
     {"SHA256", "SHA-256", "2.16.840.1.101.3.4.2.1"},
     CKM_SHA256,
     CKG_MGF1_SHA256,
     NID_sha256,
     CKM_SHA256_RSA_PKCS,
     CKM_SHA256_RSA_PKCS_PSS,
     CKM_ECDSA_SHA256},
    {HashAlgorithm::kSha384,
     "SHA2-384",
     {"SHA384", "SHA-384", "2.16.840.1.101.3.4.2.2"},
     CKM_SHA384,
     CKG_MGF1_SHA384,
     NID_sha384,
     CKM_SHA384_RSA_PKCS,
     CKM_SHA384_RSA_PKCS_PSS,
     CKM_ECDSA_SHA384},
    {HashAlgorithm::kSha512,
     "SHA2-512",
     {"SHA512", "SHA-512", "2.16.840.1.101.3.4.2.3"},
     CKM_SHA512,
     CKG_MGF1_SHA512,
     NID_sha512,
     CKM_SHA512_RSA_PKCS,
     CKM_SHA512_RSA_PKCS_PSS,
     CKM_ECDSA_SHA512},
    {HashAlgorithm::kSha1,
     "SHA1",
     {"SHA-1", "SSL3-SHA1", "1.3.14.3.2.26"},
     CKM_SHA_1,
     CKG_MGF1_SHA1,
     NID_sha1,
     CKM_SHA1_RSA_PKCS,
     CKM_SHA1_RSA_PKCS_PSS,
     CKM_ECDSA_SHA1},
    {HashAlgorithm::kSha224,
     "SHA2-224",
     {"SHA224", "SHA-224", "2.16.840.1.101.3.4.2.4"},
     CKM_SHA224,
     CKG_MGF1_SHA224,
     NID_sha224,
     CKM_SHA224_RSA_PKCS,
     CKM_SHA224_RSA_PKCS_PSS,
     CKM_ECDSA_SHA224},
    {HashAlgorithm::kSha3_224,
     "SHA3-224",
     {"2.16.840.1.101.3.4.2.7"},
     kSha3_224,
     kMgfSha3_224,
     NID_sha3_224,
     kSha3_224Pkcs1,
     kSha3_224Pss,
     kEcdsaSha3_224},
    {HashAlgorithm::kSha3_256,
     "SHA3-256",
     {"2.16.840.1.101.3.4.2.8"},
     kSha3_256,
     kMgfSha3_256,
     NID_sha3_256,
     kSha3_256Pkcs1,
     kSha3_256Pss,
     kEcdsaSha3_256},
    {HashAlgorithm::kSha3_384,
     "SHA3-384",
     {"2.16.840.1.101.3.4.2.9"},
     kSha3_384,
     kMgfSha3_384,
     NID_sha3_384,
     kSha3_384Pkcs1,
     kSha3_384Pss,
     kEcdsaSha3_384},
    {HashAlgorithm::kSha3_512,
     "SHA3-512",
     {"2.16.840.1.101.3.4.2.10"},
     kSha3_512,
     kMgfSha3_512,
     NID_sha3_512,
     kSha3_512Pkcs1,
     kSha3_512Pss,
     kEcdsaSha3_512},
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
