// Use of keys: sign, verify, encrypt, decrypt, wrap.

#include "enclave/base/byte_reader.h"
#include "enclave/keys/key_templates.h"
#include "enclave/ops/handlers.h"
#include "enclave/ops/release.h"

namespace keyclave::ops {
namespace {

// CKA_ALLOWED_MECHANISMS, a list of CK_MECHANISM_TYPE; absent or empty: any.
Status CheckAllowedMechanisms(const keys::Object& key, uint64_t mechanism) {
  const Bytes* allowed = key.attributes.Find(CKA_ALLOWED_MECHANISMS);
  if (allowed == nullptr || allowed->empty()) return Done{};
  ByteReader reader(*allowed);
  while (reader.remaining() >= sizeof(uint64_t)) {
    KC_ASSIGN(const uint64_t type, reader.TakeLe<uint64_t>());
    if (type == mechanism) return Done{};
  }
  return Fail(Code::kMechanismInvalid, "the key's CKA_ALLOWED_MECHANISMS leaves it out");
}

}  // namespace

Result<mech::MechEntry> CheckKeyUse(const keys::Object& key, const wire::Mechanism& mechanism,
                                    uint64_t flag, uint64_t usage_attribute) {
  KC_ASSIGN(const mech::MechEntry entry, mech::FindMechanism(mechanism.type));
  if ((entry.row->flags & flag) == 0)
    return Fail(Code::kMechanismInvalid, "the mechanism does not do this");
  if (!key.attributes.IsTrue(usage_attribute)) return Fail(Code::kKeyFunctionNotPermitted);
  KC_CHECK_OK(CheckAllowedMechanisms(key, mechanism.type));
  return entry;
}

ReplyOf<Op::kSign> Sign(Call& call, const wire::SignRequest& request, const AuthorizedObject& key) {
  KC_ASSIGN(const mech::MechEntry entry,
            CheckKeyUse(key.object(), request.mechanism, CKF_SIGN, CKA_SIGN));
  KC_ASSIGN(const auto handle, call.service.store.OpenKey(key.object()));
  if (call.batch != nullptr && call.batch->Takes(entry, *handle)) {
    call.joined = call.batch->Add(entry, handle, request.mechanism, request.input);
    return wire::OutputReply{};
  }
  KC_ASSIGN(Bytes signature, entry.family->sign(*handle, request.mechanism, request.input));
  return wire::OutputReply{std::move(signature)};
}

ReplyOf<Op::kVerify> Verify(Call& call, const wire::VerifyRequest& request,
                            const AuthorizedObject& key) {
  KC_ASSIGN(const mech::MechEntry entry,
            CheckKeyUse(key.object(), request.mechanism, CKF_VERIFY, CKA_VERIFY));
  KC_ASSIGN(const auto handle, call.service.store.OpenKey(key.object()));
  KC_CHECK_OK(entry.family->verify(*handle, request.mechanism, request.input, request.signature));
  return wire::Empty{};
}

ReplyOf<Op::kSignRecover> SignRecover(Call& call, const wire::SignRecoverRequest& request,
                                      const AuthorizedObject& key) {
  KC_ASSIGN(const mech::MechEntry entry,
            CheckKeyUse(key.object(), request.mechanism, CKF_SIGN_RECOVER, CKA_SIGN_RECOVER));
  KC_ASSIGN(const auto handle, call.service.store.OpenKey(key.object()));
  KC_ASSIGN(Bytes signature, entry.family->sign(*handle, request.mechanism, request.input));
  return wire::OutputReply{std::move(signature)};
}

ReplyOf<Op::kVerifyRecover> VerifyRecover(Call& call, const wire::VerifyRecoverRequest& request,
                                          const AuthorizedObject& key) {
  KC_ASSIGN(const mech::MechEntry entry,
            CheckKeyUse(key.object(), request.mechanism, CKF_VERIFY_RECOVER, CKA_VERIFY_RECOVER));
  KC_ASSIGN(const auto handle, call.service.store.OpenKey(key.object()));
  KC_ASSIGN(Bytes data, entry.family->verify_recover(*handle, request.mechanism, request.input));
  return wire::OutputReply{std::move(data)};
}

ReplyOf<Op::kDigest> Digest(Call& /*call*/, const wire::DigestRequest& request,
                            const Anyone::Proof& /*proof*/) {
  KC_ASSIGN(const mech::MechEntry entry, mech::FindMechanism(request.mechanism));
  if ((entry.row->flags & CKF_DIGEST) == 0)
    return Fail(Code::kMechanismInvalid, "the mechanism does not do this");
  wire::Mechanism mechanism;
  mechanism.type = request.mechanism;
  KC_ASSIGN(Bytes digest, entry.family->digest(mechanism, request.input));
  return wire::OutputReply{std::move(digest)};
}

ReplyOf<Op::kEncrypt> Encrypt(Call& call, const wire::EncryptRequest& request,
                              const AuthorizedObject& key) {
  KC_ASSIGN(const mech::MechEntry entry,
            CheckKeyUse(key.object(), request.mechanism, CKF_ENCRYPT, CKA_ENCRYPT));
  KC_ASSIGN(const auto handle, call.service.store.OpenKey(key.object()));
  KC_ASSIGN(Bytes ciphertext, entry.family->encrypt(*handle, request.mechanism, request.input));
  return wire::OutputReply{std::move(ciphertext)};
}

ReplyOf<Op::kDecrypt> Decrypt(Call& call, const wire::DecryptRequest& request,
                              const AuthorizedObject& key) {
  KC_ASSIGN(const mech::MechEntry entry,
            CheckKeyUse(key.object(), request.mechanism, CKF_DECRYPT, CKA_DECRYPT));
  KC_ASSIGN(const auto handle, call.service.store.OpenKey(key.object()));
  KC_ASSIGN(Bytes plaintext, entry.family->decrypt(*handle, request.mechanism, request.input));
  return wire::OutputReply{std::move(plaintext)};
}

// A key leaves the enclave only wrapped, only if it is extractable, and only where its own policy
// grants `release` in this form. What the caller made itself, in its own session, is its own to
// give.
ReplyOf<Op::kWrapKey> WrapKey(Call& call, const wire::WrapKeyRequest& request,
                              const AuthorizedObject& wrapping_key) {
  const keys::Object& wrapping = wrapping_key.object();
  KC_ASSIGN(const mech::MechEntry entry,
            CheckKeyUse(wrapping, request.mechanism, CKF_WRAP, CKA_WRAP));
  KC_ASSIGN(const auto handle, call.service.store.OpenKey(wrapping));
  const auto form = FormOfWrap(call, wrapping, *handle, request.mechanism);
  UseOf release{.operation = authz::Operation::kRelease,
                .family = entry.family->name,
                .mechanism = &request.mechanism};
  if (form.ok()) release.form = *form;
  KC_ASSIGN(const AuthorizedObject target, AuthorizeUse(call, request.key, release));
  const keys::Object& object = target.object();
  if (object.session == 0 && !form.ok()) return form.error();
  if (object.Class() == CKO_DATA) return Fail(Code::kKeyNotWrappable, "a data object is no key");
  KC_CHECK_OK(CheckReleasable(object, wrapping.attributes.IsTrue(CKA_TRUSTED)));
  KC_CHECK_OK(keys::CheckWrapTemplate(wrapping.attributes, object.attributes));
  KC_ASSIGN(const auto target_handle, call.service.store.OpenKey(object));
  KC_ASSIGN(Bytes wrapped, mech::WrapKey(entry, *handle, request.mechanism, *target_handle));
  call.audit_fields = {{"object", ToHex(object.id)},
                       {"policy", object.policy},
                       {"under", ToHex(wrapping.id)},
                       {"form", std::string(form.ok() ? WrapFormName(*form) : "own")}};
  return wire::OutputReply{std::move(wrapped)};
}

}  // namespace keyclave::ops
