// The parameters of derivations, and the second key that some of them name.

#include "pkcs11/mechanism.h"
#include "pkcs11/mechanism_param.h"

namespace keyclave::pkcs11 {
namespace {

struct StringData {  // CK_KEY_DERIVATION_STRING_DATA
  CK_BYTE* data;
  CK_ULONG size;
};
struct AesCbcDataParams {  // CK_AES_CBC_ENCRYPT_DATA_PARAMS
  CK_BYTE iv[16];
  CK_BYTE* data;
  CK_ULONG size;
};
struct HkdfParams {  // CK_HKDF_PARAMS
  CK_BBOOL extract;
  CK_BBOOL expand;
  CK_MECHANISM_TYPE hash;
  CK_ULONG salt_type;
  CK_BYTE* salt_ptr;
  CK_ULONG salt_len;
  CK_OBJECT_HANDLE salt_key;
  CK_BYTE* info_ptr;
  CK_ULONG info_len;
};
constexpr CK_ULONG kSaltNull = 1;  // CKF_HKDF_SALT_NULL
constexpr CK_ULONG kSaltData = 2;
constexpr CK_ULONG kSaltKey = 4;

struct PrfDataParam {  // CK_PRF_DATA_PARAM
  CK_ULONG type;
  const void* value;
  CK_ULONG value_len;
};
struct CounterFormat {  // CK_SP800_108_COUNTER_FORMAT
  CK_BBOOL little_endian;
  CK_ULONG width_bits;
};
struct LengthFormat {  // CK_SP800_108_DKM_LENGTH_FORMAT
  CK_ULONG method;
  CK_BBOOL little_endian;
  CK_ULONG width_bits;
};
struct CounterKdfParams {  // CK_SP800_108_KDF_PARAMS
  CK_ULONG prf;
  CK_ULONG field_count;
  const PrfDataParam* fields;
  CK_ULONG additional_count;
  const void* additional_keys;
};
struct FeedbackKdfParams {  // CK_SP800_108_FEEDBACK_KDF_PARAMS
  CK_ULONG prf;
  CK_ULONG field_count;
  const PrfDataParam* fields;
  CK_ULONG iv_len;
  CK_BYTE* iv_ptr;
  CK_ULONG additional_count;
  const void* additional_keys;
};
constexpr CK_ULONG kMaxFields = 64;

Result<wire::KbkdfField> ReadField(const PrfDataParam& in) {
  wire::KbkdfField field;
  field.kind = in.type;
  if (in.type == CK_SP800_108_BYTE_ARRAY) {
    KC_ASSIGN(field.data, PointedBytes(in.value, in.value_len, "CK_PRF_DATA_PARAM"));
  } else if (in.type == CK_SP800_108_DKM_LENGTH) {
    KC_ASSIGN(const auto format,
              CopyStruct<LengthFormat>(in.value, in.value_len, Code::kMechanismParamInvalid));
    field.width_bits = format.width_bits;
    field.little_endian = format.little_endian != CK_FALSE;
    field.length_method = format.method;
  } else if (in.value != nullptr || in.value_len != 0) {
    KC_ASSIGN(const auto format,
              CopyStruct<CounterFormat>(in.value, in.value_len, Code::kMechanismParamInvalid));
    field.width_bits = format.width_bits;
    field.little_endian = format.little_endian != CK_FALSE;
  }
  return field;
}

Result<wire::KbkdfParam> ReadFields(CK_ULONG prf, const PrfDataParam* fields, CK_ULONG count,
                                    CK_ULONG additional_count) {
  if (additional_count != 0)
    return Fail(Code::kMechanismParamInvalid, "additional derived keys: derive each by itself");
  if (count > kMaxFields || (fields == nullptr && count != 0))
    return Fail(Code::kMechanismParamInvalid, "ulNumberOfDataParams");
  wire::KbkdfParam out;
  out.prf = prf;
  for (CK_ULONG i = 0; i < count; ++i) {
    KC_ASSIGN(const auto in, CopyStruct<PrfDataParam>(fields + i, sizeof(PrfDataParam),
                                                      Code::kMechanismParamInvalid));
    KC_ASSIGN(wire::KbkdfField field, ReadField(in));
    out.fields.push_back(std::move(field));
  }
  return out;
}

}  // namespace

Result<Bytes> ReadString(const CK_MECHANISM& mechanism) {
  KC_ASSIGN(const auto in, ParameterOf<StringData>(mechanism));
  return PointedBytes(in.data, in.size, "pData");
}

Result<wire::CbcDataParam> ReadCbcData(const CK_MECHANISM& mechanism) {
  KC_ASSIGN(const auto in, ParameterOf<AesCbcDataParams>(mechanism));
  wire::CbcDataParam out;
  std::copy(std::begin(in.iv), std::end(in.iv), out.iv.begin());
  KC_ASSIGN(out.data, PointedBytes(in.data, in.size, "pData"));
  return out;
}

Result<wire::HkdfParam> ReadHkdf(const CK_MECHANISM& mechanism) {
  KC_ASSIGN(const auto in, ParameterOf<HkdfParams>(mechanism));
  wire::HkdfParam out;
  out.extract = in.extract != CK_FALSE;
  out.expand = in.expand != CK_FALSE;
  out.hash = in.hash;
  if (in.salt_type == kSaltData) {
    KC_ASSIGN(out.salt, PointedBytes(in.salt_ptr, in.salt_len, "pSalt"));
  } else if (out.extract && in.salt_type != kSaltNull && in.salt_type != kSaltKey) {
    return Fail(Code::kMechanismParamInvalid, "ulSaltType");
  }
  KC_ASSIGN(out.info, PointedBytes(in.info_ptr, in.info_len, "pInfo"));
  return out;
}

Result<wire::KbkdfParam> ReadCounterKdf(const CK_MECHANISM& mechanism) {
  KC_ASSIGN(const auto in, ParameterOf<CounterKdfParams>(mechanism));
  return ReadFields(in.prf, in.fields, in.field_count, in.additional_count);
}

Result<wire::KbkdfParam> ReadFeedbackKdf(const CK_MECHANISM& mechanism) {
  KC_ASSIGN(const auto in, ParameterOf<FeedbackKdfParams>(mechanism));
  KC_ASSIGN(wire::KbkdfParam out,
            ReadFields(in.prf, in.fields, in.field_count, in.additional_count));
  KC_ASSIGN(out.iv, PointedBytes(in.iv_ptr, in.iv_len, "pIV"));
  return out;
}

Result<std::optional<CK_OBJECT_HANDLE>> SecondKeyOf(const CK_MECHANISM& mechanism) {
  const MechanismTraits* traits = FindTraits(mechanism.mechanism);
  const ParamShape shape = traits == nullptr ? ParamShape::kNone : traits->shape;
  if (shape == ParamShape::kKey) {
    KC_ASSIGN(const auto handle, ParameterOf<CK_OBJECT_HANDLE>(mechanism));
    return std::optional(handle);
  }
  if (shape != ParamShape::kHkdf) return std::optional<CK_OBJECT_HANDLE>();
  KC_ASSIGN(const auto in, ParameterOf<HkdfParams>(mechanism));
  if (in.salt_type != kSaltKey || in.extract == CK_FALSE) return std::optional<CK_OBJECT_HANDLE>();
  return std::optional(in.salt_key);
}

}  // namespace keyclave::pkcs11
