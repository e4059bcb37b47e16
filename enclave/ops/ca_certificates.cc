#include "enclave/ops/ca_certificates.h"

namespace keyclave::ops {
namespace {

constexpr size_t kMaxCertificates = 16;  // of one CKA_ID, or of one name

std::vector<Bytes> StoredCertificates(Call& call, const keys::Object& key, uint64_t attribute,
                                      const Bytes& value) {
  wire::AttributeList match;
  match.SetUlong(CKA_CLASS, CKO_CERTIFICATE);
  match.Set(attribute, value);
  const auto stored = [](const keys::Object& object) { return object.session == 0; };
  std::vector<Bytes> found;
  for (const auto& object :
       call.service.store.Find(key.token, match, std::nullopt, kMaxCertificates, stored)) {
    const Bytes* der = object->attributes.Find(CKA_VALUE);
    if (der != nullptr) found.push_back(*der);
  }
  return found;
}

}  // namespace

std::vector<Bytes> CertificatesOf(Call& call, const keys::Object& key) {
  const Bytes* id = key.attributes.Find(CKA_ID);
  if (id == nullptr || id->empty()) return {};
  return StoredCertificates(call, key, CKA_ID, *id);
}

Result<mech::Issuer> IssuerOf(Call& call, const keys::Object& key) {
  KC_ASSIGN(const auto handle, call.service.store.OpenKey(key));
  KC_ASSIGN(const Bytes public_key_info, mech::PublicKeyInfo(*handle));
  KC_ASSIGN(mech::Issuer issuer,
            mech::Issuer::Choose(CertificatesOf(call, key), public_key_info, call.now));
  while (true) {
    KC_ASSIGN(const Bytes above, issuer.NameAbove());
    if (!issuer.AddAbove(StoredCertificates(call, key, CKA_SUBJECT, above))) return issuer;
  }
}

}  // namespace keyclave::ops
