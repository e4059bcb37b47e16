// The checks with which every mechanism begins: the key's type and class, the parameter's shape.
#pragma once

#include "enclave/mech/key.h"
#include "enclave/mech/mech_numbers.h"
#include "enclave/wire/mech_param.h"

namespace keyclave::mech {

// kKeyTypeInconsistent for another type or a secret key; kKeyFunctionNotPermitted for the public
// half where the private one is needed. What a public key does, its private key does too: usage
// attributes are the caller's business.
Status CheckPrivate(const Key& key, uint64_t key_type);
Status CheckPublic(const Key& key, uint64_t key_type);
Status CheckSecret(const Key& key, uint64_t key_type);

// kMechanismParamInvalid unless there is no parameter (an empty one counts as none).
Status ExpectNoParam(const wire::Mechanism& mechanism);
// The bytes of the parameter; kMechanismParamInvalid unless there are exactly `size`.
Result<ByteSpan> ExpectBytes(const wire::Mechanism& mechanism, size_t size);
// The parameter of this shape and no other: ExpectShape(mechanism, &wire::Mechanism::pss).
template <class Shape>
Result<const Shape*> ExpectShape(const wire::Mechanism& mechanism,
                                 std::optional<Shape> wire::Mechanism::*shape);

size_t CountShapes(const wire::Mechanism& mechanism);

template <class Shape>
Result<const Shape*> ExpectShape(const wire::Mechanism& mechanism,
                                 std::optional<Shape> wire::Mechanism::*shape) {
  const std::optional<Shape>& found = mechanism.*shape;
  if (!found.has_value() || CountShapes(mechanism) != 1) {
    return Fail(Code::kMechanismParamInvalid, "the parameter's shape");
  }
  return &*found;
}

}  // namespace keyclave::mech
