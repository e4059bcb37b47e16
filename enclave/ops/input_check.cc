#include "enclave/ops/input_check.h"

#include "enclave/guard/check.h"
#include "enclave/mech/certificate.h"
#include "enclave/ops/ca_certificates.h"

namespace keyclave::ops {
namespace {

// The names that the CA's own certificates give it.
std::vector<Bytes> IssuersOf(Call& call, const keys::Object& key, ByteSpan public_key_info) {
  std::vector<Bytes> names;
  for (const Bytes& der : CertificatesOf(call, key)) {
    auto facts = mech::ReadCertificate(der);
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
  const bool issues = rule.Has(authz::InputForm::kX509Tbs) ||
                      rule.Has(authz::InputForm::kX509Crl) || rule.Has(authz::InputForm::kX509Ocsp);
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
