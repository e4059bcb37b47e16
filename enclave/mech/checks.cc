#include "enclave/mech/checks.h"

namespace keyclave::mech {

Status CheckPublic(const Key& key, uint64_t key_type) {
  if (key.pkey() == nullptr || key.key_type() != key_type) return Fail(Code::kKeyTypeInconsistent);
  return Done{};
}

Status CheckPrivate(const Key& key, uint64_t key_type) {
  KC_CHECK_OK(CheckPublic(key, key_type));
  if (key.object_class() != CKO_PRIVATE_KEY) return Fail(Code::kKeyFunctionNotPermitted);
  return Done{};
}

Status CheckSecret(const Key& key, uint64_t key_type) {
  if (key.object_class() != CKO_SECRET_KEY || key.key_type() != key_type) {
    return Fail(Code::kKeyTypeInconsistent);
  }
  return Done{};
}

size_t CountShapes(const wire::Mechanism& mechanism) {
  size_t count = 0;
  for (const bool present :
       {mechanism.bytes.has_value(), mechanism.pss.has_value(), mechanism.oaep.has_value(),
        mechanism.gcm.has_value(), mechanism.ctr.has_value(), mechanism.ecdh.has_value(),
        mechanism.tls.has_value(), mechanism.rsa_aes.has_value()}) {
    count += present ? 1U : 0U;
  }
  return count;
}

Status ExpectNoParam(const wire::Mechanism& mechanism) {
  const bool empty = mechanism.bytes.has_value() && mechanism.bytes->empty();
  if (CountShapes(mechanism) != (empty ? 1U : 0U)) {
    return Fail(Code::kMechanismParamInvalid, "the mechanism takes no parameter");
  }
  return Done{};
}

Result<ByteSpan> ExpectBytes(const wire::Mechanism& mechanism, size_t size) {
  if (!mechanism.bytes.has_value() || CountShapes(mechanism) != 1 ||
      mechanism.bytes->size() != size) {
    return Fail(Code::kMechanismParamInvalid,
                "the parameter is not " + std::to_string(size) + " bytes");
  }
  return ByteSpan(*mechanism.bytes);
}

}  // namespace keyclave::mech
