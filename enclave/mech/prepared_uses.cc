#include "enclave/mech/prepared_uses.h"

#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include "enclave/mech/evp.h"

namespace keyclave::mech {
namespace {

int Init(EVP_PKEY_CTX* context, PkeyVerb verb) {
  switch (verb) {
    case PkeyVerb::kSign: return EVP_PKEY_sign_init(context);
    case PkeyVerb::kVerify: return EVP_PKEY_verify_init(context);
    case PkeyVerb::kEncrypt: return EVP_PKEY_encrypt_init(context);
    case PkeyVerb::kDecrypt: return EVP_PKEY_decrypt_init(context);
  }
  return 0;
}

bool SetTlsVersions(EVP_PKEY_CTX* context, const PkeyUse& use) {
  unsigned client = use.tls_client_version;
  unsigned negotiated = use.tls_negotiated_version;
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_uint(OSSL_ASYM_CIPHER_PARAM_TLS_CLIENT_VERSION, &client),
      OSSL_PARAM_construct_uint(OSSL_ASYM_CIPHER_PARAM_TLS_NEGOTIATED_VERSION, &negotiated),
      OSSL_PARAM_construct_end()};
  return EVP_PKEY_CTX_set_params(context, params) == 1;
}

bool Configure(EVP_PKEY_CTX* context, const PkeyUse& use) {
  const bool cipher = use.verb == PkeyVerb::kEncrypt || use.verb == PkeyVerb::kDecrypt;
  if (use.rsa_padding != 0 && EVP_PKEY_CTX_set_rsa_padding(context, use.rsa_padding) != 1) {
    return false;
  }
  if (use.md != nullptr && (cipher ? EVP_PKEY_CTX_set_rsa_oaep_md(context, use.md)
                                   : EVP_PKEY_CTX_set_signature_md(context, use.md)) != 1) {
    return false;
  }
  if (use.mgf != nullptr && EVP_PKEY_CTX_set_rsa_mgf1_md(context, use.mgf) != 1) return false;
  if (use.pss_salt_length >= 0 &&
      EVP_PKEY_CTX_set_rsa_pss_saltlen(context, use.pss_salt_length) != 1) {
    return false;
  }
  return use.tls_client_version == 0 || SetTlsVersions(context, use);
}

Result<EvpPkeyCtx> SetUp(EVP_PKEY* pkey, const PkeyUse& use) {
  EvpPkeyCtx context(EVP_PKEY_CTX_new_from_pkey(Library(), pkey, nullptr));
  if (context == nullptr || Init(context.get(), use.verb) != 1 || !Configure(context.get(), use)) {
    return OpensslError("setting up a key operation");
  }
  return context;
}

}  // namespace

PreparedUses::~PreparedUses() {
  for (std::atomic<const Prepared*>& slot : slots_) delete slot.load(std::memory_order_acquire);
}

Result<EvpPkeyCtx> PreparedUses::Begin(EVP_PKEY* pkey, const PkeyUse& use) const {
  std::atomic<const Prepared*>* free_slot = nullptr;
  for (std::atomic<const Prepared*>& slot : slots_) {
    const Prepared* prepared = slot.load(std::memory_order_acquire);
    if (prepared == nullptr) {
      free_slot = &slot;
      break;
    }
    if (prepared->use == use) {
      EvpPkeyCtx copy(EVP_PKEY_CTX_dup(prepared->context.get()));
      if (copy == nullptr) return OpensslError("copying a key operation");
      return copy;
    }
  }
  KC_ASSIGN(EvpPkeyCtx context, SetUp(pkey, use));
  if (free_slot == nullptr) return context;
  EvpPkeyCtx kept(EVP_PKEY_CTX_dup(context.get()));
  if (kept == nullptr) return OpensslError("copying a key operation");
  auto prepared = std::make_unique<const Prepared>(Prepared{use, std::move(kept)});
  const Prepared* expected = nullptr;
  // Another thread may have filled the slot meanwhile: then this copy is not kept.
  if (free_slot->compare_exchange_strong(expected, prepared.get(), std::memory_order_acq_rel)) {
    (void)prepared.release();
  }
  return context;
}

}  // namespace keyclave::mech
