// Enrolment, at the machine's side: an attestation key (AK) under the endorsement key (EK), and the
// proof by credential activation (TPM2_ActivateCredential) that both are in this TPM.
#pragma once

#include <optional>

#include "attest/tpm/device.h"
#include "enclave/base/secret_bytes.h"

namespace keyclave::attest::tpm {

// Of the EK Credential Profile's templates: L-1, L-2 and H-3.
enum class EkKind : uint8_t { kRsa2048, kP256, kP384 };
std::string_view EkKindName(EkKind kind);  // "rsa2048"

struct Endorsed {
  EkKind kind = EkKind::kRsa2048;
  Bytes certificate;  // of the EK, DER, as it lies in NV memory
  Bytes area;         // of the AK (enrolled_key.h)
};

// The AK at config.key_handle, made there if the handle is free. `kind`: of the EK; without it the
// first whose certificate is there. kEvidenceUnavailable.
Result<Endorsed> MakeAttestationKey(const DeviceConfig& config, std::optional<EkKind> kind);

// What a verifier made for the EK and the AK (TPM2_MakeCredential): TPMS_ID_OBJECT, and the
// content of TPM2B_ENCRYPTED_SECRET.
struct Credential {
  Bytes identity;
  Bytes secret;
};
inline constexpr size_t kMaxCredential = 132;  // bytes of `identity`: HMAC and secret of SHA-512
inline constexpr size_t kMaxEncryptedSecret = 512;

// The secret in it, if EK and AK are both in this TPM, and it was made for them.
// kEvidenceUnavailable.
Result<SecretBytes> ActivateCredential(const DeviceConfig& config, EkKind kind,
                                       const Credential& credential);

}  // namespace keyclave::attest::tpm
