// The parameter sets of ML-DSA, SLH-DSA and ML-KEM (FIPS 204, 205, 203): OpenSSL's name and the
// lengths of what belongs to each.
#pragma once

#include "enclave/mech/mech_type.h"

namespace keyclave::mech {

struct ParameterSet {
  uint64_t key_type;  // CKK_ML_DSA …
  uint64_t number;    // CKP_ML_DSA_44 …
  const char* name;   // as OpenSSL fetches it
  size_t public_size;
  size_t private_size;
  size_t seed_size;    // 0: its private keys have no seed
  size_t output_size;  // of a signature or a ciphertext
};

// The set that CKA_PARAMETER_SET names: kTemplateIncomplete, kAttributeValueInvalid, and
// kParameterSetUnsupported also where the linked OpenSSL lacks it.
Result<const ParameterSet*> ParameterSetOf(uint64_t key_type,
                                           const wire::AttributeList& attributes);
// nullptr: another kind of key.
const ParameterSet* ParameterSetOf(uint64_t key_type, const EVP_PKEY* pkey);

// Whether the linked OpenSSL has sets of this type; it has all of them, or none.
bool HasParameterSets(uint64_t key_type);

// C_GenerateKeyPair for such a type.
Result<NewKey> GenerateFromSet(uint64_t key_type, const wire::Mechanism& mechanism,
                               const wire::AttributeList& attributes);

}  // namespace keyclave::mech
