// Certificates: their extensions.

#include <span>

#include "enclave/guard/der.h"
#include "enclave/guard/x509.h"
#include "enclave/mech/issue.h"

namespace keyclave::guard {
namespace {

using authz::X509Constraints;
using mech::Owned;

// Those of RFC 5280 that say nothing about whose certificate it is, and their later companions.
// Beside them, the ones that are read below; any other may mean anything to somebody, and is for
// the policy to name.
constexpr int kHarmless[] = {NID_subject_key_identifier,
                             NID_authority_key_identifier,
                             NID_certificate_policies,
                             NID_policy_mappings,
                             NID_policy_constraints,
                             NID_inhibit_any_policy,
                             NID_name_constraints,
                             NID_crl_distribution_points,
                             NID_freshest_crl,
                             NID_info_access,
                             NID_tlsfeature,
                             NID_ct_precert_scts,
                             NID_netscape_comment};

Error Refuse(std::string what) { return Fail(Code::kInputRefused, std::move(what)); }

std::string OidText(const ASN1_OBJECT* object) {
  char text[128] = "";
  const int size = OBJ_obj2txt(text, sizeof(text), object, /*no_name=*/1);
  return size > 0 && static_cast<size_t>(size) < sizeof(text) ? text : "an unreadable identifier";
}

// The extension's value as OpenSSL reads it; null if there is no such extension.
template <class Owner>
Result<Owner> Read(const X509* certificate, int nid) {
  int found = 0;  // -1: none
  Owner value(
      static_cast<typename Owner::pointer>(X509_get_ext_d2i(certificate, nid, &found, nullptr)));
  if (value == nullptr && found != -1) {
    return mech::OpensslError(Code::kInputRefused, std::string("the extension ") + OBJ_nid2sn(nid));
  }
  return value;
}

bool IsRead(int nid) {
  return nid == NID_basic_constraints || nid == NID_key_usage || nid == NID_ext_key_usage ||
         nid == NID_subject_alt_name;
}

Status CheckKnown(const X509Constraints& constraints, const X509* certificate) {
  const int count = X509_get_ext_count(certificate);
  for (int i = 0; i < count; ++i) {
    X509_EXTENSION* const extension = X509_get_ext(certificate, i);
    ASN1_OBJECT* const object = X509_EXTENSION_get_object(extension);
    const std::string oid = OidText(object);
    if (X509_get_ext_by_OBJ(certificate, object, i) != -1)
      return Refuse("the extension " + oid + " is there twice");
    const int nid = OBJ_obj2nid(object);
    const auto& named = constraints.extensions;
    const bool known = IsRead(nid) || std::find(std::begin(kHarmless), std::end(kHarmless), nid) !=
                                          std::end(kHarmless);
    if (!known && std::find(named.begin(), named.end(), oid) == named.end())
      return Refuse("the extension " + oid + " is not among those that the policy names");
    const ASN1_OCTET_STRING* const value = X509_EXTENSION_get_data(extension);
    if (known &&
        !IsDer(FromC(ASN1_STRING_get0_data(value), static_cast<size_t>(ASN1_STRING_length(value)))))
      return Refuse("the extension " + oid + " is no DER");
  }
  return Done{};
}

bool HasBit(const ASN1_BIT_STRING* bits, int bit) {
  return bits != nullptr && ASN1_BIT_STRING_get_bit(bits, bit) == 1;
}

using BasicConstraints = Owned<BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free>;
using BitString = Owned<ASN1_BIT_STRING, ASN1_BIT_STRING_free>;
using ExtendedKeyUsage = Owned<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free>;
using GeneralNames = Owned<GENERAL_NAMES, GENERAL_NAMES_free>;

// Whether it is a CA's certificate. keyUsage and basicConstraints have to agree, because verifiers
// differ in which of them they ask.
Result<bool> ReadCa(const X509* certificate) {
  constexpr int kKeyCertSign = 5;  // RFC 5280 §4.2.1.3
  constexpr int kCrlSign = 6;
  KC_ASSIGN(const BasicConstraints basic,
            Read<BasicConstraints>(certificate, NID_basic_constraints));
  KC_ASSIGN(const BitString usage, Read<BitString>(certificate, NID_key_usage));
  const bool ca = basic != nullptr && basic->ca != 0;
  if (!ca && (HasBit(usage.get(), kKeyCertSign) || HasBit(usage.get(), kCrlSign)))
    return Refuse("it may sign certificates or CRLs without being a CA's");
  if (!ca && basic != nullptr && basic->pathlen != nullptr)
    return Refuse("it has a path length without being a CA's");
  if (ca && usage != nullptr && !HasBit(usage.get(), kKeyCertSign))
    return Refuse("it is a CA's that may not sign certificates");
  return ca;
}

// Without usages a certificate is good for all of them.
Status CheckUsages(const X509Constraints& constraints, const X509* certificate, bool ca) {
  KC_ASSIGN(const ExtendedKeyUsage usages, Read<ExtendedKeyUsage>(certificate, NID_ext_key_usage));
  if (usages == nullptr) {
    if (ca) return Done{};
    return Refuse("it says not what it may be used for (extendedKeyUsage)");
  }
  for (int i = 0; i < sk_ASN1_OBJECT_num(usages.get()); ++i) {
    const ASN1_OBJECT* const object = sk_ASN1_OBJECT_value(usages.get(), i);
    const int nid = OBJ_obj2nid(object);
    const bool permitted =
        std::any_of(constraints.usages.begin(), constraints.usages.end(),
                    [&](auto usage) { return mech::UsageNid(CertificateUsageName(usage)) == nid; });
    if (!permitted) return Refuse("the usage " + OidText(object) + " is not permitted");
  }
  return Done{};
}

Status CheckNames(const X509Constraints& constraints, const X509* certificate) {
  KC_ASSIGN(const GeneralNames names, Read<GeneralNames>(certificate, NID_subject_alt_name));
  if (names == nullptr) {
    if (X509_NAME_entry_count(X509_get_subject_name(certificate)) == 0)
      return Refuse("it names nobody");
    return Done{};
  }
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i)
    KC_CHECK_OK(CheckAlternativeName(constraints, *sk_GENERAL_NAME_value(names.get(), i)));
  return Done{};
}

}  // namespace

Status CheckExtensions(const X509Constraints& constraints, const X509* certificate) {
  KC_CHECK_OK(CheckKnown(constraints, certificate));
  KC_ASSIGN(const bool ca, ReadCa(certificate));
  if (ca && !constraints.ca) return Refuse("it is a CA's");
  KC_CHECK_OK(CheckUsages(constraints, certificate, ca));
  return CheckNames(constraints, certificate);
}

}  // namespace keyclave::guard
