#include "enclave/mech/checks.h"

#include "enclave/base/byte_reader.h"

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

Status CheckAnySecret(const Key& key) {
  if (key.object_class() != CKO_SECRET_KEY) return Fail(Code::kKeyTypeInconsistent);
  return Done{};
}

Status ExpectNoParam(const wire::Mechanism& mechanism) {
  const bool empty = mechanism.bytes.has_value() && mechanism.bytes->empty();
  if (mechanism.CountShapes() != (empty ? 1U : 0U) || mechanism.second_key.has_value()) {
    return Fail(Code::kMechanismParamInvalid, "the mechanism takes no parameter");
  }
  return Done{};
}

Result<ByteSpan> ExpectBytes(const wire::Mechanism& mechanism) {
  KC_ASSIGN(const Bytes* bytes, ExpectShape(mechanism, &wire::Mechanism::bytes));
  return ByteSpan(*bytes);
}

Result<ByteSpan> ExpectBytes(const wire::Mechanism& mechanism, size_t size) {
  KC_ASSIGN(const ByteSpan bytes, ExpectBytes(mechanism));
  if (bytes.size() != size) {
    return Fail(Code::kMechanismParamInvalid,
                "the parameter is not " + std::to_string(size) + " bytes");
  }
  return bytes;
}

Result<size_t> ExpectTagSize(const wire::Mechanism& mechanism, size_t longest) {
  KC_ASSIGN(const ByteSpan param, ExpectBytes(mechanism, sizeof(uint64_t)));
  KC_ASSIGN(const uint64_t size, ByteReader(param).TakeLe<uint64_t>());
  if (size < 1 || size > longest) {
    return Fail(Code::kMechanismParamInvalid, "the length of the tag");
  }
  return static_cast<size_t>(size);
}

Status CheckTag(ByteSpan tag, ByteSpan signature) {
  if (signature.size() != tag.size()) return Fail(Code::kSignatureLenRange);
  if (!EqualConstantTime(tag, signature)) return Fail(Code::kSignatureInvalid);
  return Done{};
}

}  // namespace keyclave::mech
