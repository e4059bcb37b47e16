// Making keys in the enclave from OpenSSL's key generation: `openssl genpkey`, EVP_PKEY_generate.
#pragma once

#include "ossl_provider/key.h"

namespace keyclave::ossl {

void* BeginGeneration(Context& context, KeyType type, int selection, const OSSL_PARAM params[]);

// The functions of KEYMGMT.
template <KeyType type>
void* BeginGeneration(void* provctx, int selection, const OSSL_PARAM params[]) {
  return BeginGeneration(*static_cast<Context*>(provctx), type, selection, params);
}
int SetGenerationTemplate(void* genctx, void* keydata);
int SetGenerationParams(void* genctx, const OSSL_PARAM params[]);
const OSSL_PARAM* SettableGenerationParams(void* genctx, void* provctx);
void* Generate(void* genctx, OSSL_CALLBACK* progress, void* argument);
void EndGeneration(void* genctx);

}  // namespace keyclave::ossl
