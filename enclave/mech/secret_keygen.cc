#include "enclave/mech/secret_keygen.h"

#include <openssl/rand.h>

#include "enclave/mech/evp.h"
#include "enclave/mech/key_type.h"

namespace keyclave::mech {

Result<NewKey> GenerateSecret(const wire::Mechanism& mechanism,
                              const wire::AttributeList& attributes, uint64_t key_type) {
  KC_CHECK_OK(ExpectNoParam(mechanism));
  if (attributes.Ulong(CKA_KEY_TYPE).value_or(key_type) != key_type) {
    return Fail(Code::kTemplateInconsistent, "CKA_KEY_TYPE is not the mechanism's");
  }
  KC_CHECK_OK(RequiredAttribute(attributes, CKA_VALUE_LEN, "CKA_VALUE_LEN"));
  const std::optional<uint64_t> size = attributes.Ulong(CKA_VALUE_LEN);
  if (!size.has_value() || !IsSecretSize(key_type, *size)) {
    return Fail(Code::kAttributeValueInvalid, "CKA_VALUE_LEN");
  }
  SecretBytes value(*size);
  if (RAND_priv_bytes_ex(Library(), value.ExposeMutable(SecretAccess()).data(), *size, 0) != 1) {
    return OpensslError("random bytes");
  }
  return NewSecretKey(key_type, std::move(value));
}

}  // namespace keyclave::mech
