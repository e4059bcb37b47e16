// The dual-function calls (base §5.14): one part through two operations that are active side by
// side.
//
// A part is taken in by both or by neither, as far as the caller can see: where the output does not
// fit, neither has it, and where one of them fails, both end.
#include "pkcs11/args.h"
#include "pkcs11/calls.h"
#include "pkcs11/cipher_operation.h"
#include "pkcs11/digest_part.h"

namespace keyclave::pkcs11::call {
namespace {

template <class Other, class TakePart>
Status EncryptBoth(CK_SESSION_HANDLE session, std::optional<Other> Operations::*other_slot,
                   TakePart take, const CK_BYTE* part, CK_ULONG part_size, const OutBuffer& out) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(Require(call.operations().encrypt));
  KC_CHECK_OK(Require(call.operations().*other_slot));
  OperationScope encrypt(call.operations().encrypt);
  OperationScope other(call.operations().*other_slot);
  KC_ASSIGN(const ByteSpan plaintext, InBytes(part, part_size));
  const auto delivery = CipherPart(call, *encrypt, Direction::kEncrypt, plaintext, out);
  Status step = IgnoreDelivery(delivery);
  if (delivery.ok() && *delivery == Delivery::kDelivered) step = take(*other, plaintext);
  return other.Continue(encrypt.Continue(step));
}

// The other operation takes the plaintext that came out.
template <class Other, class TakePart>
Status DecryptBoth(CK_SESSION_HANDLE session, std::optional<Other> Operations::*other_slot,
                   TakePart take, const CK_BYTE* part, CK_ULONG part_size, CK_BYTE_PTR out,
                   CK_ULONG_PTR out_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(Require(call.operations().decrypt));
  KC_CHECK_OK(Require(call.operations().*other_slot));
  OperationScope decrypt(call.operations().decrypt);
  OperationScope other(call.operations().*other_slot);
  KC_ASSIGN(const ByteSpan ciphertext, InBytes(part, part_size));
  const auto delivery =
      CipherPart(call, *decrypt, Direction::kDecrypt, ciphertext, OutBuffer(out, out_size));
  Status step = IgnoreDelivery(delivery);
  if (delivery.ok() && *delivery == Delivery::kDelivered)
    step = take(*other, FromC(out, *out_size));
  return other.Continue(decrypt.Continue(step));
}

}  // namespace

Status C_DigestEncryptUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG part_size,
                             CK_BYTE_PTR out, CK_ULONG_PTR out_size) {
  return EncryptBoth(session, &Operations::digest, DigestPart, part, part_size,
                     OutBuffer(out, out_size));
}

Status C_DecryptDigestUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG part_size,
                             CK_BYTE_PTR out, CK_ULONG_PTR out_size) {
  return DecryptBoth(session, &Operations::digest, DigestPart, part, part_size, out, out_size);
}

Status C_SignEncryptUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG part_size,
                           CK_BYTE_PTR out, CK_ULONG_PTR out_size) {
  return EncryptBoth(session, &Operations::sign, SignPart, part, part_size,
                     OutBuffer(out, out_size));
}

Status C_DecryptVerifyUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG part_size,
                             CK_BYTE_PTR out, CK_ULONG_PTR out_size) {
  return DecryptBoth(session, &Operations::verify, SignPart, part, part_size, out, out_size);
}

}  // namespace keyclave::pkcs11::call
