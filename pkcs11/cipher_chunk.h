// AES modes that can be cut at block boundaries: long data travels as several requests, each
// beginning where the last one ended. No cipher runs here; the module only carries the chaining
// value that the mode defines (NIST SP 800-38A) from one request to the next. Modes with a tag
// (GCM) are never cut: nothing is released before its tag is verified.
#pragma once

#include "pkcs11/key_operation.h"

namespace keyclave::pkcs11 {

inline constexpr size_t kAesBlock = 16;
inline constexpr size_t kChunk = size_t{512} << 10;  // bytes per request

enum class Direction { kEncrypt, kDecrypt };

// Whether the operation can be cut: its mode allows it, and so does the key (the middle of
// CKM_AES_CBC_PAD is CKM_AES_CBC).
bool CanCut(const KeyOperation& operation);

// How much of `total` bytes can be processed before the end is known: whole blocks, and for the
// decryption of padded data not the last one, which holds the padding.
size_t Releasable(const KeyOperation& operation, Direction direction, size_t total);

// The mechanism for the next `size` bytes in the middle (a multiple of the block).
wire::Mechanism MiddleMechanism(const KeyOperation& operation);
// Moves the chaining value on after a middle piece: kDataLenRange if the mode's counter is used up.
Status Advance(KeyOperation& operation, Direction direction, ByteSpan input, ByteSpan output);

}  // namespace keyclave::pkcs11
