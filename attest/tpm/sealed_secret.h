// What Seal gives: a sealed object's two parts, and the registers it is sealed to. Deterministic
// CBOR (enclave/base/cbor.h), a map with the keys below, all there, ascending.
//
//   1  label      text   "keyclave/tpm-sealed/1"
//   2  unique     bytes  32, `unique` of the object's public area
//   3  private    bytes  TPM2B_PRIVATE without its size
//   4  bank       uint   TPM_ALG_ID
//   5  registers  map of register (uint) to its value at sealing (bytes), ascending
//
// The rest of the public area is not there because it is known: PolicyPCR over these registers and
// values is the only way in, and who edits a value changes the policy and with it the object's
// name, which the private part is tied to.
#pragma once

#include "attest/tpm/attest.h"

namespace keyclave::attest::tpm {

struct SealedSecret {
  ByteArray<32> unique{};
  Bytes private_part;
  PcrSelection selection;
  PcrValues values;
};

inline constexpr size_t kMaxSealedSecret = 4096;  // bytes; 24 registers of SHA-512 fit
Bytes EncodeSealedSecret(const SealedSecret& sealed);
// kMalformed, kTruncated, kTrailingBytes, kTooLarge. All of it may be hostile.
Result<SealedSecret> ParseSealedSecret(ByteSpan bytes);

// The policy digest (SHA-256) of PolicyPCR for these values.
Result<ByteArray<32>> PolicyOf(const PcrSelection& selection, const PcrValues& values);

}  // namespace keyclave::attest::tpm
