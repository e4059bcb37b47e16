// What a permit's `input` means for one request: the message that it wants signed, judged beside
// the key and what the token stores of it.
#pragma once

#include "enclave/authz/input_rule.h"
#include "enclave/ops/service.h"

namespace keyclave::ops {

// kInputRefused unless the message has one of the rule's forms. A CA's name is read from the
// certificates of the token with the key's CKA_ID and its public key; one of them is enough.
Status CheckSignInput(Call& call, const keys::Object& key, const wire::Mechanism& mechanism,
                      ByteSpan message, const authz::InputRule& rule);

}  // namespace keyclave::ops
