// The two forms of TLS 1.2, each by its own grammar alone: what satisfies both is neither.
#pragma once

#include "enclave/base/bytes.h"

namespace keyclave::guard {

Status ParseTls12Server(ByteSpan message);
Status ParseTls12Client(ByteSpan message);

}  // namespace keyclave::guard
