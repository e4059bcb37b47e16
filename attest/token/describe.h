// A token for people.
#pragma once

#include "attest/tee_type.h"
#include "attest/token/jose.h"

namespace keyclave::attest::token {

// header.alg, payload.submods.gce.zone, payload.swversion.0 …
std::vector<Field> DescribeToken(const Token& token);

}  // namespace keyclave::attest::token
