// CKM_AES_ECB_ENCRYPT_DATA and CKM_AES_CBC_ENCRYPT_DATA (pkcs11-curr-v3.0 §2.15): the ciphertext of
// the parameter's data, or as much of its beginning as is asked for, is the new key.

#include "enclave/mech/aes.h"
#include "enclave/mech/families.h"
#include "enclave/mech/kdf_run.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {CKM_AES_ECB_ENCRYPT_DATA, 16, 32, CKF_HW | CKF_DERIVE},
    {CKM_AES_CBC_ENCRYPT_DATA, 16, 32, CKF_HW | CKF_DERIVE},
};

struct Input {
  AesMode mode = AesMode::kEcb;
  ByteSpan iv;
  ByteSpan data;
};

Result<Input> InputOf(const wire::Mechanism& mechanism) {
  Input input;
  if (mechanism.type == CKM_AES_ECB_ENCRYPT_DATA) {
    KC_ASSIGN(input.data, ExpectBytes(mechanism));
  } else {
    KC_ASSIGN(const wire::CbcDataParam* param, ExpectShape(mechanism, &wire::Mechanism::cbc_data));
    input = {.mode = AesMode::kCbc, .iv = param->iv, .data = param->data};
  }
  if (input.data.empty() || input.data.size() % kAesBlock != 0) {
    return Fail(Code::kMechanismParamInvalid, "the data is not whole blocks");
  }
  return input;
}

Result<SecretBytes> Derive(const Key& key, const wire::Mechanism& mechanism, size_t asked) {
  KC_ASSIGN(const ByteSpan secret, AesKey(key));
  KC_ASSIGN(const Input input, InputOf(mechanism));
  const size_t size = asked == 0 ? input.data.size() : asked;
  // "If the data is too short to make the requested key then the mechanism returns
  // CKR_DATA_LEN_RANGE" (§2.15.3).
  if (size > input.data.size()) return Fail(Code::kDataLenRange, "CKA_VALUE_LEN");
  KC_CHECK_OK(CheckDerivedSize(size, input.data.size()));
  KC_ASSIGN(Bytes ciphertext, AesTransform(input.mode, true, secret, input.iv, input.data));
  SecretBytes derived = SecretBytes::Take(ciphertext);
  derived.Truncate(size);
  return derived;
}

}  // namespace

constinit const MechFamily kCipherDeriveFamily = {
    .name = "cipher-derive",
    .rows = kRows,
    .derive = Derive,
};

}  // namespace keyclave::mech
