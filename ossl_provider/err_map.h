// Code -> what the application's error queue says.
#pragma once

#include <openssl/core.h>

#include "enclave/base/result.h"

namespace keyclave::ossl {

// What the reader can do about it; empty where the sentence and the detail say all.
std::string_view Hint(Code code);

// The reasons that the core shows for this provider's numbers: every sentence of error_codes.inc.
const OSSL_ITEM* ReasonStrings();

}  // namespace keyclave::ossl
