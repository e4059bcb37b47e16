// The checks with which every mechanism begins: the key's type and class, the parameter's shape.
#pragma once

#include "enclave/mech/key.h"
#include "enclave/wire/mech_param.h"
#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::mech {

// kKeyTypeInconsistent for another type or a secret key; kKeyFunctionNotPermitted for the public
// half where the private one is needed. What a public key does, its private key does too: usage
// attributes are the caller's business.
Status CheckPrivate(const Key& key, uint64_t key_type);
Status CheckPublic(const Key& key, uint64_t key_type);
Status CheckSecret(const Key& key, uint64_t key_type);
Status CheckAnySecret(const Key& key);

// kMechanismParamInvalid unless there is no parameter (an empty one counts as none).
Status ExpectNoParam(const wire::Mechanism& mechanism);
// The bytes of the parameter; kMechanismParamInvalid unless there are exactly `size`.
Result<ByteSpan> ExpectBytes(const wire::Mechanism& mechanism);
Result<ByteSpan> ExpectBytes(const wire::Mechanism& mechanism, size_t size);
// CK_MAC_GENERAL_PARAMS: a CK_ULONG as it lies in memory, 1 to `longest` bytes.
Result<size_t> ExpectTagSize(const wire::Mechanism& mechanism, size_t longest);
// The parameter of this shape and no other, and whether a second key is beside it:
// ExpectShape(mechanism, &wire::Mechanism::pss).
template <class Shape>
Result<const Shape*> ExpectShape(const wire::Mechanism& mechanism,
                                 std::optional<Shape> wire::Mechanism::*shape,
                                 bool with_second_key = false);

// Whether a signature is the tag that was computed: kSignatureLenRange, kSignatureInvalid.
Status CheckTag(ByteSpan tag, ByteSpan signature);

template <class Shape>
Result<const Shape*> ExpectShape(const wire::Mechanism& mechanism,
                                 std::optional<Shape> wire::Mechanism::*shape,
                                 bool with_second_key) {
  const std::optional<Shape>& found = mechanism.*shape;
  if (!found.has_value() || mechanism.CountShapes() != 1 ||
      mechanism.second_key.has_value() != with_second_key) {
    return Fail(Code::kMechanismParamInvalid, "the parameter's shape");
  }
  return &*found;
}

}  // namespace keyclave::mech
