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

}  // namespace keyclave::mech
