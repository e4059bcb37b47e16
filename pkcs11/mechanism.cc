#include "pkcs11/mechanism.h"

#include "enclave/base/byte_reader.h"
#include "pkcs11/args.h"

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
    {CKM_AES_KEY_GEN, kNone, std::nullopt, std::nullopt, 0},

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

    {CKM_EDDSA, kNone, CKK_EC_EDWARDS, std::nullopt, 0},
    {CKM_ECDH1_DERIVE, kEcdh, std::nullopt, std::nullopt, 0},
    {CKM_ECDH1_COFACTOR_DERIVE, kEcdh, std::nullopt, std::nullopt, 0},

    {CKM_AES_ECB, kNone, CKK_AES, std::nullopt, 0},
    {CKM_AES_CBC, kIv16, CKK_AES, std::nullopt, 0},
    {CKM_AES_CBC_PAD, kIv16, CKK_AES, std::nullopt, 0},
    {CKM_AES_CTR, kCtr, CKK_AES, std::nullopt, 0},
    {CKM_AES_GCM, kGcm, CKK_AES, std::nullopt, 0},
    {CKM_AES_CMAC, kNone, CKK_AES, std::nullopt, 0},
    {CKM_AES_KEY_WRAP, kBytes, CKK_AES, std::nullopt, 0},
    {CKM_AES_KEY_WRAP_PAD, kBytes, CKK_AES, std::nullopt, 0},
};

const DigestRow* FindDigest(CK_MECHANISM_TYPE type) {
  const auto* found = std::find_if(std::begin(kDigests), std::end(kDigests),
                                   [&](const DigestRow& row) { return row.digest == type; });
  return found == std::end(kDigests) ? nullptr : found;
}

Error BadParameter(const char* what) { return Fail(Code::kMechanismParamInvalid, what); }

// Bytes that a parameter structure points to.
Result<Bytes> Pointed(const void* data, CK_ULONG size, const char* what) {
  if (size > wire::kMaxField || (data == nullptr && size != 0)) return BadParameter(what);
  return ToBytes(FromC(data, size));
}

Status CheckHashAndMgf(CK_MECHANISM_TYPE hash, CK_ULONG mgf) {
  if (FindDigest(hash) == nullptr) return BadParameter("hash algorithm");
  const bool known = std::any_of(std::begin(kDigests), std::end(kDigests),
                                 [&](const DigestRow& row) { return row.mgf == mgf; });
  if (!known) return BadParameter("mask generation function");
  return Done{};
}

Result<wire::PssParam> ReadPss(const CK_MECHANISM& mechanism, const MechanismTraits& traits) {
  KC_ASSIGN(const auto in,
            CopyStruct<CK_RSA_PKCS_PSS_PARAMS>(mechanism.pParameter, mechanism.ulParameterLen,
                                               Code::kMechanismParamInvalid));
  KC_CHECK_OK(CheckHashAndMgf(in.hash_alg, in.mgf));
  // "hashAlg ... must be the same as the mechanism's": CKM_SHA256_RSA_PKCS_PSS hashes with SHA-256
  // only.
  if (traits.hash.has_value() && FindDigest(in.hash_alg)->hash != *traits.hash)
    return BadParameter("hash algorithm");
  return wire::PssParam{in.hash_alg, in.mgf, in.s_len};
}

Result<wire::OaepParam> ReadOaep(const void* parameter, CK_ULONG size) {
  KC_ASSIGN(const auto in,
            CopyStruct<CK_RSA_PKCS_OAEP_PARAMS>(parameter, size, Code::kMechanismParamInvalid));
  KC_CHECK_OK(CheckHashAndMgf(in.hash_alg, in.mgf));
  // Source 0 is what several clients write for "no label"; a label needs CKZ_DATA_SPECIFIED.
  if (in.source != CKZ_DATA_SPECIFIED && (in.source != 0 || in.source_data_len != 0))
    return BadParameter("label source");
  KC_ASSIGN(Bytes label, Pointed(in.source_data, in.source_data_len, "label"));
  return wire::OaepParam{in.hash_alg, in.mgf, std::move(label)};
}

// CK_RSA_AES_KEY_WRAP_PARAMS (pkcs11-curr-v3.0 §2.1.22), which p11-kit's header lacks.
struct RsaAesKeyWrapParams {
  CK_ULONG aes_key_bits;
  CK_RSA_PKCS_OAEP_PARAMS* oaep_params;
};

Result<wire::RsaAesParam> ReadRsaAes(const CK_MECHANISM& mechanism) {
  KC_ASSIGN(const auto in,
            CopyStruct<RsaAesKeyWrapParams>(mechanism.pParameter, mechanism.ulParameterLen,
                                            Code::kMechanismParamInvalid));
  KC_ASSIGN(wire::OaepParam oaep, ReadOaep(in.oaep_params, sizeof(CK_RSA_PKCS_OAEP_PARAMS)));
  return wire::RsaAesParam{in.aes_key_bits, std::move(oaep)};
}

