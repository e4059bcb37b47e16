#include "enclave/mech/kem_run.h"

#include <openssl/err.h>
#include <openssl/rand.h>

#include "enclave/mech/aes.h"
#include "enclave/mech/evp.h"

namespace keyclave::mech {
namespace {

Result<EvpPkeyCtx> Begin(const Key& key, const char* operation,
                         int (*init)(EVP_PKEY_CTX*, const OSSL_PARAM[])) {
  EvpPkeyCtx context(EVP_PKEY_CTX_new_from_pkey(Library(), key.pkey(), nullptr));
  if (context == nullptr || init(context.get(), nullptr) != 1 ||
      (operation != nullptr && EVP_PKEY_CTX_set_kem_op(context.get(), operation) != 1)) {
    return OpensslError("key encapsulation");
  }
  return context;
}

Status CheckSize(size_t wanted, size_t given) {
  if (wanted == 0 || wanted == given) return Done{};
  return Fail(Code::kTemplateInconsistent,
              "CKA_VALUE_LEN: the mechanism gives " + std::to_string(given) + " bytes");
}

}  // namespace

Result<Encapsulated> RunEncapsulate(const Key& key, const char* operation, size_t size) {
  KC_ASSIGN(const EvpPkeyCtx context, Begin(key, operation, EVP_PKEY_encapsulate_init));
  size_t ciphertext_size = 0;
  size_t secret_size = 0;
  if (EVP_PKEY_encapsulate(context.get(), nullptr, &ciphertext_size, nullptr, &secret_size) != 1) {
    return OpensslError("encapsulating");
  }
  KC_CHECK_OK(CheckSize(size, secret_size));
  Encapsulated made{Bytes(ciphertext_size), SecretBytes(secret_size)};
  if (EVP_PKEY_encapsulate(context.get(), made.ciphertext.data(), &ciphertext_size,
                           made.secret.ExposeMutable(SecretAccess()).data(), &secret_size) != 1) {
    return OpensslError("encapsulating");
  }
  made.ciphertext.resize(ciphertext_size);
  made.secret.Truncate(secret_size);
  return made;
}

Result<SecretBytes> RunDecapsulate(const Key& key, const char* operation, ByteSpan ciphertext,
                                   size_t size) {
  KC_ASSIGN(const EvpPkeyCtx context, Begin(key, operation, EVP_PKEY_decapsulate_init));
  size_t secret_size = 0;
  if (EVP_PKEY_decapsulate(context.get(), nullptr, &secret_size, ciphertext.data(),
                           ciphertext.size()) != 1) {
    ERR_clear_error();
    return Fail(Code::kEncryptedDataInvalid);
  }
  KC_CHECK_OK(CheckSize(size, secret_size));
  SecretBytes secret(secret_size);
  if (EVP_PKEY_decapsulate(context.get(), secret.ExposeMutable(SecretAccess()).data(), &secret_size,
                           ciphertext.data(), ciphertext.size()) != 1) {
    ERR_clear_error();
    return Fail(Code::kEncryptedDataInvalid);
  }
  secret.Truncate(secret_size);
  return secret;
}

Result<Encapsulated> EncapsulateRandom(CipherFunction encrypt, const Key& key,
                                       const wire::Mechanism& mechanism, size_t size) {
  if (size == 0) return Fail(Code::kTemplateIncomplete, "CKA_VALUE_LEN");
  if (size > kMaxGenericSecret) return Fail(Code::kKeySizeRange);
  SecretBytes secret(size);
  if (RAND_priv_bytes_ex(Library(), secret.ExposeMutable(SecretAccess()).data(), size, 0) != 1) {
    return OpensslError("a random secret");
  }
  KC_ASSIGN(Bytes ciphertext, encrypt(key, mechanism, secret.Expose(SecretAccess())));
  return Encapsulated{std::move(ciphertext), std::move(secret)};
}

Result<SecretBytes> DecapsulateRandom(CipherFunction decrypt, const Key& key,
                                      const wire::Mechanism& mechanism, ByteSpan ciphertext,
                                      size_t size) {
  KC_ASSIGN(Bytes opened, decrypt(key, mechanism, ciphertext));
  SecretBytes secret = SecretBytes::Take(opened);
  // As any other ciphertext that does not open: the secret's length is not the caller's to try out.
  if (size != 0 && secret.size() != size) return Fail(Code::kEncryptedDataInvalid);
  return secret;
}

}  // namespace keyclave::mech
