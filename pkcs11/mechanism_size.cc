// How long outputs will be, from the key's attributes and the mechanism: what a length query is
// answered with.
#include "pkcs11/mechanism.h"

namespace keyclave::pkcs11 {
namespace {

using namespace std::string_view_literals;  // object identifiers hold zero bytes

std::optional<size_t> ModulusSize(const wire::AttributeList& key) {
  if (const Bytes* modulus = key.Find(CKA_MODULUS); modulus != nullptr && !modulus->empty())
    return modulus->size();
  if (const auto bits = key.Ulong(CKA_MODULUS_BITS); bits.has_value()) return (*bits + 7) / 8;
  return std::nullopt;
}

// CKA_EC_PARAMS as named curves are written (DER of the object identifier), and the length of their
// signatures.
struct CurveRow {
  std::string_view parameters;
  size_t signature;  // 0: of none
  size_t point;      // uncompressed, or as RFC 7748 writes it; 0: no agreement
};
constexpr CurveRow kCurves[] = {
    {"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"sv, 64, 65},  // P-256
    {"\x06\x05\x2b\x81\x04\x00\x22"sv, 96, 97},              // P-384
    {"\x06\x05\x2b\x81\x04\x00\x23"sv, 132, 133},            // P-521
    {"\x06\x05\x2b\x81\x04\x00\x0a"sv, 64, 65},              // secp256k1
    {"\x06\x03\x2b\x65\x70"sv, 64, 0},                       // Ed25519
    {"\x06\x03\x2b\x65\x71"sv, 114, 0},                      // Ed448
    {"\x06\x03\x2b\x65\x6e"sv, 0, 32},                       // X25519
    {"\x06\x03\x2b\x65\x6f"sv, 0, 56},                       // X448
};

const CurveRow* FindCurve(const wire::AttributeList& key) {
  const Bytes* parameters = key.Find(CKA_EC_PARAMS);
  if (parameters == nullptr) return nullptr;
  const auto* found =
      std::find_if(std::begin(kCurves), std::end(kCurves),
                   [&](const CurveRow& row) { return row.parameters == AsText(*parameters); });
  return found == std::end(kCurves) ? nullptr : found;
}

std::optional<size_t> CurveSignatureSize(const wire::AttributeList& key) {
  const CurveRow* curve = FindCurve(key);
  if (curve == nullptr || curve->signature == 0) return std::nullopt;
  return curve->signature;
}

// Lengths that follow from CKA_PARAMETER_SET: of signatures, or of ciphertexts (FIPS 203 §8, 204
// §4, 205 §11).
struct SetRow {
  CK_KEY_TYPE key_type;
  CK_ULONG set;
  size_t size;
};
constexpr SetRow kSets[] = {
    {CKK_ML_DSA, CKP_ML_DSA_44, 2420},           {CKK_ML_DSA, CKP_ML_DSA_65, 3309},
    {CKK_ML_DSA, CKP_ML_DSA_87, 4627},           {CKK_ML_KEM, CKP_ML_KEM_512, 768},
    {CKK_ML_KEM, CKP_ML_KEM_768, 1088},          {CKK_ML_KEM, CKP_ML_KEM_1024, 1568},
    {CKK_SLH_DSA, CKP_SLH_DSA_SHA2_128S, 7856},  {CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_128S, 7856},
    {CKK_SLH_DSA, CKP_SLH_DSA_SHA2_128F, 17088}, {CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_128F, 17088},
    {CKK_SLH_DSA, CKP_SLH_DSA_SHA2_192S, 16224}, {CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_192S, 16224},
    {CKK_SLH_DSA, CKP_SLH_DSA_SHA2_192F, 35664}, {CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_192F, 35664},
    {CKK_SLH_DSA, CKP_SLH_DSA_SHA2_256S, 29792}, {CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_256S, 29792},
    {CKK_SLH_DSA, CKP_SLH_DSA_SHA2_256F, 49856}, {CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_256F, 49856},
};

std::optional<size_t> SizeOfSet(const wire::AttributeList& key, CK_KEY_TYPE key_type) {
  const auto set = key.Ulong(CKA_PARAMETER_SET);
  const auto* found = std::find_if(std::begin(kSets), std::end(kSets), [&](const SetRow& row) {
    return row.key_type == key_type && row.set == set;
  });
  if (found == std::end(kSets)) return std::nullopt;
  return found->size;
}

std::optional<OutputSize> Sized(std::optional<size_t> bytes, bool exact) {
  if (!bytes.has_value()) return std::nullopt;
  return OutputSize{*bytes, exact};
}

constexpr size_t kAesBlock = 16;
constexpr size_t kSemiblock = 8;  // of key wrap

}  // namespace

std::optional<OutputSize> SignatureSize(const wire::AttributeList& key, CK_MECHANISM_TYPE type) {
  const MechanismTraits* traits = FindTraits(type);
  if (traits == nullptr) return std::nullopt;
  if (traits->key_type == CKK_RSA) return Sized(ModulusSize(key), true);
  if (traits->key_type == CKK_EC || traits->key_type == CKK_EC_EDWARDS)
    return Sized(CurveSignatureSize(key), true);
  if (traits->key_type == CKK_ML_DSA || traits->key_type == CKK_SLH_DSA)
    return Sized(SizeOfSet(key, *traits->key_type), true);
  if (type == CKM_AES_CMAC) return OutputSize{kAesBlock, true};
  return std::nullopt;
}

std::optional<size_t> EncapsulationSize(const wire::AttributeList& key, CK_MECHANISM_TYPE type) {
  const bool ec = type == CKM_ECDH1_DERIVE || type == CKM_ECDH1_COFACTOR_DERIVE;
  if (!ec) return type == CKM_ML_KEM ? SizeOfSet(key, CKK_ML_KEM) : ModulusSize(key);
  const CurveRow* curve = FindCurve(key);
  if (curve == nullptr || curve->point == 0) return std::nullopt;
  return curve->point;
}

std::optional<OutputSize> CiphertextSize(const wire::AttributeList& key,
                                         const wire::Mechanism& mechanism, size_t input) {
  switch (mechanism.type) {
    case CKM_RSA_PKCS:
    case CKM_RSA_X_509:
    case CKM_RSA_PKCS_OAEP: return Sized(ModulusSize(key), true);
    case CKM_AES_ECB:
    case CKM_AES_CBC:
    case CKM_AES_CTR:
    case CKM_AES_XTS:
    case kCkmSm4Ecb:
    case kCkmSm4Cbc:
    case kCkmSm4Ctr: return OutputSize{input, true};
    case CKM_AES_CBC_PAD:
    case kCkmSm4CbcPad: return OutputSize{(input / kAesBlock + 1) * kAesBlock, true};
    case CKM_AES_CCM: return OutputSize{input + mechanism.ccm->tag_size, true};
    case CKM_AES_KEY_WRAP: return OutputSize{input + kSemiblock, true};
    case CKM_AES_KEY_WRAP_PAD:
    case CKM_AES_KEY_WRAP_KWP:
      return OutputSize{(input + kSemiblock - 1) / kSemiblock * kSemiblock + kSemiblock, true};
    case CKM_AES_GCM: return OutputSize{input + mechanism.gcm->tag_bits / 8, true};
    default: return std::nullopt;
  }
}

std::optional<OutputSize> PlaintextSize(const wire::AttributeList& key,
                                        const wire::Mechanism& mechanism, size_t input) {
  switch (mechanism.type) {
    case CKM_RSA_PKCS:
    case CKM_RSA_PKCS_OAEP: return Sized(ModulusSize(key), false);
    case CKM_RSA_X_509: return Sized(ModulusSize(key), true);
    case CKM_AES_ECB:
    case CKM_AES_CBC:
    case CKM_AES_CTR:
    case CKM_AES_XTS:
    case kCkmSm4Ecb:
    case kCkmSm4Cbc:
    case kCkmSm4Ctr: return OutputSize{input, true};
    case CKM_AES_CBC_PAD:
    case kCkmSm4CbcPad:
    case CKM_AES_KEY_WRAP_PAD:
    case CKM_AES_KEY_WRAP_KWP: return OutputSize{input, false};
    case CKM_AES_KEY_WRAP: return OutputSize{input < kSemiblock ? 0 : input - kSemiblock, false};
    case CKM_AES_CCM: return OutputSize{mechanism.ccm->data_size, false};
    case CKM_AES_GCM: {
      const size_t tag = mechanism.gcm->tag_bits / 8;
      return OutputSize{input < tag ? 0 : input - tag, false};
    }
    default: return std::nullopt;
  }
}

}  // namespace keyclave::pkcs11
