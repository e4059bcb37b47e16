// How SystemHost() runs a program (Host::Run).
#pragma once

#include "attest/produce/host.h"

namespace keyclave::attest {

int RunCommand(const Command& command, CommandOutcome& outcome);

}  // namespace keyclave::attest
