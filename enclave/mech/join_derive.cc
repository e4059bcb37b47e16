// CKM_CONCATENATE_… and CKM_XOR_BASE_AND_DATA (pkcs11-curr-v3.0 §2.43): the new key is made of the
// base key's own bytes. All of them are used, whatever CKA_VALUE_LEN: a new key of a few of them
// could be found by trying, and so the base key part by part.

#include "enclave/mech/aes.h"
#include "enclave/mech/families.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kDataRows[] = {
    {CKM_CONCATENATE_BASE_AND_DATA, 1, kMaxGenericSecret, CKF_HW | CKF_DERIVE},
    {CKM_CONCATENATE_DATA_AND_BASE, 1, kMaxGenericSecret, CKF_HW | CKF_DERIVE},
    {CKM_XOR_BASE_AND_DATA, 1, kMaxGenericSecret, CKF_HW | CKF_DERIVE},
};
constexpr MechRow kKeyRows[] = {
    {CKM_CONCATENATE_BASE_AND_KEY, 1, kMaxGenericSecret, CKF_HW | CKF_DERIVE},
};

Status CheckWhole(size_t asked, size_t available) {
  if (available > kMaxGenericSecret || (asked != 0 && asked != available)) {
    return Fail(Code::kKeySizeRange, "CKA_VALUE_LEN: the derivation gives " +
                                         std::to_string(available) + " bytes, and no part of them");
  }
  return Done{};
}

Result<SecretBytes> Join(ByteSpan first, ByteSpan second, size_t asked) {
  KC_CHECK_OK(CheckWhole(asked, first.size() + second.size()));
  SecretBytes joined(first.size() + second.size());
  const std::span<uint8_t> out = joined.ExposeMutable(SecretAccess());
  std::copy(second.begin(), second.end(), std::copy(first.begin(), first.end(), out.begin()));
  return joined;
}

// "Its length will be equal to the minimum of the lengths of the data and the value of the original
// key" (§2.43.6): data that is shorter would cut the key.
Result<SecretBytes> Xor(ByteSpan base, ByteSpan data, size_t asked) {
  if (data.size() < base.size()) {
    return Fail(Code::kMechanismParamInvalid, "ulLen: at least the length of the base key");
  }
  KC_CHECK_OK(CheckWhole(asked, base.size()));
  SecretBytes mixed = SecretBytes::CopyOf(base);
  const std::span<uint8_t> out = mixed.ExposeMutable(SecretAccess());
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<uint8_t>(out[i] ^ data[i]);
  return mixed;
}

Result<SecretBytes> Derive(const Key& key, const wire::Mechanism& mechanism, size_t asked) {
  KC_CHECK_OK(CheckAnySecret(key));
  KC_ASSIGN(const ByteSpan data, ExpectBytes(mechanism));
  if (data.empty()) return Fail(Code::kMechanismParamInvalid, "ulLen");
  const ByteSpan base = key.secret().Expose(SecretAccess());
  if (mechanism.type == CKM_XOR_BASE_AND_DATA) return Xor(base, data, asked);
  const bool base_first = mechanism.type == CKM_CONCATENATE_BASE_AND_DATA;
  return base_first ? Join(base, data, asked) : Join(data, base, asked);
}

Result<SecretBytes> DeriveWith(const Key& key, const Key& second, const wire::Mechanism& mechanism,
                               size_t asked) {
  KC_CHECK_OK(CheckAnySecret(key));
  KC_CHECK_OK(CheckAnySecret(second));
  if (mechanism.CountShapes() != 0 || !mechanism.second_key.has_value()) {
    return Fail(Code::kMechanismParamInvalid, "the parameter is not the handle of a key");
  }
  return Join(key.secret().Expose(SecretAccess()), second.secret().Expose(SecretAccess()), asked);
}

}  // namespace

constinit const MechFamily kJoinDeriveFamily = {
    .name = "join-derive",
    .rows = kDataRows,
    .derive = Derive,
    .derives_base_bytes = true,
};

constinit const MechFamily kJoinKeysFamily = {
    .name = "join-keys",
    .rows = kKeyRows,
    .derive_with = DeriveWith,
    .derives_base_bytes = true,
};

}  // namespace keyclave::mech
