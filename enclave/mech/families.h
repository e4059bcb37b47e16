// The declarations of all mechanism families, for the files that define them and the registry.
#pragma once

#include "enclave/mech/checks.h"
#include "enclave/mech/mech_type.h"

namespace keyclave::mech {

#define KC_MECH(name) extern const MechFamily k##name##Family;
#include "enclave/mech/mech_list.inc"
#undef KC_MECH

// CKF_HW says that "the mechanism is performed by the device" (pkcs11-base-v3.0 §3.5): by the
// enclave, not by the module in the caller's process.
inline constexpr uint64_t kFlagSign = CKF_HW | CKF_SIGN | CKF_VERIFY;
inline constexpr uint64_t kFlagCipher = CKF_HW | CKF_ENCRYPT | CKF_DECRYPT;
inline constexpr uint64_t kFlagWrap = CKF_WRAP | CKF_UNWRAP;
inline constexpr uint64_t kFlagEncapsulate = CKF_ENCAPSULATE | CKF_DECAPSULATE;
inline constexpr uint64_t kFlagRecover = CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER;
inline constexpr uint64_t kFlagEc = CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS;

}  // namespace keyclave::mech
