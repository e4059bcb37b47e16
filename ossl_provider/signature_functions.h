// The functions of SIGNATURE, for the dispatch tables of signature_table.cc.
#pragma once

#include "ossl_provider/signature.h"

namespace keyclave::ossl {

void* NewSignature(void* provctx, const Scheme& scheme, const char* composite);
void FreeSignature(void* ctx);
void* DuplicateSignature(void* ctx);

template <Operation operation>
int InitSignature(void* ctx, void* key, const OSSL_PARAM params[]);
template <Operation operation>
int InitDigestSignature(void* ctx, const char* digest, void* key, const OSSL_PARAM params[]);
template <Operation operation>
int InitMessageSignature(void* ctx, void* key, const OSSL_PARAM params[]);

int UpdateSignature(void* ctx, const unsigned char* data, size_t size);
int Sign(void* ctx, unsigned char* out, size_t* size, size_t capacity, const unsigned char* input,
         size_t input_size);
int FinishSign(void* ctx, unsigned char* out, size_t* size, size_t capacity);
int Verify(void* ctx, const unsigned char* signature, size_t size, const unsigned char* input,
           size_t input_size);
int FinishVerify(void* ctx, const unsigned char* signature, size_t size);
int FinishMessageVerify(void* ctx);
int RecoverSignature(void* ctx, unsigned char* out, size_t* size, size_t capacity,
                     const unsigned char* signature, size_t signature_size);

int GetSignatureParams(void* ctx, OSSL_PARAM params[]);
int SetSignatureParams(void* ctx, const OSSL_PARAM params[]);
const OSSL_PARAM* GettableSignatureParams(void* ctx, void* provctx);
const OSSL_PARAM* SettableSignatureParams(void* ctx, void* provctx);

}  // namespace keyclave::ossl
