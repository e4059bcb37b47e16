// CK_MECHANISM as it lies in the caller's memory, read once into what travels: each parameter
// structure of PKCS#11 that the table of mechanisms names, in both layouts where two exist.

#include "pkcs11/mechanism_param.h"

#include "pkcs11/mechanism.h"

namespace keyclave::pkcs11 {
namespace {

using enum ParamShape;

Error BadParameter(const char* what) { return Fail(Code::kMechanismParamInvalid, what); }

// The structures are written out here: p11-kit's header has not all of them, and names the members
// of the others differently from release to release.
struct PssParams {  // CK_RSA_PKCS_PSS_PARAMS
  CK_MECHANISM_TYPE hash_alg;
  CK_ULONG mgf;
  CK_ULONG salt_len;
};

Result<wire::PssParam> ReadPss(const CK_MECHANISM& mechanism, const MechanismTraits& traits) {
  KC_ASSIGN(const auto in, ParameterOf<PssParams>(mechanism));
  KC_CHECK_OK(CheckHashAndMgf(in.hash_alg, in.mgf));
  // "hashAlg ... must be the same as the mechanism's": CKM_SHA256_RSA_PKCS_PSS hashes with SHA-256
  // only.
  if (traits.hash.has_value() && HashOf(in.hash_alg) != traits.hash)
    return BadParameter("hash algorithm");
  return wire::PssParam{in.hash_alg, in.mgf, in.salt_len};
}

struct OaepParams {  // CK_RSA_PKCS_OAEP_PARAMS
  CK_MECHANISM_TYPE hash_alg;
  CK_ULONG mgf;
  CK_ULONG source;
  const void* source_data;
  CK_ULONG source_data_len;
};

Result<wire::OaepParam> ReadOaep(const void* parameter, CK_ULONG size) {
  KC_ASSIGN(const auto in, CopyStruct<OaepParams>(parameter, size, Code::kMechanismParamInvalid));
  KC_CHECK_OK(CheckHashAndMgf(in.hash_alg, in.mgf));
  // Source 0 is what several clients write for "no label"; a label needs CKZ_DATA_SPECIFIED.
  if (in.source != CKZ_DATA_SPECIFIED && (in.source != 0 || in.source_data_len != 0))
    return BadParameter("label source");
  KC_ASSIGN(Bytes label, PointedBytes(in.source_data, in.source_data_len, "label"));
  return wire::OaepParam{in.hash_alg, in.mgf, std::move(label)};
}

struct RsaAesKeyWrapParams {  // CK_RSA_AES_KEY_WRAP_PARAMS (pkcs11-curr-v3.0 §2.1.22)
  CK_ULONG aes_key_bits;
  const OaepParams* oaep_params;
};

Result<wire::RsaAesParam> ReadRsaAes(const CK_MECHANISM& mechanism) {
  KC_ASSIGN(const auto in, ParameterOf<RsaAesKeyWrapParams>(mechanism));
  KC_ASSIGN(wire::OaepParam oaep, ReadOaep(in.oaep_params, sizeof(OaepParams)));
  return wire::RsaAesParam{in.aes_key_bits, std::move(oaep)};
}

struct GcmParams {  // CK_GCM_PARAMS
  CK_BYTE* iv_ptr;
  CK_ULONG iv_len;
  CK_ULONG iv_bits;
  CK_BYTE* aad_ptr;
  CK_ULONG aad_len;
  CK_ULONG tag_bits;
};
// The same as PKCS#11 2.30 had it: without ulIvBits. Clients of both layouts exist; their
// sizes differ.
struct GcmParamsWithoutIvBits {
  CK_BYTE* iv_ptr;
  CK_ULONG iv_len;
  CK_BYTE* aad_ptr;
  CK_ULONG aad_len;
  CK_ULONG tag_bits;
};

Result<GcmParams> ReadGcmLayout(const CK_MECHANISM& mechanism) {
  if (mechanism.ulParameterLen == sizeof(GcmParamsWithoutIvBits)) {
    KC_ASSIGN(const auto in, ParameterOf<GcmParamsWithoutIvBits>(mechanism));
    return GcmParams{in.iv_ptr, in.iv_len, in.iv_len * 8, in.aad_ptr, in.aad_len, in.tag_bits};
  }
  return ParameterOf<GcmParams>(mechanism);
}

Result<wire::GcmParam> ReadGcm(const CK_MECHANISM& mechanism) {
  KC_ASSIGN(const auto in, ReadGcmLayout(mechanism));
  if (in.iv_len == 0) return BadParameter("IV");
  if (in.tag_bits > 128 || in.tag_bits % 8 != 0) return BadParameter("tag length");
  KC_ASSIGN(Bytes iv, PointedBytes(in.iv_ptr, in.iv_len, "IV"));
  KC_ASSIGN(Bytes aad, PointedBytes(in.aad_ptr, in.aad_len, "additional data"));
  return wire::GcmParam{std::move(iv), std::move(aad), in.tag_bits};
}

// CKM_AES_GMAC: PKCS#11 2.40 took the IV alone, of 12 bytes, for a whole tag; 3.0 takes
// CK_GCM_PARAMS.
Result<wire::GcmParam> ReadGmac(const CK_MECHANISM& mechanism) {
  if (mechanism.ulParameterLen != 12) return ReadGcm(mechanism);
  KC_ASSIGN(Bytes iv, PointedBytes(mechanism.pParameter, mechanism.ulParameterLen, "IV"));
  return wire::GcmParam{std::move(iv), {}, 128};
}

struct CcmParams {  // CK_CCM_PARAMS
  CK_ULONG data_len;
  CK_BYTE* nonce_ptr;
  CK_ULONG nonce_len;
  CK_BYTE* aad_ptr;
  CK_ULONG aad_len;
  CK_ULONG mac_len;
};

Result<wire::CcmParam> ReadCcm(const CK_MECHANISM& mechanism) {
  KC_ASSIGN(const auto in, ParameterOf<CcmParams>(mechanism));
  KC_ASSIGN(Bytes nonce, PointedBytes(in.nonce_ptr, in.nonce_len, "nonce"));
  KC_ASSIGN(Bytes aad, PointedBytes(in.aad_ptr, in.aad_len, "additional data"));
  return wire::CcmParam{std::move(nonce), std::move(aad), in.mac_len, in.data_len};
}

struct EddsaParams {  // CK_EDDSA_PARAMS
  CK_BBOOL prehash;
  CK_ULONG context_len;
  CK_BYTE* context_ptr;
};

// No parameter is the pure scheme.
Result<std::optional<wire::EddsaParam>> ReadEddsa(const CK_MECHANISM& mechanism) {
  if (mechanism.ulParameterLen == 0) return std::optional<wire::EddsaParam>();
  KC_ASSIGN(const auto in, ParameterOf<EddsaParams>(mechanism));
  if (in.prehash > CK_TRUE) return BadParameter("phFlag");
  KC_ASSIGN(Bytes context, PointedBytes(in.context_ptr, in.context_len, "context"));
  return std::optional(wire::EddsaParam{in.prehash == CK_TRUE, std::move(context)});
}

struct SignContextParams {  // CK_SIGN_ADDITIONAL_CONTEXT
  CK_ULONG hedge;
  CK_BYTE* context_ptr;
  CK_ULONG context_len;
};

Result<std::optional<wire::SignContextParam>> ReadSignContext(const CK_MECHANISM& mechanism) {
  if (mechanism.ulParameterLen == 0) return std::optional<wire::SignContextParam>();
  KC_ASSIGN(const auto in, ParameterOf<SignContextParams>(mechanism));
  KC_ASSIGN(Bytes context, PointedBytes(in.context_ptr, in.context_len, "context"));
  return std::optional(wire::SignContextParam{in.hedge, std::move(context), 0});
}

struct HashSignContextParams {  // CK_HASH_SIGN_ADDITIONAL_CONTEXT
  CK_ULONG hedge;
  CK_BYTE* context_ptr;
  CK_ULONG context_len;
  CK_MECHANISM_TYPE hash;
};

Result<wire::SignContextParam> ReadHashSignContext(const CK_MECHANISM& mechanism) {
  KC_ASSIGN(const auto in, ParameterOf<HashSignContextParams>(mechanism));
  KC_ASSIGN(Bytes context, PointedBytes(in.context_ptr, in.context_len, "context"));
  return wire::SignContextParam{in.hedge, std::move(context), in.hash};
}

struct CtrParams {  // CK_AES_CTR_PARAMS
  CK_ULONG counter_bits;
  CK_BYTE block[16];
};

Result<wire::CtrParam> ReadCtr(const CK_MECHANISM& mechanism) {
  KC_ASSIGN(const auto in, ParameterOf<CtrParams>(mechanism));
  if (in.counter_bits == 0 || in.counter_bits > 128) return BadParameter("counter bits");
  wire::CtrParam out;
  out.counter_bits = in.counter_bits;
  std::copy(std::begin(in.block), std::end(in.block), out.block.begin());
  return out;
}

struct EcdhParams {  // CK_ECDH1_DERIVE_PARAMS
  CK_ULONG kdf;
  CK_ULONG shared_data_len;
  CK_BYTE* shared_data;
  CK_ULONG public_data_len;
  CK_BYTE* public_data;
};

Result<wire::EcdhParam> ReadEcdh(const CK_MECHANISM& mechanism) {
  KC_ASSIGN(const auto in, ParameterOf<EcdhParams>(mechanism));
  KC_ASSIGN(Bytes shared, PointedBytes(in.shared_data, in.shared_data_len, "shared data"));
  KC_ASSIGN(Bytes peer, PointedBytes(in.public_data, in.public_data_len, "public data"));
  return wire::EcdhParam{in.kdf, std::move(shared), std::move(peer)};
}

Status ReadBytes(const CK_MECHANISM& mechanism, ParamShape shape, wire::Mechanism& out) {
  KC_ASSIGN(Bytes bytes, PointedBytes(mechanism.pParameter, mechanism.ulParameterLen, "parameter"));
  if (shape == kNone && !bytes.empty()) return BadParameter("this mechanism takes none");
  if (shape == kIv16 && bytes.size() != 16) return BadParameter("IV");
  if (!bytes.empty()) out.bytes = std::move(bytes);
  return Done{};
}

// Puts what was read where it travels.
template <class T>
Status Keep(Result<T> read, std::optional<T>& slot) {
  KC_ASSIGN(slot, std::move(read));
  return Done{};
}
template <class T>
Status Keep(Result<std::optional<T>> read, std::optional<T>& slot) {
  KC_ASSIGN(slot, std::move(read));
  return Done{};
}

Status ReadShape(const CK_MECHANISM& in, const MechanismTraits& traits, wire::Mechanism& out) {
  switch (traits.shape) {
    case kNone:
    case kBytes:
    case kIv16: return ReadBytes(in, traits.shape, out);
    case kPss: return Keep(ReadPss(in, traits), out.pss);
    case kOaep: return Keep(ReadOaep(in.pParameter, in.ulParameterLen), out.oaep);
    case kGcm: return Keep(ReadGcm(in), out.gcm);
    case kGmac: return Keep(ReadGmac(in), out.gcm);
    case kCcm: return Keep(ReadCcm(in), out.ccm);
    case kCtr: return Keep(ReadCtr(in), out.ctr);
    case kEcdh: return Keep(ReadEcdh(in), out.ecdh);
    case kRsaAes: return Keep(ReadRsaAes(in), out.rsa_aes);
    case kEddsa: return Keep(ReadEddsa(in), out.eddsa);
    case kString: return Keep(ReadString(in), out.bytes);
    case kCbcData: return Keep(ReadCbcData(in), out.cbc_data);
    case kKey: return Done{};  // SecondKeyOf
    case kHkdf: return Keep(ReadHkdf(in), out.hkdf);
    case kCounterKdf: return Keep(ReadCounterKdf(in), out.kbkdf);
    case kFeedbackKdf: return Keep(ReadFeedbackKdf(in), out.kbkdf);
    case kHashSignContext: return Keep(ReadHashSignContext(in), out.sign_context);
    case kSignContext: return Keep(ReadSignContext(in), out.sign_context);
  }
  return Done{};
}

}  // namespace

Result<Bytes> PointedBytes(const void* data, CK_ULONG size, const char* what) {
  if (size > wire::kMaxField || (data == nullptr && size != 0))
    return Fail(Code::kMechanismParamInvalid, what);
  return ToBytes(FromC(data, size));
}

Result<wire::Mechanism> FromMechanism(const CK_MECHANISM* mechanism) {
  KC_CHECK_OK(NotNull(mechanism));
  const MechanismTraits* traits = FindTraits(mechanism->mechanism);
  const MechanismTraits unknown{mechanism->mechanism, kBytes, std::nullopt, std::nullopt, 0};
  wire::Mechanism out;
  out.type = mechanism->mechanism;
  KC_CHECK_OK(ReadShape(*mechanism, traits == nullptr ? unknown : *traits, out));
  return out;
}

}  // namespace keyclave::pkcs11
