#include "pkcs11/mechanism.h"

#include "enclave/base/byte_reader.h"
#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::pkcs11 {
namespace {

using enum ParamShape;
using Hashing = HashAlgorithm;

struct DigestRow {
  CK_MECHANISM_TYPE digest;  // CKM_SHA256
  CK_ULONG mgf;              // CKG_MGF1_SHA256
  HashAlgorithm hash;
};
constexpr DigestRow kDigests[] = {
    {CKM_SHA_1, CKG_MGF1_SHA1, Hashing::kSha1},
    {CKM_SHA224, CKG_MGF1_SHA224, Hashing::kSha224},
    {CKM_SHA256, CKG_MGF1_SHA256, Hashing::kSha256},
    {CKM_SHA384, CKG_MGF1_SHA384, Hashing::kSha384},
    {CKM_SHA512, CKG_MGF1_SHA512, Hashing::kSha512},
    {CKM_SHA3_224, CKG_MGF1_SHA3_224, Hashing::kSha3_224},
    {CKM_SHA3_256, CKG_MGF1_SHA3_256, Hashing::kSha3_256},
    {CKM_SHA3_384, CKG_MGF1_SHA3_384, Hashing::kSha3_384},
    {CKM_SHA3_512, CKG_MGF1_SHA3_512, Hashing::kSha3_512},
};

// type, shape of the parameter, key type, hash made here, mechanism that signs the digest
constexpr MechanismTraits kTraits[] = {
    {CKM_RSA_PKCS_KEY_PAIR_GEN, kNone, std::nullopt, std::nullopt, 0},
    {CKM_EC_KEY_PAIR_GEN, kNone, std::nullopt, std::nullopt, 0},
    {CKM_EC_EDWARDS_KEY_PAIR_GEN, kNone, std::nullopt, std::nullopt, 0},
    {CKM_EC_MONTGOMERY_KEY_PAIR_GEN, kNone, std::nullopt, std::nullopt, 0},
    {CKM_ML_DSA_KEY_PAIR_GEN, kNone, std::nullopt, std::nullopt, 0},
    {CKM_SLH_DSA_KEY_PAIR_GEN, kNone, std::nullopt, std::nullopt, 0},
    {CKM_ML_KEM_KEY_PAIR_GEN, kNone, std::nullopt, std::nullopt, 0},
    {CKM_AES_KEY_GEN, kNone, std::nullopt, std::nullopt, 0},
    {CKM_AES_XTS_KEY_GEN, kNone, std::nullopt, std::nullopt, 0},
    {CKM_GENERIC_SECRET_KEY_GEN, kNone, std::nullopt, std::nullopt, 0},
    {CKM_HKDF_KEY_GEN, kNone, std::nullopt, std::nullopt, 0},

    {CKM_RSA_PKCS, kNone, CKK_RSA, std::nullopt, 0},
    {CKM_RSA_X_509, kNone, CKK_RSA, std::nullopt, 0},
    {CKM_RSA_PKCS_OAEP, kOaep, CKK_RSA, std::nullopt, 0},
    {CKM_RSA_AES_KEY_WRAP, kRsaAes, CKK_RSA, std::nullopt, 0},
    {CKM_RSA_PKCS_PSS, kPss, CKK_RSA, std::nullopt, 0},
    {kCkmRsaPkcsTls, kBytes, CKK_RSA, std::nullopt, 0},

    {CKM_SHA1_RSA_PKCS, kNone, CKK_RSA, Hashing::kSha1, CKM_RSA_PKCS},
    {CKM_SHA224_RSA_PKCS, kNone, CKK_RSA, Hashing::kSha224, CKM_RSA_PKCS},
    {CKM_SHA256_RSA_PKCS, kNone, CKK_RSA, Hashing::kSha256, CKM_RSA_PKCS},
    {CKM_SHA384_RSA_PKCS, kNone, CKK_RSA, Hashing::kSha384, CKM_RSA_PKCS},
    {CKM_SHA512_RSA_PKCS, kNone, CKK_RSA, Hashing::kSha512, CKM_RSA_PKCS},
    {CKM_SHA3_224_RSA_PKCS, kNone, CKK_RSA, Hashing::kSha3_224, CKM_RSA_PKCS},
    {CKM_SHA3_256_RSA_PKCS, kNone, CKK_RSA, Hashing::kSha3_256, CKM_RSA_PKCS},
    {CKM_SHA3_384_RSA_PKCS, kNone, CKK_RSA, Hashing::kSha3_384, CKM_RSA_PKCS},
    {CKM_SHA3_512_RSA_PKCS, kNone, CKK_RSA, Hashing::kSha3_512, CKM_RSA_PKCS},

    {CKM_SHA1_RSA_PKCS_PSS, kPss, CKK_RSA, Hashing::kSha1, CKM_RSA_PKCS_PSS},
    {CKM_SHA224_RSA_PKCS_PSS, kPss, CKK_RSA, Hashing::kSha224, CKM_RSA_PKCS_PSS},
    {CKM_SHA256_RSA_PKCS_PSS, kPss, CKK_RSA, Hashing::kSha256, CKM_RSA_PKCS_PSS},
    {CKM_SHA384_RSA_PKCS_PSS, kPss, CKK_RSA, Hashing::kSha384, CKM_RSA_PKCS_PSS},
    {CKM_SHA512_RSA_PKCS_PSS, kPss, CKK_RSA, Hashing::kSha512, CKM_RSA_PKCS_PSS},
    {CKM_SHA3_224_RSA_PKCS_PSS, kPss, CKK_RSA, Hashing::kSha3_224, CKM_RSA_PKCS_PSS},
    {CKM_SHA3_256_RSA_PKCS_PSS, kPss, CKK_RSA, Hashing::kSha3_256, CKM_RSA_PKCS_PSS},
    {CKM_SHA3_384_RSA_PKCS_PSS, kPss, CKK_RSA, Hashing::kSha3_384, CKM_RSA_PKCS_PSS},
    {CKM_SHA3_512_RSA_PKCS_PSS, kPss, CKK_RSA, Hashing::kSha3_512, CKM_RSA_PKCS_PSS},

    {CKM_ECDSA, kNone, CKK_EC, std::nullopt, 0},
    {CKM_ECDSA_SHA1, kNone, CKK_EC, Hashing::kSha1, CKM_ECDSA},
    {CKM_ECDSA_SHA224, kNone, CKK_EC, Hashing::kSha224, CKM_ECDSA},
    {CKM_ECDSA_SHA256, kNone, CKK_EC, Hashing::kSha256, CKM_ECDSA},
    {CKM_ECDSA_SHA384, kNone, CKK_EC, Hashing::kSha384, CKM_ECDSA},
    {CKM_ECDSA_SHA512, kNone, CKK_EC, Hashing::kSha512, CKM_ECDSA},
    {CKM_ECDSA_SHA3_224, kNone, CKK_EC, Hashing::kSha3_224, CKM_ECDSA},
    {CKM_ECDSA_SHA3_256, kNone, CKK_EC, Hashing::kSha3_256, CKM_ECDSA},
    {CKM_ECDSA_SHA3_384, kNone, CKK_EC, Hashing::kSha3_384, CKM_ECDSA},
    {CKM_ECDSA_SHA3_512, kNone, CKK_EC, Hashing::kSha3_512, CKM_ECDSA},

    {CKM_EDDSA, kEddsa, CKK_EC_EDWARDS, std::nullopt, 0},
    {CKM_ECDH1_DERIVE, kEcdh, std::nullopt, std::nullopt, 0},
    {CKM_ECDH1_COFACTOR_DERIVE, kEcdh, std::nullopt, std::nullopt, 0},

    {CKM_AES_ECB, kNone, CKK_AES, std::nullopt, 0},
    {CKM_AES_CBC, kIv16, CKK_AES, std::nullopt, 0},
    {CKM_AES_CBC_PAD, kIv16, CKK_AES, std::nullopt, 0},
    {CKM_AES_CTR, kCtr, CKK_AES, std::nullopt, 0},
    {CKM_AES_GCM, kGcm, CKK_AES, std::nullopt, 0},
    {CKM_AES_CCM, kCcm, CKK_AES, std::nullopt, 0},
    {CKM_AES_XTS, kIv16, CKK_AES_XTS, std::nullopt, 0},
    {CKM_AES_CMAC, kNone, CKK_AES, std::nullopt, 0},
    {CKM_AES_CMAC_GENERAL, kBytes, CKK_AES, std::nullopt, 0},
    {CKM_AES_GMAC, kGmac, CKK_AES, std::nullopt, 0},
    {CKM_AES_KEY_WRAP, kBytes, CKK_AES, std::nullopt, 0},
    {CKM_AES_KEY_WRAP_PAD, kBytes, CKK_AES, std::nullopt, 0},
    {CKM_AES_KEY_WRAP_KWP, kBytes, CKK_AES, std::nullopt, 0},

    {CKM_AES_ECB_ENCRYPT_DATA, kString, CKK_AES, std::nullopt, 0},
    {CKM_AES_CBC_ENCRYPT_DATA, kCbcData, CKK_AES, std::nullopt, 0},
    {CKM_CONCATENATE_BASE_AND_DATA, kString, std::nullopt, std::nullopt, 0},
    {CKM_CONCATENATE_DATA_AND_BASE, kString, std::nullopt, std::nullopt, 0},
    {CKM_XOR_BASE_AND_DATA, kString, std::nullopt, std::nullopt, 0},
    {CKM_CONCATENATE_BASE_AND_KEY, kKey, std::nullopt, std::nullopt, 0},
    {CKM_HKDF_DERIVE, kHkdf, std::nullopt, std::nullopt, 0},
    {CKM_HKDF_DATA, kHkdf, std::nullopt, std::nullopt, 0},
    {CKM_SP800_108_COUNTER_KDF, kCounterKdf, std::nullopt, std::nullopt, 0},
    {CKM_SP800_108_FEEDBACK_KDF, kFeedbackKdf, std::nullopt, std::nullopt, 0},

    {kCkmSm4Cbc, kIv16, kCkkSm4, std::nullopt, 0},
    {kCkmSm4CbcPad, kIv16, kCkkSm4, std::nullopt, 0},
    {kCkmSm4Ctr, kCtr, kCkkSm4, std::nullopt, 0},

    {CKM_ML_KEM, kNone, CKK_ML_KEM, std::nullopt, 0},
    {CKM_ML_DSA, kSignContext, CKK_ML_DSA, std::nullopt, 0},
    {CKM_HASH_ML_DSA, kHashSignContext, CKK_ML_DSA, std::nullopt, 0},
    {CKM_HASH_ML_DSA_SHA224, kSignContext, CKK_ML_DSA, Hashing::kSha224, CKM_HASH_ML_DSA},
    {CKM_HASH_ML_DSA_SHA256, kSignContext, CKK_ML_DSA, Hashing::kSha256, CKM_HASH_ML_DSA},
    {CKM_HASH_ML_DSA_SHA384, kSignContext, CKK_ML_DSA, Hashing::kSha384, CKM_HASH_ML_DSA},
    {CKM_HASH_ML_DSA_SHA512, kSignContext, CKK_ML_DSA, Hashing::kSha512, CKM_HASH_ML_DSA},
    {CKM_HASH_ML_DSA_SHA3_224, kSignContext, CKK_ML_DSA, Hashing::kSha3_224, CKM_HASH_ML_DSA},
    {CKM_HASH_ML_DSA_SHA3_256, kSignContext, CKK_ML_DSA, Hashing::kSha3_256, CKM_HASH_ML_DSA},
    {CKM_HASH_ML_DSA_SHA3_384, kSignContext, CKK_ML_DSA, Hashing::kSha3_384, CKM_HASH_ML_DSA},
    {CKM_HASH_ML_DSA_SHA3_512, kSignContext, CKK_ML_DSA, Hashing::kSha3_512, CKM_HASH_ML_DSA},
    {CKM_HASH_ML_DSA_SHAKE128, kSignContext, CKK_ML_DSA, std::nullopt, 0},
    {CKM_HASH_ML_DSA_SHAKE256, kSignContext, CKK_ML_DSA, std::nullopt, 0},
    {CKM_SLH_DSA, kSignContext, CKK_SLH_DSA, std::nullopt, 0},
    {CKM_HASH_SLH_DSA, kHashSignContext, CKK_SLH_DSA, std::nullopt, 0},
    {CKM_HASH_SLH_DSA_SHA224, kSignContext, CKK_SLH_DSA, Hashing::kSha224, CKM_HASH_SLH_DSA},
    {CKM_HASH_SLH_DSA_SHA256, kSignContext, CKK_SLH_DSA, Hashing::kSha256, CKM_HASH_SLH_DSA},
    {CKM_HASH_SLH_DSA_SHA384, kSignContext, CKK_SLH_DSA, Hashing::kSha384, CKM_HASH_SLH_DSA},
    {CKM_HASH_SLH_DSA_SHA512, kSignContext, CKK_SLH_DSA, Hashing::kSha512, CKM_HASH_SLH_DSA},
    {CKM_HASH_SLH_DSA_SHA3_224, kSignContext, CKK_SLH_DSA, Hashing::kSha3_224, CKM_HASH_SLH_DSA},
    {CKM_HASH_SLH_DSA_SHA3_256, kSignContext, CKK_SLH_DSA, Hashing::kSha3_256, CKM_HASH_SLH_DSA},
    {CKM_HASH_SLH_DSA_SHA3_384, kSignContext, CKK_SLH_DSA, Hashing::kSha3_384, CKM_HASH_SLH_DSA},
    {CKM_HASH_SLH_DSA_SHA3_512, kSignContext, CKK_SLH_DSA, Hashing::kSha3_512, CKM_HASH_SLH_DSA},
    {CKM_HASH_SLH_DSA_SHAKE128, kSignContext, CKK_SLH_DSA, std::nullopt, 0},
    {CKM_HASH_SLH_DSA_SHAKE256, kSignContext, CKK_SLH_DSA, std::nullopt, 0},
};

const DigestRow* FindDigest(CK_MECHANISM_TYPE type) {
  const auto* found = std::find_if(std::begin(kDigests), std::end(kDigests),
                                   [&](const DigestRow& row) { return row.digest == type; });
  return found == std::end(kDigests) ? nullptr : found;
}

CK_MECHANISM_TYPE DigestOf(HashAlgorithm hash) {
  const auto* found = std::find_if(std::begin(kDigests), std::end(kDigests),
                                   [&](const DigestRow& row) { return row.hash == hash; });
  return found == std::end(kDigests) ? CK_UNAVAILABLE_INFORMATION : found->digest;
}

// The DigestInfo of RFC 8017 §9.2 up to the digest: the object identifiers are NIST's, but for
// SHA-1's.
Bytes DigestInfoPrefix(HashAlgorithm hash) {
  const auto size = static_cast<uint8_t>(HashSize(hash));
  if (hash == Hashing::kSha1)
    return {0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e,
            0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, size};
  const auto last_arc = [&]() -> uint8_t {
    switch (hash) {
      case Hashing::kSha256: return 1;
      case Hashing::kSha384: return 2;
      case Hashing::kSha512: return 3;
      case Hashing::kSha224: return 4;
      case Hashing::kSha3_224: return 7;
      case Hashing::kSha3_256: return 8;
      case Hashing::kSha3_384: return 9;
      case Hashing::kSha3_512: return 10;
      case Hashing::kSha1:
      case Hashing::kMd5: break;  // SHA-1 is above; MD5 has no row in kTraits
    }
    return 0;
  };
  return {0x30,       static_cast<uint8_t>(size + 17),
          0x30,       0x0d,
          0x06,       0x09,
          0x60,       0x86,
          0x48,       0x01,
          0x65,       0x03,
          0x04,       0x02,
          last_arc(), 0x05,
          0x00,       0x04,
          size};
}

}  // namespace

