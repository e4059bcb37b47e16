// Saved operations: C_GetOperationState and C_SetOperationState. What is at work with a key is in
// requests to the enclave and cannot be saved; a digest can.
#include "pkcs11/args.h"
#include "pkcs11/calls.h"
#include "pkcs11/module.h"
#include "pkcs11/out_buffer.h"

namespace keyclave::pkcs11::call {
namespace {

constexpr CK_FLAGS kCryptography =
    CKF_DIGEST | CKF_SIGN | CKF_VERIFY | CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER | CKF_ENCRYPT |
    CKF_DECRYPT | CKF_MESSAGE_SIGN | CKF_MESSAGE_VERIFY | CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT;

}  // namespace

Status C_GetOperationState(CK_SESSION_HANDLE session, CK_BYTE_PTR state, CK_ULONG_PTR state_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  const OutBuffer out(state, state_size);
  KC_CHECK_OK(out.Check());
  const CK_FLAGS active = call.operations().Active() & kCryptography;
  if (active == 0) return Fail(Code::kP11OperationNotInitialized);
  const std::optional<DigestOperation>& digest = call.operations().digest;
  // Of a digest that the enclave computes there is no state but all of its input.
  const bool saveable =
      active == CKF_DIGEST && !digest->pending.has_value() && digest->hasher.has_value();
  if (!saveable) return Fail(Code::kP11StateUnsaveable);
  if (!out.Fits(SavedStates::kSize)) return IgnoreDelivery(out.Length(SavedStates::kSize));
  KC_ASSIGN(const Bytes saved, call.module->saved_states().Save(*digest));
  return IgnoreDelivery(out.Put(saved));
}

// The session's operations give way to the saved one.
Status C_SetOperationState(CK_SESSION_HANDLE session, CK_BYTE_PTR state, CK_ULONG state_size,
                           CK_OBJECT_HANDLE encryption_key, CK_OBJECT_HANDLE authentication_key) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(NotNull(state));
  KC_ASSIGN(DigestOperation saved, call.module->saved_states().Load(FromC(state, state_size)));
  if (encryption_key != 0 || authentication_key != 0)
    return Fail(Code::kP11KeyNotNeeded, "a digest has no key");
  call.operations().Cancel(kCryptography);
  call.operations().digest = std::move(saved);
  return Done{};
}

}  // namespace keyclave::pkcs11::call
