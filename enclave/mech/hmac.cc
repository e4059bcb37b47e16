// HMAC (pkcs11-curr-v3.0 §2.12 and its siblings): over generic secrets and over keys of the hash's
// own HMAC type. CKM_…_HMAC_GENERAL's parameter is the length of the tag: a CK_ULONG as it lies in
// memory.

#include <openssl/core_names.h>

#include <cstdlib>

#include "enclave/base/byte_reader.h"
#include "enclave/mech/aes.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/families.h"
#include "enclave/mech/hash_alg.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {CKM_SHA_1_HMAC, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA224_HMAC, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA256_HMAC, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA384_HMAC, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA512_HMAC, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA3_224_HMAC, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA3_256_HMAC, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA3_384_HMAC, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA3_512_HMAC, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA_1_HMAC_GENERAL, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA224_HMAC_GENERAL, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA256_HMAC_GENERAL, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA384_HMAC_GENERAL, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA512_HMAC_GENERAL, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA3_224_HMAC_GENERAL, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA3_256_HMAC_GENERAL, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA3_384_HMAC_GENERAL, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
    {CKM_SHA3_512_HMAC_GENERAL, 1, kMaxGenericSecret, kFlagSign, SignInput::kMessage},
};

constexpr size_t kHashes = 9;
using Contexts = std::array<EVP_MAC_CTX*, kHashes>;

// One context per hash with the hash set, so that no operation searches by name.
Contexts MakeContexts() {
  Contexts contexts{};
  EVP_MAC* mac = EVP_MAC_fetch(Library(), "HMAC", nullptr);
  if (mac == nullptr) std::abort();
  const std::span<const HashAlg> hashes = AllHashes();
  for (size_t i = 0; i < hashes.size(); ++i) {
    std::string name = hashes[i].name;
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name.data(), name.size()),
        OSSL_PARAM_construct_end()};
    contexts.at(i) = EVP_MAC_CTX_new(mac);
    if (EVP_MAC_CTX_set_params(contexts.at(i), params) != 1) std::abort();
  }
  return contexts;
}

Result<EvpMacCtx> NewContext(const HashAlg& hash) {
  static const Contexts contexts = MakeContexts();
  EvpMacCtx copy(EVP_MAC_CTX_dup(contexts.at(static_cast<size_t>(&hash - AllHashes().data()))));
  if (copy == nullptr) return OpensslError("HMAC");
  return copy;
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
  KC_ASSIGN(const ByteSpan param, ExpectBytes(mechanism, sizeof(uint64_t)));
  KC_ASSIGN(const uint64_t length, ByteReader(param).TakeLe<uint64_t>());
  if (length < 1 || length > hmac.hash->size) {
    return Fail(Code::kMechanismParamInvalid, "the length of the tag");
  }
  hmac.tag_size = length;
  return hmac;
}

Result<Bytes> Sign(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const Hmac hmac, Prepare(key, mechanism));
  KC_ASSIGN(const EvpMacCtx context, NewContext(*hmac.hash));
  const ByteSpan secret = key.secret().Expose(SecretAccess());
  Bytes tag(hmac.hash->size);
  size_t size = 0;
  if (EVP_MAC_init(context.get(), secret.data(), secret.size(), nullptr) != 1 ||
      EVP_MAC_update(context.get(), input.data(), input.size()) != 1 ||
      EVP_MAC_final(context.get(), tag.data(), &size, tag.size()) != 1 || size != tag.size()) {
    return OpensslError("HMAC");
  }
  tag.resize(hmac.tag_size);
  return tag;
}

Status Verify(const Key& key, const wire::Mechanism& mechanism, ByteSpan input,
              ByteSpan signature) {
  KC_ASSIGN(const Bytes tag, Sign(key, mechanism, input));
  if (signature.size() != tag.size()) return Fail(Code::kSignatureLenRange);
  if (!EqualConstantTime(tag, signature)) return Fail(Code::kSignatureInvalid);
  return Done{};
}

}  // namespace

constinit const MechFamily kHmacFamily = {
    .name = "hmac",
    .rows = kRows,
    .sign = Sign,
    .verify = Verify,
};

}  // namespace keyclave::mech
