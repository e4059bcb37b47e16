// One operation of an asymmetric key through EVP: runs a prepared use over its input.
#pragma once

#include "enclave/mech/key.h"

namespace keyclave::mech {

// At most max_size bytes of signature. kCryptoFailed.
Result<Bytes> RunSign(const Key& key, const PkeyUse& use, ByteSpan input, size_t max_size);
// kSignatureInvalid for every signature that does not verify.
Status RunVerify(const Key& key, const PkeyUse& use, ByteSpan input, ByteSpan signature);
// What an RSA signature holds once its padding is off; kSignatureInvalid.
Result<Bytes> RunVerifyRecover(const Key& key, int rsa_padding, ByteSpan signature);
// `label` is OAEP's; empty for other paddings.
Result<Bytes> RunEncrypt(const Key& key, const PkeyUse& use, ByteSpan input, ByteSpan label = {});
// kEncryptedDataInvalid for every ciphertext that does not open, whatever the reason.
Result<Bytes> RunDecrypt(const Key& key, const PkeyUse& use, ByteSpan input, ByteSpan label = {});
// The bare ECDH secret of two keys on one curve. kMechanismParamInvalid for a peer's key that gives
// none.
Result<SecretBytes> RunAgree(EVP_PKEY* own, EVP_PKEY* peer, bool cofactor);

}  // namespace keyclave::mech
