// Operations that take the enclave long.
#pragma once

#include "enclave/wire/messages.h"

namespace keyclave::wire {

// The daemon works on it beside everything else, but on one for each connection at a time: a client
// gives it a connection of its own.
bool TakesLong(Op op);

}  // namespace keyclave::wire
