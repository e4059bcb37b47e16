// PINs of tokens: a second factor beside evidence. Verifiers are PBKDF2-HMAC-SHA256 inside sealed
// token records; wrong tries are counted durably before the answer goes out.
#pragma once

#include "enclave/ops/service.h"

namespace keyclave::ops {

inline constexpr size_t kMinPin = 4;    // bytes
inline constexpr size_t kMaxPin = 255;  // bytes
inline constexpr uint64_t kPinTries = 10;

// The token's PIN of this user.
keys::PinRecord& PinOf(keys::Token& token, wire::LoginState user);

// A record for a new PIN; kPinLenRange. Its generation is one above the old one's.
Result<keys::PinRecord> MakePin(const SecretBytes& pin, const keys::PinRecord& old);
// kPinIncorrect, kPinLocked, kPinNotSet. Counts the try in the store; a right PIN resets the count.
Status CheckPin(Call& call, const wire::TokenId& token, wire::LoginState user,
                const SecretBytes& pin);

// A ticket by which the process that logged in proves it to a restarted daemon: an HMAC over token,
// user, PIN generation and the process's TLS key, under a key that only this enclave can derive.
Result<Bytes> MakeTicket(Call& call, const keys::Token& token, wire::LoginState user);

}  // namespace keyclave::ops
