// Tag, length, value: the encoding of X.509 and of everything that CMS signs.
#pragma once

#include "enclave/base/bytes.h"

namespace keyclave::guard {

inline constexpr unsigned kMaxDerDepth = 24;  // elements within each other

// Whether `bytes` are one whole element of DER (X.690 §10, §11): lengths and integers in their
// shortest form, no element of indefinite length, no string in pieces, nothing behind it.
bool IsDer(ByteSpan bytes);

// Whether some reader of BER, however tolerant, could take `bytes` for one of the structures that
// are signed: a SEQUENCE or SET up to the last byte whose parts fill it, the first of them a
// version, an identifier or a list. Of random bytes about one in 10^8 looks so.
bool LooksLikeSignedBer(ByteSpan bytes);

}  // namespace keyclave::guard
