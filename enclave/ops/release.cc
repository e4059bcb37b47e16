#include "enclave/ops/release.h"

#include "enclave/base/hash.h"

namespace keyclave::ops {
using authz::WrapForm;

Result<Recipient> FindRecipient(const Call& call, const ByteArray<32>& spki) {
  const auto& identity = call.identity;
  if (!identity->attested) return Fail(Code::kNotAttested);  // the caller comes back with evidence
  for (const wire::ReleaseKey& key : identity->release_keys) {
    if (Sha256(key.spki) != spki) continue;
    auto parsed = mech::PublicKeyFromInfo(key.spki);
    if (!parsed.ok()) return Fail(Code::kWrapRefused, key.name + ": " + parsed.error().Text());
    return Recipient{.name = key.name, .spki = spki, .key = *std::move(parsed)};
  }
  return Fail(Code::kWrapRefused, "the caller's evidence does not name the recipient's key");
}

Result<WrapForm> FormOfWrap(const Call& call, const keys::Object& wrapping_key,
                            const mech::Key& key, const wire::Mechanism& mechanism) {
  if (wrapping_key.Class() == CKO_SECRET_KEY) {
    const bool stays =
        wrapping_key.session == 0 && !wrapping_key.attributes.IsTrue(CKA_EXTRACTABLE);
    if (stays) return WrapForm::kTokenKey;
    return Fail(Code::kWrapRefused,
                "a secret key wraps another one only if it is the token's and not extractable");
  }
  KC_ASSIGN(const Bytes info, mech::PublicKeyInfo(key));
  KC_ASSIGN(const Recipient recipient, FindRecipient(call, Sha256(info)));
  static_cast<void>(recipient);
  const mech::ReleaseForm* form = mech::FormOfMechanism(mechanism);
  const auto named = form == nullptr ? std::nullopt : authz::ParseWrapForm(form->name);
  if (!named.has_value()) {
    return Fail(Code::kWrapRefused,
                "keys are released with SHA-256 or SHA-384, in both of OAEP's hash functions");
  }
  return *named;
}

Status CheckReleasable(const keys::Object& object, bool wrapped_by_trusted) {
  if (object.Class() == CKO_DATA) return Done{};
  if (object.Class() != CKO_SECRET_KEY && object.Class() != CKO_PRIVATE_KEY)
    return Fail(Code::kKeyNotWrappable);
  if (!object.attributes.IsTrue(CKA_EXTRACTABLE)) return Fail(Code::kKeyUnextractable);
  if (object.attributes.IsTrue(CKA_WRAP_WITH_TRUSTED) && !wrapped_by_trusted)
    return Fail(Code::kKeyNotWrappable, "the key asks for a trusted wrapping key");
  return Done{};
}

Result<SecretBytes> SecretOf(const Call& call, const keys::Object& object) {
  if (object.Class() == CKO_DATA) {
    const Bytes* value = object.attributes.Find(CKA_VALUE);
    return SecretBytes::CopyOf(value == nullptr ? ByteSpan() : ByteSpan(*value));
  }
  KC_ASSIGN(const auto key, call.service.store.OpenKey(object));
  return mech::EncodeForWrap(*key);
}

}  // namespace keyclave::ops
