// The rules of PKCS#11 for templates and attributes (base specification v3.0 §4; objects' tables):
// which are required, which default to what, which may be set when, which may be read.
#pragma once

#include "enclave/mech/mech_type.h"
#include "enclave/wire/attributes.h"

namespace keyclave::keys {

enum class Origin { kCreated, kGenerated, kUnwrapped, kDerived };

// The full attribute set of a new object: the caller's template checked, `made` (what the mechanism
// or the key material gave) merged in, defaults added; CKA_LOCAL, CKA_ALWAYS_SENSITIVE,
// CKA_NEVER_EXTRACTABLE, CKA_KEY_GEN_MECHANISM, CKA_CHECK_VALUE as the origin says. Secret
// attributes are never in it. kTemplateIncomplete, kTemplateInconsistent, kAttributeReadOnly,
// kAttributeTypeInvalid, kAttributeValueInvalid; the detail names the attribute.
//
// `made` may hold more than the class has: what does not belong is left out, so one NewKey serves
// both halves of a pair. It names CKA_CLASS where the template need not: for the halves of a pair.
// For a derived key it carries the base key's CKA_ALWAYS_SENSITIVE and CKA_NEVER_EXTRACTABLE.
// Only a security officer may set CKA_TRUSTED.
Result<wire::AttributeList> CompleteTemplate(const wire::AttributeList& requested,
                                             const wire::AttributeList& made, Origin origin,
                                             uint64_t mechanism, bool security_officer = false);

// C_SetAttributeValue / C_CopyObject: the object's attributes with `changes` applied, or why not
// (kAttributeReadOnly, kActionProhibited, …). Sensitive only rises, extractable only falls.
Result<wire::AttributeList> ApplyChanges(const wire::AttributeList& current,
                                         const wire::AttributeList& changes, bool copy,
                                         bool security_officer = false);

// C_FindObjects: every attribute of `match` is present with exactly that value. Sensitive
// attributes never match.
bool Matches(const wire::AttributeList& attributes, const wire::AttributeList& match);

bool IsSecretAttribute(
    uint64_t type, uint64_t object_class);  // CKA_VALUE of a key, CKA_PRIVATE_EXPONENT, primes …
// "CKA_LABEL", or 0x… for a number without a name here.
std::string AttributeName(uint64_t type);

}  // namespace keyclave::keys
