#include "enclave/ops/input_check.h"

#include "enclave/guard/check.h"
#include "enclave/mech/certificate.h"

namespace keyclave::ops {
namespace {

constexpr size_t kMaxCertificates = 16;  // of one CKA_ID

// The names that the CA's own certificates give it. Certificates of sessions do not count: any
// caller may make those.
std::vector<Bytes> IssuersOf(Call& call, const keys::Object& key, ByteSpan public_key_info) {
  std::vector<Bytes> names;
  const Bytes* id = key.attributes.Find(CKA_ID);
  if (id == nullptr || id->empty()) return names;
  wire::AttributeList match;
  match.SetUlong(CKA_CLASS, CKO_CERTIFICATE);
  match.Set(CKA_ID, *id);
  const auto stored = [](const keys::Object& object) { return object.session == 0; };
  for (const keys::ObjectPtr& object :
       call.service.store.Find(key.token, match, std::nullopt, kMaxCertificates, stored)) {
    const Bytes* der = object->attributes.Find(CKA_VALUE);
    if (der == nullptr) continue;
    auto facts = mech::ReadCertificate(*der);
    if (facts.ok() && Equal(facts->public_key_info, public_key_info))
      names.push_back(std::move(facts->subject));
  }
  return names;
}

}  // namespace

Status CheckSignInput(Call& call, const keys::Object& key, const wire::Mechanism& mechanism,
                      ByteSpan message, const authz::InputRule& rule) {
  KC_ASSIGN(const mech::MechEntry entry, mech::FindMechanism(mechanism.type));
  Bytes public_key_info;
  std::vector<Bytes> issuers;
  // Only the forms of X.509 ask for them.
  const bool issues = rule.Has(authz::InputForm::kX509Tbs) || rule.Has(authz::InputForm::kX509Crl);
  if (issues || rule.Has(authz::InputForm::kX509Csr)) {
    KC_ASSIGN(const auto handle, call.service.store.OpenKey(key));
    KC_ASSIGN(public_key_info, mech::PublicKeyInfo(*handle));
    if (issues) issuers = IssuersOf(call, key, public_key_info);
  }
  return guard::CheckInput(rule, message,
                           {.row = *entry.row,
                            .mechanism = mechanism,
                            .public_key_info = public_key_info,
                            .issuers = issuers,
                            .now = call.now});
}

}  // namespace keyclave::ops
