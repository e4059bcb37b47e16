// A key in use: OpenSSL handle or secret bytes, with the attributes that its mechanisms ask for.
// Immutable, shared.
#pragma once

#include <mutex>

#include "enclave/base/secret_bytes.h"
#include "enclave/mech/lane.h"
#include "enclave/mech/prepared_uses.h"
#include "enclave/wire/attributes.h"
#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::mech {

class Key {
 public:
  Key(uint64_t object_class, uint64_t key_type, EvpPkey pkey, SecretBytes secret)
      : object_class_(object_class),
        key_type_(key_type),
        pkey_(std::move(pkey)),
        secret_(std::move(secret)) {}
  uint64_t object_class() const {
    return object_class_;
  }  // CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKO_SECRET_KEY
  uint64_t key_type() const { return key_type_; }        // CKK_…
  EVP_PKEY* pkey() const { return pkey_.get(); }         // asymmetric keys
  const SecretBytes& secret() const { return secret_; }  // symmetric keys
  // A context for one use of an asymmetric key, set up as `use` says.
  Result<EvpPkeyCtx> Begin(const PkeyUse& use) const { return uses_.Begin(pkey_.get(), use); }
  // The parts of a private key that can sign in a group; nullptr: it signs alone. Taken apart when
  // first asked for.
  const LaneKey* lane() const {
    std::call_once(lane_once_, [this] {
      if (object_class_ == CKO_PRIVATE_KEY) lane_ = MakeLaneKey(pkey_.get());
    });
    return lane_.get();
  }

 private:
  uint64_t object_class_;
  uint64_t key_type_;
  EvpPkey pkey_;
  SecretBytes secret_;
  PreparedUses uses_;
  mutable std::once_flag lane_once_;
  mutable std::unique_ptr<const LaneKey> lane_;
};

// Key material at rest: PKCS#8 DER of a private key, the bytes of a secret key; empty for a public
// key, which is made from its attributes. kKeyFileInvalid, kAttributeValueInvalid,
// kCurveUnsupported.
Result<std::shared_ptr<const Key>> LoadKey(const wire::AttributeList& attributes,
                                           const SecretBytes& material);

// What a new key is made of: for key pairs `attributes` are the public ones (CKA_MODULUS,
// CKA_EC_POINT, …) that the public key object gets and CKA_PUBLIC_KEY_INFO; the private object
// shares those that PKCS#11 gives it.
struct NewKey {
  wire::AttributeList attributes;
  SecretBytes material;
};

// Key material from the attributes of a C_CreateObject template (CKA_PRIVATE_EXPONENT and primes,
// CKA_VALUE; a public key has no material, only attributes), or from PKCS#8 (DER). The template's
// secret attributes are not in the result's `attributes`. kTemplateIncomplete,
// kAttributeValueInvalid, kCurveUnsupported, kDomainParamsInvalid; kKeyFileInvalid, kKeySizeRange.
Result<NewKey> MaterialFromTemplate(const wire::AttributeList& attributes);
Result<NewKey> MaterialFromPkcs8(ByteSpan der);
// The secret attributes of a key (CKA_VALUE, CKA_PRIVATE_EXPONENT, …), for the few callers that may
// read or wrap them.
Result<wire::AttributeList> SecretAttributes(const Key& key);
// A public key that somebody names by its SubjectPublicKeyInfo (DER), checked as if it had come as
// attributes. kKeyFileInvalid, kAttributeValueInvalid, kCurveUnsupported.
Result<std::shared_ptr<const Key>> PublicKeyFromInfo(ByteSpan der);
// SubjectPublicKeyInfo, DER.
Result<Bytes> PublicKeyInfo(const Key& key);

}  // namespace keyclave::mech
