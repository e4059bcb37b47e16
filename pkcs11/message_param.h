// The parameter of one message of an AEAD mechanism (3.0 §6.13: CK_GCM_MESSAGE_PARAMS): where the
// initialisation vector and the tag lie, and who makes the vector.
#pragma once

#include <span>

#include "enclave/base/bytes.h"
#include "pkcs11/cryptoki3.h"

namespace keyclave::pkcs11 {

struct MessageParam {
  std::span<CK_BYTE> iv;  // the caller's memory, as is the tag
  uint64_t fixed_bits = 0;
  CK_ULONG generator = CKG_NO_GENERATE;
  std::span<CK_BYTE> tag;  // empty where it follows the ciphertext

  Bytes Iv() const { return Bytes(iv.begin(), iv.end()); }
  uint64_t TagBits() const { return tag.size() * 8; }
};

// Whether messages can be encrypted with this mechanism.
bool HasMessageParam(CK_MECHANISM_TYPE type);

// kMechanismParamInvalid for a vector of no length or more than 256 bytes, and for more fixed bits
// than it has.
Result<MessageParam> MakeMessageParam(CK_BYTE* iv, CK_ULONG iv_size, CK_ULONG fixed_bits,
                                      CK_ULONG generator);
// CK_GCM_MESSAGE_PARAMS. The same for another structure, and a tag of no whole number of bytes.
Result<MessageParam> ReadMessageParam(const void* parameter, CK_ULONG size);

// The vector of the next message: `given` where the caller makes it, otherwise its fixed bits, and
// behind them random ones or the counter, which counts messages from 0. kMechanismParamInvalid if
// too few bits are left to be unique.
Result<Bytes> NextIv(Bytes given, uint64_t fixed_bits, CK_ULONG generator, uint64_t& counter);

}  // namespace keyclave::pkcs11
