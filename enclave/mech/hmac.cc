// HMAC (pkcs11-curr-v3.0 §2.12 and its siblings): over generic secrets and over keys of the hash's
// own HMAC type. CKM_…_HMAC_GENERAL's parameter is the length of the tag: a CK_ULONG as it lies in
// memory.

#include <openssl/core_names.h>

#include <cstdlib>

#include "enclave/mech/aes.h"
#include "enclave/mech/families.h"
#include "enclave/mech/hash_alg.h"
#include "enclave/mech/mac_run.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {CKM_SHA_1_HMAC, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA224_HMAC, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA256_HMAC, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA384_HMAC, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA512_HMAC, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA512_224_HMAC, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA512_256_HMAC, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA3_224_HMAC, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA3_256_HMAC, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA3_384_HMAC, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA3_512_HMAC, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA_1_HMAC_GENERAL, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA224_HMAC_GENERAL, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA256_HMAC_GENERAL, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA384_HMAC_GENERAL, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA512_HMAC_GENERAL, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA512_224_HMAC_GENERAL, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA512_256_HMAC_GENERAL, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA3_224_HMAC_GENERAL, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA3_256_HMAC_GENERAL, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA3_384_HMAC_GENERAL, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA3_512_HMAC_GENERAL, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {kCkmSm3Hmac, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {kCkmSm3HmacGeneral, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
};

using Contexts = std::array<EvpMacCtx, 16>;

// One context per hash with the hash set, so that no operation searches by name.
Contexts MakeContexts() {
  Contexts contexts{};
  EVP_MAC* mac = FetchMac("HMAC");
  const std::span<const HashAlg> hashes = AllHashes();
  for (size_t i = 0; i < hashes.size(); ++i) {
    contexts.at(i) = NewMac(mac, OSSL_MAC_PARAM_DIGEST, hashes[i].name);
    if (contexts.at(i) == nullptr) std::abort();
  }
  return contexts;
}

EvpMacCtx NewContext(const HashAlg& hash) {
  static const Contexts& contexts = *new Contexts(MakeContexts());
  const EvpMacCtx& prepared = contexts.at(static_cast<size_t>(&hash - AllHashes().data()));
  return EvpMacCtx(EVP_MAC_CTX_dup(prepared.get()));
}

struct Hmac {
  const HashAlg* hash = nullptr;
  size_t tag_size = 0;
};

Result<Hmac> Prepare(const Key& key, const wire::Mechanism& mechanism) {
  Hmac hmac;
  hmac.hash = FindHash(&HashAlg::hmac, mechanism.type);
  const bool general = hmac.hash == nullptr;
  if (general) hmac.hash = FindHash(&HashAlg::hmac_general, mechanism.type);
  if (hmac.hash == nullptr) return Fail(Code::kMechanismInvalid);
  if (key.object_class() != CKO_SECRET_KEY ||
      (key.key_type() != CKK_GENERIC_SECRET && key.key_type() != hmac.hash->hmac_key_type)) {
    return Fail(Code::kKeyTypeInconsistent);
  }
  hmac.tag_size = hmac.hash->size;
  if (!general) {
    KC_CHECK_OK(ExpectNoParam(mechanism));
    return hmac;
  }
  KC_ASSIGN(hmac.tag_size, ExpectTagSize(mechanism, hmac.hash->size));
  return hmac;
}

Result<Bytes> Sign(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const Hmac hmac, Prepare(key, mechanism));
  KC_ASSIGN(Bytes tag, RunMac(NewContext(*hmac.hash), key.secret().Expose(SecretAccess()), {},
                              input, hmac.hash->size));
  tag.resize(hmac.tag_size);
  return tag;
}

}  // namespace

constinit const MechFamily kHmacFamily = {
    .name = "hmac",
    .rows = kRows,
    .sign = Sign,
    .verify = VerifyMac<Sign>,
};

}  // namespace keyclave::mech
