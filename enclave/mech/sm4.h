// What keys of SM4 need of it.
#pragma once

#include "enclave/base/bytes.h"

namespace keyclave::mech {

inline constexpr size_t kSm4KeySize = 16;  // bytes; its block is as long

// A block of zeros, encrypted: its first bytes are CKA_CHECK_VALUE.
Result<Bytes> Sm4CheckValue(ByteSpan key);

}  // namespace keyclave::mech
