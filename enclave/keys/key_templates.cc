#include "enclave/keys/key_templates.h"

#include "enclave/keys/attributes.h"
#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::keys {
namespace {

// Empty if the key has none.
Result<wire::AttributeList> TemplateOf(const wire::AttributeList& key, uint64_t type) {
  const Bytes* encoded = key.Find(type);
  if (encoded == nullptr) return wire::AttributeList();
  return wire::Decode<wire::AttributeList>(*encoded);
}

}  // namespace

Result<wire::AttributeList> WithKeysTemplate(wire::AttributeList requested,
                                             const wire::AttributeList& key, uint64_t type) {
  KC_ASSIGN(const wire::AttributeList added, TemplateOf(key, type));
  for (const wire::Attribute& attribute : added.items) {
    const Bytes* wanted = requested.Find(attribute.type);
    if (wanted != nullptr && *wanted != attribute.value) {
      return Fail(Code::kTemplateInconsistent, AttributeName(attribute.type) + " is not what " +
                                                   AttributeName(type) + " of the key says");
    }
    requested.Set(attribute.type, attribute.value);
  }
  return requested;
}

Status CheckWrapTemplate(const wire::AttributeList& wrapping_key, const wire::AttributeList& key) {
  KC_ASSIGN(const wire::AttributeList wanted, TemplateOf(wrapping_key, CKA_WRAP_TEMPLATE));
  if (!Matches(key, wanted)) return Fail(Code::kWrapTemplateMismatch);
  return Done{};
}

}  // namespace keyclave::keys
