// Random secret keys.
#pragma once

#include "enclave/mech/checks.h"

namespace keyclave::mech {

// A key of `key_type` with CKA_VALUE_LEN bytes. kTemplateIncomplete, kTemplateInconsistent for
// another CKA_KEY_TYPE, kAttributeValueInvalid for a size that the type does not have.
Result<NewKey> GenerateSecret(const wire::Mechanism& mechanism,
                              const wire::AttributeList& attributes, uint64_t key_type);

}  // namespace keyclave::mech
