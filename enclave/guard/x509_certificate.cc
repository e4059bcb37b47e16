// Certificates: everything of a TBSCertificate but its names.

#include <ctime>

#include "enclave/guard/der.h"
#include "enclave/guard/x509.h"

namespace keyclave::guard {
namespace {

using authz::X509Constraints;

constexpr size_t kMaxSerial = 20;  // RFC 5280 §4.1.2.2
constexpr UnixTime kDay = 86400;
constexpr UnixTime kClockSkew = 3600;  // between the caller, who set the dates, and the enclave

Error Refuse(std::string what) { return Fail(Code::kInputRefused, std::move(what)); }

Status CheckSerial(const ASN1_INTEGER* serial) {
  const ByteSpan magnitude =
      FromC(ASN1_STRING_get0_data(serial), static_cast<size_t>(ASN1_STRING_length(serial)));
  const bool positive =
      ASN1_STRING_type(serial) == V_ASN1_INTEGER &&
      std::any_of(magnitude.begin(), magnitude.end(), [](uint8_t byte) { return byte != 0; });
  if (!positive) return Refuse("the serial number is not positive");
  const size_t octets = magnitude.size() + (magnitude.front() >> 7);
  if (octets > kMaxSerial) return Refuse("the serial number is longer than 20 bytes");
  return Done{};
}

}  // namespace

Result<UnixTime> ReadTime(const ASN1_TIME* time) {
  const bool utc = ASN1_STRING_type(time) == V_ASN1_UTCTIME;
  std::tm parts{};
  if (ASN1_STRING_length(time) != (utc ? 13 : 15) || ASN1_TIME_to_tm(time, &parts) != 1 ||
      (!utc && parts.tm_year < 150)) {
    return Refuse("a date is not in the form that RFC 5280 asks for");
  }
  return static_cast<UnixTime>(timegm(&parts));
}

Status CheckIssuer(const X509_NAME* issuer, const Context& context) {
  if (X509_NAME_entry_count(issuer) == 0) return Refuse("it has no issuer");
  const Bytes name = Encode<const X509_NAME>(issuer, i2d_X509_NAME);
  const auto issuers = context.issuers;
  if (!issuers.empty() && std::find(issuers.begin(), issuers.end(), name) == issuers.end())
    return Refuse("its issuer is not the subject of the CA's own certificate");
  return Done{};
}

Status CheckValidity(const X509Constraints& constraints, const X509* certificate, UnixTime now) {
  KC_ASSIGN(const UnixTime begin, ReadTime(X509_get0_notBefore(certificate)));
  KC_ASSIGN(const UnixTime end, ReadTime(X509_get0_notAfter(certificate)));
  if (end <= begin) return Refuse("it ends before it begins");
  if (!constraints.max_days) return Done{};
  const auto lifetime = static_cast<UnixTime>(*constraints.max_days) * kDay;
  // Counted from now as well: who may sign today shall not have certificates for years to come.
  if (end - begin > lifetime || end - now > lifetime + kClockSkew)
    return FailWanted(Code::kInputRefused, "it is valid for too long",
                      "at most " + std::to_string(*constraints.max_days) + " days from now",
                      FormatTime(begin) + " to " + FormatTime(end));
  return Done{};
}

Status CheckTbs(const X509Constraints& constraints, ByteSpan message, const Context& context) {
  if (!IsDer(message)) return Refuse("it is no DER");
  const auto certificate = ReadAsSigned<mech::X509Cert, X509_new_ex, d2i_X509>(message);
  if (certificate == nullptr)
    return mech::OpensslError(Code::kInputRefused, "it is no TBSCertificate");
  X509* const x509 = certificate.get();
  if (X509_get_version(x509) != X509_VERSION_3) return Refuse("its version is not 3");
  KC_CHECK_OK(CheckSerial(X509_get0_serialNumber(x509)));
  KC_CHECK_OK(CheckSignatureAlgorithm(X509_get0_tbs_sigalg(x509), context));
  KC_CHECK_OK(CheckIssuer(X509_get_issuer_name(x509), context));
  KC_CHECK_OK(CheckValidity(constraints, x509, context.now));
  const ASN1_BIT_STRING* issuer_uid = nullptr;
  const ASN1_BIT_STRING* subject_uid = nullptr;
  X509_get0_uids(x509, &issuer_uid, &subject_uid);
  // "CAs conforming to this profile MUST NOT generate certificates with unique identifiers"
  // (RFC 5280 §4.1.2.8).
  if (issuer_uid != nullptr || subject_uid != nullptr) return Refuse("it has a unique identifier");
  if (X509_get0_pubkey(x509) == nullptr)
    return mech::OpensslError(Code::kInputRefused, "its public key cannot be read");
  KC_CHECK_OK(CheckSubject(constraints, X509_get_subject_name(x509)));
  KC_CHECK_OK(CheckExtensions(constraints, x509));
  // What OpenSSL understood is all that there is: encoded anew, it is the same (this finds defaults
  // that are spelled out, which DER forbids).
  if (!Equal(Encode(x509, i2d_re_X509_tbs), message)) return Refuse("it is no DER");
  return Done{};
}

}  // namespace keyclave::guard
