// Key encapsulation: through EVP's own (ML-KEM, RSASVE), or of a secret that is made here and
// encrypted (CKM_RSA_PKCS, CKM_RSA_PKCS_OAEP).
#pragma once

#include "enclave/mech/mech_type.h"

namespace keyclave::mech {

// `operation` is OpenSSL's name of one of several; nullptr where the key's type has only one.
// kTemplateInconsistent if `size` is neither 0 nor what the algorithm gives.
Result<Encapsulated> RunEncapsulate(const Key& key, const char* operation, size_t size);
// kEncryptedDataInvalid.
Result<SecretBytes> RunDecapsulate(const Key& key, const char* operation, ByteSpan ciphertext,
                                   size_t size);

using CipherFunction = Result<Bytes> (*)(const Key&, const wire::Mechanism&, ByteSpan);
// kTemplateIncomplete for size 0.
Result<Encapsulated> EncapsulateRandom(CipherFunction encrypt, const Key& key,
                                       const wire::Mechanism& mechanism, size_t size);
// kEncryptedDataInvalid if `size` is neither 0 nor the secret's.
Result<SecretBytes> DecapsulateRandom(CipherFunction decrypt, const Key& key,
                                      const wire::Mechanism& mechanism, ByteSpan ciphertext,
                                      size_t size);

}  // namespace keyclave::mech
