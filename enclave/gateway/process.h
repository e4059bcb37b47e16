// What the programs have in common that stand between the enclave and clients of another protocol
// (keyclave-sds, keyclave-kbs): their log, their signals, their memory.
#pragma once

#include <initializer_list>
#include <string>

#include "enclave/base/result.h"
#include "enclave/wire/fd.h"

namespace keyclave::gateway {

// Everything from LogLevel::kInfo on goes to standard error, with time, program and process id.
void StartLogging(const std::string& program);

// A descriptor from which these signals are read as signalfd_siginfo; SIGPIPE is ignored. Before
// any thread starts, so that every thread inherits it.
Result<wire::Fd> TakeSignals(std::initializer_list<int> signals);

// Keys pass through this memory: no other process of the user reads it, and no core dump has it.
void GuardMemory();

}  // namespace keyclave::gateway