const MechanismTraits* FindTraits(CK_MECHANISM_TYPE type) {
  const auto* found = std::find_if(std::begin(kTraits), std::end(kTraits),
                                   [&](const MechanismTraits& row) { return row.type == type; });
  return found == std::end(kTraits) ? nullptr : found;
}

std::optional<HashAlgorithm> HashOf(CK_MECHANISM_TYPE type) {
  const DigestRow* row = FindDigest(type);
  if (row == nullptr) return std::nullopt;
  return row->hash;
}

std::optional<size_t> EnclaveDigestSize(CK_MECHANISM_TYPE type) {
  switch (type) {
    case CKM_SHA512_224: return 28;
    case CKM_SHA512_256:
    case kCkmSm3: return 32;
    default: return std::nullopt;
  }
}

std::vector<CK_MECHANISM_TYPE> DigestMechanisms() {
  std::vector<CK_MECHANISM_TYPE> types;
  for (const DigestRow& row : kDigests) types.push_back(row.digest);
  return types;
}

Status CheckHashAndMgf(CK_MECHANISM_TYPE hash, CK_ULONG mgf) {
  if (FindDigest(hash) == nullptr) return Fail(Code::kMechanismParamInvalid, "hash algorithm");
  const bool known = std::any_of(std::begin(kDigests), std::end(kDigests),
                                 [&](const DigestRow& row) { return row.mgf == mgf; });
  if (!known) return Fail(Code::kMechanismParamInvalid, "mask generation function");
  return Done{};
}