// CK_GCM_PARAMS as PKCS#11 2.30 had it: without ulIvBits. Clients of both layouts exist; their
// sizes differ.
struct GcmParamsWithoutIvBits {
  CK_BYTE* iv_ptr;
  CK_ULONG iv_len;
  CK_BYTE* aad_ptr;
  CK_ULONG aad_len;
  CK_ULONG tag_bits;
};

Result<wire::GcmParam> ReadGcm(const CK_MECHANISM& mechanism) {
  CK_GCM_PARAMS in{};
  if (mechanism.ulParameterLen == sizeof(GcmParamsWithoutIvBits)) {
    KC_ASSIGN(const auto old,
              CopyStruct<GcmParamsWithoutIvBits>(mechanism.pParameter, mechanism.ulParameterLen,
                                                 Code::kMechanismParamInvalid));
    in = {old.iv_ptr, old.iv_len, old.iv_len * 8, old.aad_ptr, old.aad_len, old.tag_bits};
  } else {
    KC_ASSIGN(in, CopyStruct<CK_GCM_PARAMS>(mechanism.pParameter, mechanism.ulParameterLen,
                                            Code::kMechanismParamInvalid));
  }
  if (in.iv_len == 0) return BadParameter("IV");
  if (in.tag_bits > 128 || in.tag_bits % 8 != 0) return BadParameter("tag length");
  KC_ASSIGN(Bytes iv, Pointed(in.iv_ptr, in.iv_len, "IV"));
  KC_ASSIGN(Bytes aad, Pointed(in.aad_ptr, in.aad_len, "additional data"));
  return wire::GcmParam{std::move(iv), std::move(aad), in.tag_bits};
}

Result<wire::CtrParam> ReadCtr(const CK_MECHANISM& mechanism) {
  KC_ASSIGN(const auto in,
            CopyStruct<CK_AES_CTR_PARAMS>(mechanism.pParameter, mechanism.ulParameterLen,
                                          Code::kMechanismParamInvalid));
  if (in.counter_bits == 0 || in.counter_bits > 128) return BadParameter("counter bits");
  wire::CtrParam out;
  out.counter_bits = in.counter_bits;
  std::copy(std::begin(in.cb), std::end(in.cb), out.block.begin());
  return out;
}

Result<wire::EcdhParam> ReadEcdh(const CK_MECHANISM& mechanism) {
  KC_ASSIGN(const auto in,
            CopyStruct<CK_ECDH1_DERIVE_PARAMS>(mechanism.pParameter, mechanism.ulParameterLen,
                                               Code::kMechanismParamInvalid));
  KC_ASSIGN(Bytes shared, Pointed(in.shared_data, in.shared_data_len, "shared data"));
  KC_ASSIGN(Bytes peer, Pointed(in.public_data, in.public_data_len, "public data"));
  return wire::EcdhParam{in.kdf, std::move(shared), std::move(peer)};
}

Status ReadBytes(const CK_MECHANISM& mechanism, ParamShape shape, wire::Mechanism& out) {
  KC_ASSIGN(Bytes bytes, Pointed(mechanism.pParameter, mechanism.ulParameterLen, "parameter"));
  if (shape == kNone && !bytes.empty()) return BadParameter("this mechanism takes none");
  if (shape == kIv16 && bytes.size() != 16) return BadParameter("IV");
  if (!bytes.empty()) out.bytes = std::move(bytes);
  return Done{};
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

std::vector<CK_MECHANISM_TYPE> DigestMechanisms() {
  std::vector<CK_MECHANISM_TYPE> types;
  for (const DigestRow& row : kDigests) types.push_back(row.digest);
  return types;
}

Result<wire::Mechanism> FromMechanism(const CK_MECHANISM* mechanism) {
  KC_CHECK_OK(NotNull(mechanism));
  const MechanismTraits* traits = FindTraits(mechanism->mechanism);
  const ParamShape shape = traits == nullptr ? kBytes : traits->shape;
  wire::Mechanism out;
  out.type = mechanism->mechanism;
  switch (shape) {
    case kNone:
    case kBytes:
    case kIv16: KC_CHECK_OK(ReadBytes(*mechanism, shape, out)); break;
    case kPss: {
      KC_ASSIGN(out.pss, ReadPss(*mechanism, *traits));
      break;
    }
    case kOaep: {
      KC_ASSIGN(out.oaep, ReadOaep(mechanism->pParameter, mechanism->ulParameterLen));
      break;
    }
    case kGcm: {
      KC_ASSIGN(out.gcm, ReadGcm(*mechanism));
      break;
    }
    case kCtr: {
      KC_ASSIGN(out.ctr, ReadCtr(*mechanism));
      break;
    }
    case kRsaAes: {
      KC_ASSIGN(out.rsa_aes, ReadRsaAes(*mechanism));
      break;
    }
    case kEcdh: {
      KC_ASSIGN(out.ecdh, ReadEcdh(*mechanism));
      break;
    }
  }
  return out;
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
