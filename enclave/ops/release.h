// How a key leaves the enclave: wrapped for a public key that the caller's evidence names, or under
// a key of the token that never leaves.
#pragma once

#include "enclave/authz/wrap_forms.h"
#include "enclave/mech/release_form.h"
#include "enclave/ops/access.h"

namespace keyclave::ops {

// A public key of the caller's evidence.
struct Recipient {
  std::string name;
  ByteArray<32> spki{};  // SHA-256
  std::shared_ptr<const mech::Key> key;
};
// The release key with this SHA-256, and no other: kWrapRefused if the caller's evidence does not
// name it, kNotAttested if there is none.
Result<Recipient> FindRecipient(const Call& call, const ByteArray<32>& spki);

// The form that C_WrapKey with this key and mechanism is. kWrapRefused for a public key that the
// caller's evidence does not name, a mechanism without a form (PKCS#1 v1.5, SHA-1), and a secret
// key that its owner may know: the caller's own, or one that is extractable.
Result<authz::WrapForm> FormOfWrap(const Call& call, const keys::Object& wrapping_key,
                                   const mech::Key& key, const wire::Mechanism& mechanism);

// Whether the object may leave at all: kKeyUnextractable, kKeyNotWrappable.
Status CheckReleasable(const keys::Object& object, bool wrapped_by_trusted);

// PKCS#8 of a private key, the value of a secret key or data object.
Result<SecretBytes> SecretOf(const Call& call, const keys::Object& object);

}  // namespace keyclave::ops
