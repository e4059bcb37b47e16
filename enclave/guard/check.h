// What a key may sign: whether a message has one of the forms that a permit's `input` names
// (docs/policy.md, "What is signed"). The caller is taken for hostile: it may hold the whole
// machine that the policy trusts, and still shall not turn its key into an oracle for others'
// protocols.
#pragma once

#include "enclave/authz/input_rule.h"
#include "enclave/base/clock.h"
#include "enclave/mech/mech_type.h"

namespace keyclave::guard {

// What a message is judged beside.
struct Context {
  const mech::MechRow& row;          // of the mechanism that signs it
  const wire::Mechanism& mechanism;  // with its parameter
  ByteSpan public_key_info = {};     // the signing key's SubjectPublicKeyInfo, DER
  // DER of the names in the CA's own certificates; none: the issuer may be anybody.
  std::span<const Bytes> issuers = {};
  UnixTime now = 0;
};

// Whether the message satisfies one of the rule's forms; kInputRefused says what each of them
// misses.
Status CheckInput(const authz::InputRule& rule, ByteSpan message, const Context& context);

}  // namespace keyclave::guard