Bytes PreHash::Input(ByteSpan digest) const {
  Bytes input = prefix;
  input.insert(input.end(), digest.begin(), digest.end());
  return input;
}

std::optional<PreHash> SplitHash(const wire::Mechanism& mechanism, const wire::AttributeList& key) {
  const MechanismTraits* traits = FindTraits(mechanism.type);
  if (traits == nullptr || !traits->hash.has_value() || !IsAllowed(key, traits->raw))
    return std::nullopt;
  PreHash split{*traits->hash, mechanism, {}};
  split.raw.type = traits->raw;
  if (traits->raw == CKM_RSA_PKCS) split.prefix = DigestInfoPrefix(*traits->hash);
  if (traits->raw == CKM_HASH_ML_DSA || traits->raw == CKM_HASH_SLH_DSA) {
    if (!split.raw.sign_context.has_value()) split.raw.sign_context.emplace();
    split.raw.sign_context->hash = DigestOf(*traits->hash);
  }
  return split;
}

bool IsAllowed(const wire::AttributeList& key, CK_MECHANISM_TYPE type) {
  const Bytes* allowed = key.Find(CKA_ALLOWED_MECHANISMS);
  if (allowed == nullptr || allowed->empty()) return true;
  ByteReader reader(*allowed);
  while (reader.remaining() >= sizeof(uint64_t)) {
    if (reader.TakeLe<uint64_t>().value() == type) return true;
  }
  return false;
}

}  // namespace keyclave::pkcs11
