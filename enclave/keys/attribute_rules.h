// The rules that new objects and changes of old ones share (pkcs11-base-v3.2 §4.1.1).
#pragma once

#include "enclave/keys/attribute_table.h"

namespace keyclave::keys {

// kTemplateInconsistent for a type that stands twice.
Status CheckNoDuplicate(const wire::AttributeList& list);

// The row of an attribute that a template names for an object of this kind. "An attribute is valid
// if it is … one of the attributes described in the Cryptoki specification": kAttributeTypeInvalid
// if it is not, kTemplateInconsistent for "an attribute which is appropriate for" other objects
// only.
Result<const AttributeRow*> RowFor(uint64_t type, Kinds kind);

// What one attribute cannot show: values that exclude each other, and numbers out of their range.
// kTemplateInconsistent, kTemplateIncomplete, kAttributeValueInvalid.
Status CheckTogether(const wire::AttributeList& object, Kinds kind);

}  // namespace keyclave::keys
