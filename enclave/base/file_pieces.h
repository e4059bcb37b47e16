// A file that is too large to be in memory at once, in pieces.
#pragma once

#include <functional>
#include <string>

#include "enclave/base/bytes.h"

namespace keyclave {

// Hands the file's bytes to `take`, at most `piece` at a time, in order; `last`: no more come. An
// empty file is one empty piece. What opening and reading say, and what `take` says.
Status ReadInPieces(const std::string& path, size_t piece,
                    const std::function<Status(ByteSpan bytes, bool last)>& take);

}  // namespace keyclave
