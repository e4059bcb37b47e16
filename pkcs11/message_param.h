// The parameter of one message of an AEAD mechanism (3.0 §6.13: CK_GCM_MESSAGE_PARAMS,
// CK_CCM_MESSAGE_PARAMS): where the initialisation vector and the tag lie, and who makes the
// vector.
#pragma once

#include <span>

#include "enclave/wire/mech_param.h"
#include "pkcs11/cryptoki3.h"

namespace keyclave::pkcs11 {

struct MessageParam {
  CK_MECHANISM_TYPE type = 0;
  std::span<CK_BYTE> iv;  // the caller's memory, as is the tag
  uint64_t fixed_bits = 0;
  CK_ULONG generator = CKG_NO_GENERATE;
  std::span<CK_BYTE> tag;  // empty where it follows the ciphertext
  uint64_t data_size = 0;  // bytes of plaintext, which CCM wants to be told

  Bytes Iv() const { return Bytes(iv.begin(), iv.end()); }
  // What travels: the mechanism with this vector and a tag of `tag_size` bytes.
  wire::Mechanism ToWire(Bytes with_iv, ByteSpan associated, size_t tag_size) const;
};

// Whether messages can be encrypted with this mechanism.
bool HasMessageParam(CK_MECHANISM_TYPE type);
// Whether `size` is that of the mechanism's structure.
bool IsMessageParamSize(CK_MECHANISM_TYPE type, CK_ULONG size);

// The structure of one message. kMechanismParamInvalid for another structure, a vector of no length
// or more than 256 bytes, more fixed bits than it has, and a tag of no whole number of bytes.
Result<MessageParam> ReadMessageParam(CK_MECHANISM_TYPE type, const void* parameter, CK_ULONG size);

// CK_GCM_WRAP_PARAMS and CK_CCM_WRAP_PARAMS: the tag follows the wrapped key.
struct WrapParam {
  MessageParam message;
  Bytes associated;
  size_t tag_size = 0;
};
bool IsWrapParamSize(CK_MECHANISM_TYPE type, CK_ULONG size);
Result<WrapParam> ReadWrapParam(CK_MECHANISM_TYPE type, const void* parameter, CK_ULONG size);

// The vector of a mechanism that ToWire made.
void SetIv(wire::Mechanism& mechanism, Bytes iv);
size_t TagSize(const wire::Mechanism& mechanism);

// The vector of the next message: `given` where the caller makes it, otherwise its fixed bits, and
// behind them random ones or the counter, which counts messages from 0. kMechanismParamInvalid if
// too few bits are left to be unique.
Result<Bytes> NextIv(Bytes given, uint64_t fixed_bits, CK_ULONG generator, uint64_t& counter);

}  // namespace keyclave::pkcs11
