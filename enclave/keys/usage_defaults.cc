#include "enclave/keys/usage_defaults.h"

#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::keys {
namespace {

constexpr uint64_t kUsages[] = {CKA_ENCRYPT, CKA_DECRYPT,        CKA_SIGN,       CKA_SIGN_RECOVER,
                                CKA_VERIFY,  CKA_VERIFY_RECOVER, CKA_WRAP,       CKA_UNWRAP,
                                CKA_DERIVE,  CKA_ENCAPSULATE,    CKA_DECAPSULATE};

bool ClassHas(uint64_t object_class, uint64_t usage) {
  switch (usage) {
    case CKA_ENCRYPT:
    case CKA_VERIFY:
    case CKA_WRAP: return object_class != CKO_PRIVATE_KEY;
    case CKA_DECRYPT:
    case CKA_SIGN:
    case CKA_UNWRAP: return object_class != CKO_PUBLIC_KEY;
    case CKA_DECAPSULATE:
    case CKA_SIGN_RECOVER: return object_class == CKO_PRIVATE_KEY;
    case CKA_ENCAPSULATE:
    case CKA_VERIFY_RECOVER: return object_class == CKO_PUBLIC_KEY;
    default: return true;
  }
}

bool TypeIsFor(uint64_t key_type, uint64_t usage) {
  const bool signature = usage == CKA_SIGN || usage == CKA_VERIFY;
  const bool secrecy =
      usage == CKA_ENCRYPT || usage == CKA_DECRYPT || usage == CKA_WRAP || usage == CKA_UNWRAP;
  switch (key_type) {
    case CKK_RSA:
    case CKK_AES: return signature || secrecy;
    case kCkkSm4:
    case CKK_AES_XTS: return usage == CKA_ENCRYPT || usage == CKA_DECRYPT;
    case CKK_EC_MONTGOMERY:
    case CKK_HKDF: return usage == CKA_DERIVE;
    case CKK_ML_KEM: return usage == CKA_ENCAPSULATE || usage == CKA_DECAPSULATE;
    default: return signature;
  }
}

}  // namespace

bool PrivateByDefault(uint64_t object_class) {
  return object_class == CKO_PRIVATE_KEY || object_class == CKO_SECRET_KEY ||
         object_class == CKO_DATA;
}

void AddUsageDefaults(const wire::AttributeList& requested, uint64_t object_class,
                      uint64_t key_type, wire::AttributeList& object) {
  if (object_class != CKO_PUBLIC_KEY && object_class != CKO_PRIVATE_KEY &&
      object_class != CKO_SECRET_KEY) {
    return;
  }
  for (const uint64_t usage : kUsages) {
    if (!ClassHas(object_class, usage) || requested.Has(usage)) continue;
    object.SetBool(usage, TypeIsFor(key_type, usage));
  }
}

}  // namespace keyclave::keys
