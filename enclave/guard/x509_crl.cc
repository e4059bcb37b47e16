// Certificate revocation lists.

#include "enclave/guard/der.h"
#include "enclave/guard/x509.h"

namespace keyclave::guard {
namespace {

Error Refuse(std::string what) { return Fail(Code::kInputRefused, std::move(what)); }

using Extensions = STACK_OF(X509_EXTENSION);

// Each is one of `known`, and none is there twice (RFC 5280 §4.2).
Status CheckKnown(const Extensions* extensions, std::initializer_list<int> known) {
  std::vector<int> seen;
  for (int i = 0; i < sk_X509_EXTENSION_num(extensions); ++i) {
    const int nid = OBJ_obj2nid(X509_EXTENSION_get_object(sk_X509_EXTENSION_value(extensions, i)));
    if (std::find(known.begin(), known.end(), nid) == known.end())
      return Refuse("it has an extension that is not permitted");
    if (std::find(seen.begin(), seen.end(), nid) != seen.end())
      return Refuse("it has an extension twice");
    seen.push_back(nid);
  }
  return Done{};
}

// The list speaks of its issuer's certificates only (RFC 5280 §5.2.5, §5.3.3).
Status CheckDirect(const X509_CRL* list) {
  int critical = 0;
  const mech::Owned<ISSUING_DIST_POINT, ISSUING_DIST_POINT_free> point(
      static_cast<ISSUING_DIST_POINT*>(
          X509_CRL_get_ext_d2i(list, NID_issuing_distribution_point, &critical, nullptr)));
  constexpr int kAbsent = -1;
  if (point == nullptr && critical != kAbsent)
    return mech::OpensslError(Code::kInputRefused, "its issuing distribution point");
  if (point != nullptr && point->indirectCRL != 0) return Refuse("it is an indirect list");
  return Done{};
}

Status CheckEntries(X509_CRL* list) {
  const STACK_OF(X509_REVOKED)* entries = X509_CRL_get_REVOKED(list);
  for (int i = 0; i < sk_X509_REVOKED_num(entries); ++i) {
    const X509_REVOKED* entry = sk_X509_REVOKED_value(entries, i);
    KC_CHECK_OK(ReadTime(X509_REVOKED_get0_revocationDate(entry)));
    KC_CHECK_OK(
        CheckKnown(X509_REVOKED_get0_extensions(entry), {NID_crl_reason, NID_invalidity_date}));
  }
  return Done{};
}

// The identifier that is signed: OpenSSL shows of a list only the one behind it. It is the second
// element, after the version.
Result<mech::Owned<X509_ALGOR, X509_ALGOR_free>> ReadAlgorithm(ByteSpan message) {
  const uint8_t* next = message.data();
  const uint8_t* const end = next + message.size();
  long length = 0;
  int tag = 0;
  int kind = 0;
  const auto open = [&] {
    return (static_cast<unsigned>(ASN1_get_object(&next, &length, &tag, &kind, end - next)) &
            0x80U) == 0;
  };
  if (!open() || !open() || tag != V_ASN1_INTEGER) return Refuse("it has no version");
  next += length;
  mech::Owned<X509_ALGOR, X509_ALGOR_free> algorithm(d2i_X509_ALGOR(nullptr, &next, end - next));
  if (algorithm == nullptr)
    return mech::OpensslError(Code::kInputRefused, "it names no signature algorithm");
  return algorithm;
}

}  // namespace

Status CheckCrl(ByteSpan message, const Context& context) {
  if (!IsDer(message)) return Refuse("it is no DER");
  const auto list = ReadAsSigned<mech::X509Crl, X509_CRL_new_ex, d2i_X509_CRL>(message);
  if (list == nullptr) return mech::OpensslError(Code::kInputRefused, "it is no TBSCertList");
  X509_CRL* const crl = list.get();
  if (X509_CRL_get_version(crl) != X509_CRL_VERSION_2) return Refuse("its version is not 2");
  KC_ASSIGN(const auto algorithm, ReadAlgorithm(message));
  KC_CHECK_OK(CheckSignatureAlgorithm(algorithm.get(), context));
  KC_CHECK_OK(CheckIssuer(X509_CRL_get_issuer(crl), context));
  KC_ASSIGN(const UnixTime issued, ReadTime(X509_CRL_get0_lastUpdate(crl)));
  const ASN1_TIME* const next_update = X509_CRL_get0_nextUpdate(crl);
  if (next_update == nullptr) return Refuse("it does not say when the next list comes");
  KC_ASSIGN(const UnixTime next, ReadTime(next_update));
  if (next <= issued) return Refuse("it ends before it begins");
  KC_CHECK_OK(CheckKnown(X509_CRL_get0_extensions(crl),
                         {NID_authority_key_identifier, NID_crl_number, NID_delta_crl,
                          NID_issuing_distribution_point, NID_freshest_crl, NID_info_access}));
  KC_CHECK_OK(CheckDirect(crl));
  KC_CHECK_OK(CheckEntries(crl));
  if (!Equal(Encode(crl, i2d_re_X509_CRL_tbs), message)) return Refuse("it is no DER");
  return Done{};
}

}  // namespace keyclave::guard
