// PINs at the C boundary: lengths, and who needs one.
#pragma once

#include "enclave/base/secret_bytes.h"
#include "enclave/wire/messages.h"
#include "pkcs11/cryptoki3.h"

namespace keyclave::pkcs11 {

// The enclave decides about PINs; these are what C_GetTokenInfo says of its rules
// (enclave/session/pin.h).
inline constexpr CK_ULONG kMinPin = 4;    // bytes
inline constexpr CK_ULONG kMaxPin = 255;  // bytes
inline constexpr uint64_t kPinTries = 10;

// Whether a token is opened by a PIN at all. One that has only a security officer's PIN is: its
// user's is still to be set.
inline bool NeedsPin(const wire::TokenInfo& token) {
  return token.has_user_pin || token.has_so_pin;
}

// NULL is a PIN only on a protected authentication path (empty then): kP11ArgumentsBad.
// kPinLenRange above kMaxPin.
inline Result<SecretBytes> ReadPin(const CK_UTF8CHAR* pin, CK_ULONG size, bool protected_path) {
  if (pin == nullptr) {
    if (protected_path) return SecretBytes();
    return Fail(Code::kP11ArgumentsBad, "no PIN");
  }
  if (size > kMaxPin) return Fail(Code::kPinLenRange);
  return SecretBytes::CopyOf({pin, size});
}

}  // namespace keyclave::pkcs11
