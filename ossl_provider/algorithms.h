// The dispatch tables that algorithms.inc names; each stands beside its functions.
#pragma once

#include <openssl/core.h>

#include "ossl_provider/key_type.h"

namespace keyclave::ossl {

// Of one type of key.
template <KeyType type>
const OSSL_DISPATCH* Keymgmt();
template <KeyType type>
const OSSL_DISPATCH* ReferenceDecoder();

const OSSL_DISPATCH* RsaSignature();
const OSSL_DISPATCH* EcdsaSignature();
const OSSL_DISPATCH* Sm2Signature();
const OSSL_DISPATCH* EddsaSignature();
const OSSL_DISPATCH* PostQuantumSignature();
// `digest` as the default provider says it: "SHA2-256".
const OSSL_DISPATCH* RsaComposite(std::string_view digest);
const OSSL_DISPATCH* EcdsaComposite(std::string_view digest);

const OSSL_DISPATCH* RsaAsymCipher();
const OSSL_DISPATCH* Sm2AsymCipher();
const OSSL_DISPATCH* EcdhKeyexch();
const OSSL_DISPATCH* MontgomeryKeyexch();
const OSSL_DISPATCH* MlKemKem();

const OSSL_DISPATCH* UriStore();
const OSSL_DISPATCH* PemDecoder();
const OSSL_DISPATCH* DerFileDecoder();
const OSSL_DISPATCH* TextEncoder();
const OSSL_DISPATCH* SpkiDerEncoder();
const OSSL_DISPATCH* SpkiPemEncoder();
const OSSL_DISPATCH* Pkcs1DerEncoder();
const OSSL_DISPATCH* Pkcs1PemEncoder();
const OSSL_DISPATCH* ReferenceEncoder();
const OSSL_DISPATCH* PrivateKeyEncoder();

// What the provider publishes of one operation (OSSL_OP_…), for the libcrypto that runs; nullptr
// for an operation that is the default provider's. The same from the first query on: libcrypto
// caches what it sees.
const OSSL_ALGORITHM* Algorithms(int operation);

}  // namespace keyclave::ossl
