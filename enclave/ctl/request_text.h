// What a statement asks for, in words that its signers can judge: made from its bytes, from nothing
// else.
#pragma once

#include "enclave/wire/messages.h"

namespace keyclave::ctl {

// Lines. The texts of policies and sets are whole, behind a line that announces them. kMalformed
// for an operation that is unknown or a request that is not of its form: nobody should sign what
// cannot be read.
Result<std::vector<std::string>> DescribeStatement(const wire::Statement& statement);

}  // namespace keyclave::ctl
