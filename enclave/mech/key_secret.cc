// Secret keys: AES, AES-XTS and generic secrets (pkcs11-curr-v3.0 §2.8.2, §2.17.2, §2.6.2), and
// generic secrets that name their HMAC or HKDF.

#include <openssl/core_names.h>

#include "enclave/mech/aes.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/hash_alg.h"
#include "enclave/mech/key_type.h"
#include "enclave/mech/sm4.h"

namespace keyclave::mech {
namespace {

constexpr size_t kCheckValueSize = 3;

// "The key check value is computed by taking the first three bytes of the ECB encryption of a block
// of null (0x00) bytes, using the default cipher associated with the key type of the secret key
// object" (pkcs11-base-v3.0 §4.10.2).
Result<Bytes> AesCheckValue(ByteSpan key) {
  const ByteArray<kAesBlock> zeros{};
  KC_ASSIGN(Bytes block, AesTransform(AesMode::kEcb, true, key, {}, zeros));
  return block;
}

// "For generic secret key objects … the first three bytes of the SHA-1 hash of the generic secret
// key object's CKA_VALUE attribute" (pkcs11-curr-v3.0 §2.6.2).
Result<Bytes> GenericCheckValue(ByteSpan value) {
  return FindHash(&HashAlg::digest, CKM_SHA_1)->Digest(value);
}

Result<Bytes> CheckValue(uint64_t type, ByteSpan value) {
  if (type == CKK_AES) return AesCheckValue(value);
  return type == kCkkSm4 ? Sm4CheckValue(value) : GenericCheckValue(value);
}

}  // namespace

bool IsSecretKeyType(uint64_t type) {
  return type == CKK_AES || type == CKK_AES_XTS || type == CKK_GENERIC_SECRET || type == CKK_HKDF ||
         type == kCkkSm4 || FindHash(&HashAlg::hmac_key_type, type) != nullptr;
}

bool IsSecretSize(uint64_t type, size_t size) {
  if (type == CKK_AES) return IsAesKeySize(size);
  if (type == CKK_AES_XTS) return IsXtsKeySize(size);
  if (type == kCkkSm4) return size == kSm4KeySize;
  return IsSecretKeyType(type) && size >= 1 && size <= kMaxGenericSecret;
}

Result<NewKey> NewSecretKey(uint64_t type, SecretBytes value) {
  if (!IsSecretKeyType(type)) return Fail(Code::kAttributeValueInvalid, "CKA_KEY_TYPE");
  if (!IsSecretSize(type, value.size())) {
    return Fail(Code::kAttributeValueInvalid,
                "a secret key of " + std::to_string(value.size()) + " bytes");
  }
  const ByteSpan bytes = value.Expose(SecretAccess());
  KC_ASSIGN(Bytes check, CheckValue(type, bytes));
  check.resize(kCheckValueSize);
  NewKey made;
  made.attributes.SetUlong(CKA_KEY_TYPE, type);
  made.attributes.SetUlong(CKA_VALUE_LEN, value.size());
  made.attributes.Set(CKA_CHECK_VALUE, check);
  made.material = std::move(value);
  return made;
}

}  // namespace keyclave::mech
