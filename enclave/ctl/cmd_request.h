// What `keyclave request send` does, for commands that take a document or a request for one.
#pragma once

#include "enclave/ctl/command.h"

namespace keyclave::ctl {

bool IsRequestFile(std::string_view text);
Result<int> SendRequestFile(const std::string& path, const Globals& globals);

}  // namespace keyclave::ctl
