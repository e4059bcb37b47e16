// The dispatch tables that algorithms.inc names; each stands beside its functions.
#pragma once

#include <openssl/core.h>

namespace keyclave::ossl {

const OSSL_DISPATCH* RsaKeymgmt();
const OSSL_DISPATCH* RsaPssKeymgmt();
const OSSL_DISPATCH* EcKeymgmt();
const OSSL_DISPATCH* RsaSignature();
const OSSL_DISPATCH* EcdsaSignature();
const OSSL_DISPATCH* RsaAsymCipher();
const OSSL_DISPATCH* UriStore();
const OSSL_DISPATCH* PemDecoder();
const OSSL_DISPATCH* RsaDecoder();
const OSSL_DISPATCH* RsaPssDecoder();
const OSSL_DISPATCH* EcDecoder();
const OSSL_DISPATCH* TextEncoder();
const OSSL_DISPATCH* SpkiDerEncoder();
const OSSL_DISPATCH* SpkiPemEncoder();
const OSSL_DISPATCH* Pkcs1DerEncoder();
const OSSL_DISPATCH* Pkcs1PemEncoder();
const OSSL_DISPATCH* ReferenceEncoder();

}  // namespace keyclave::ossl
