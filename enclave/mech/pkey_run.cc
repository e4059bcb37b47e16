#include "enclave/mech/pkey_run.h"

#include <openssl/core_names.h>
#include <openssl/err.h>

#include "enclave/mech/evp.h"

namespace keyclave::mech {
namespace {

Status SetLabel(EVP_PKEY_CTX* context, ByteSpan label) {
  if (label.empty()) return Done{};
  Bytes copy = ToBytes(label);
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL,
                                                                 copy.data(), copy.size()),
                               OSSL_PARAM_construct_end()};
  if (EVP_PKEY_CTX_set_params(context, params) != 1) return OpensslError("OAEP label");
  return Done{};
}

bool SetCofactorMode(EVP_PKEY_CTX* context) {
  int mode = 1;
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_int(OSSL_EXCHANGE_PARAM_EC_ECDH_COFACTOR_MODE, &mode),
      OSSL_PARAM_construct_end()};
  return EVP_PKEY_CTX_set_params(context, params) == 1;
}

size_t MaxOutput(const Key& key) { return static_cast<size_t>(EVP_PKEY_get_size(key.pkey())); }

}  // namespace

Result<Bytes> RunSign(const Key& key, const PkeyUse& use, ByteSpan input, size_t max_size) {
  KC_ASSIGN(const EvpPkeyCtx context, key.Begin(use));
  Bytes signature(max_size);
  size_t size = signature.size();
  if (EVP_PKEY_sign(context.get(), signature.data(), &size, input.data(), input.size()) != 1) {
    return OpensslError("signing");
  }
  signature.resize(size);
  return signature;
}

Status RunVerify(const Key& key, const PkeyUse& use, ByteSpan input, ByteSpan signature) {
  KC_ASSIGN(const EvpPkeyCtx context, key.Begin(use));
  if (EVP_PKEY_verify(context.get(), signature.data(), signature.size(), input.data(),
                      input.size()) != 1) {
    ERR_clear_error();
    return Fail(Code::kSignatureInvalid);
  }
  return Done{};
}

Result<Bytes> RunVerifyRecover(const Key& key, int rsa_padding, ByteSpan signature) {
  const EvpPkeyCtx context(EVP_PKEY_CTX_new_from_pkey(Library(), key.pkey(), nullptr));
  if (context == nullptr || EVP_PKEY_verify_recover_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(context.get(), rsa_padding) != 1) {
    return OpensslError("setting up a key operation");
  }
  Bytes output(MaxOutput(key));
  size_t size = output.size();
  if (EVP_PKEY_verify_recover(context.get(), output.data(), &size, signature.data(),
                              signature.size()) != 1) {
    ERR_clear_error();
    return Fail(Code::kSignatureInvalid);
  }
  output.resize(size);
  return output;
}

Result<Bytes> RunEncrypt(const Key& key, const PkeyUse& use, ByteSpan input, ByteSpan label) {
  KC_ASSIGN(const EvpPkeyCtx context, key.Begin(use));
  KC_CHECK_OK(SetLabel(context.get(), label));
  Bytes output(MaxOutput(key));
  size_t size = output.size();
  if (EVP_PKEY_encrypt(context.get(), output.data(), &size, input.data(), input.size()) != 1) {
    return OpensslError("encrypting");
  }
  output.resize(size);
  return output;
}

Result<Bytes> RunDecrypt(const Key& key, const PkeyUse& use, ByteSpan input, ByteSpan label) {
  KC_ASSIGN(const EvpPkeyCtx context, key.Begin(use));
  KC_CHECK_OK(SetLabel(context.get(), label));
  Bytes output(MaxOutput(key));
  size_t size = output.size();
  // No detail: what was wrong with a ciphertext is what a padding oracle wants to hear.
  if (EVP_PKEY_decrypt(context.get(), output.data(), &size, input.data(), input.size()) != 1) {
    ERR_clear_error();
    return Fail(Code::kEncryptedDataInvalid);
  }
  output.resize(size);
  return output;
}

Result<SecretBytes> RunAgree(EVP_PKEY* own, EVP_PKEY* peer, bool cofactor) {
  const EvpPkeyCtx context(EVP_PKEY_CTX_new_from_pkey(Library(), own, nullptr));
  if (!context || EVP_PKEY_derive_init(context.get()) != 1 ||
      (cofactor && !SetCofactorMode(context.get()))) {
    return OpensslError("ECDH");
  }
  size_t size = 0;
  // X25519 and X448 refuse a peer whose secret would be zero (RFC 7748 §6.1).
  if (EVP_PKEY_derive_set_peer(context.get(), peer) != 1 ||
      EVP_PKEY_derive(context.get(), nullptr, &size) != 1) {
    return OpensslError(Code::kMechanismParamInvalid, "pPublicData");
  }
  SecretBytes secret(size);
  if (EVP_PKEY_derive(context.get(), secret.ExposeMutable(SecretAccess()).data(), &size) != 1) {
    return OpensslError(Code::kMechanismParamInvalid, "pPublicData");
  }
  secret.Truncate(size);
  return secret;
}

}  // namespace keyclave::mech
