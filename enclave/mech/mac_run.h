// One MAC over one message through EVP.
#pragma once

#include "enclave/base/bytes.h"
#include "enclave/mech/checks.h"
#include "enclave/mech/openssl_handles.h"

namespace keyclave::mech {

// EVP_MAC's algorithm; lives as long as the process. Stops the program where OpenSSL lacks it.
EVP_MAC* FetchMac(const char* name);
// A context with its digest or cipher set: `param` is EVP_MAC's name of which. nullptr: refused.
EvpMacCtx NewMac(EVP_MAC* mac, const char* param, const char* algorithm);

// The whole tag, of `size` bytes, by a context that has no key yet. `iv` is GMAC's. kCryptoFailed.
Result<Bytes> RunMac(EvpMacCtx context, ByteSpan key, ByteSpan iv, ByteSpan input, size_t size);

// A MAC is verified by making it anew. kSignatureLenRange, kSignatureInvalid.
template <auto sign>
Status VerifyMac(const Key& key, const wire::Mechanism& mechanism, ByteSpan input,
                 ByteSpan signature) {
  KC_ASSIGN(const Bytes tag, sign(key, mechanism, input));
  return CheckTag(tag, signature);
}

}  // namespace keyclave::mech
