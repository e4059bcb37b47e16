// Answers about revocation (OCSP).
#include <openssl/ocsp.h>

#include "enclave/guard/der.h"
#include "enclave/guard/x509.h"

namespace keyclave::guard {
namespace {

using BasicResponse = mech::Owned<OCSP_BASICRESP, OCSP_BASICRESP_free>;

Error Refuse(std::string what) { return Fail(Code::kInputRefused, std::move(what)); }

constexpr UnixTime kClockSkew = 300;  // seconds that a responder may be ahead

// Who answers is the key that signs: by its hash, or by a name in one of its own certificates.
Status CheckResponder(const OCSP_BASICRESP* response, const Context& context) {
  const ASN1_OCTET_STRING* hash = nullptr;
  const X509_NAME* name = nullptr;
  if (OCSP_resp_get0_id(response, &hash, &name) != 1) return Refuse("it names no responder");
  if (name != nullptr) return CheckIssuer(name, context);
  const uint8_t* next = context.public_key_info.data();
  const mech::Owned<X509_PUBKEY, X509_PUBKEY_free> own(
      d2i_X509_PUBKEY(nullptr, &next, static_cast<long>(context.public_key_info.size())));
  const uint8_t* bits = nullptr;
  int size = 0;
  if (own == nullptr || X509_PUBKEY_get0_param(nullptr, &bits, &size, nullptr, own.get()) != 1)
    return mech::OpensslError(Code::kInputRefused, "the key's own public key");
  // RFC 6960 §4.2.1: the SHA-1 of the public key's bits.
  ByteArray<20> expected{};
  unsigned length = 0;
  if (EVP_Digest(bits, static_cast<size_t>(size), expected.data(), &length, EVP_sha1(), nullptr) !=
      1)
    return mech::OpensslError(Code::kInputRefused, "the key's hash");
  const ByteSpan named =
      FromC(ASN1_STRING_get0_data(hash), static_cast<size_t>(ASN1_STRING_length(hash)));
  if (!Equal(named, expected)) return Refuse("the responder is another key");
  return Done{};
}

Result<UnixTime> ReadGeneralizedTime(const ASN1_GENERALIZEDTIME* time, std::string_view what) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1)
    return Refuse("it has no " + std::string(what));
  return static_cast<UnixTime>(timegm(&parts));
}

// Each answer is of about now, and says until when it counts.
Status CheckAnswers(OCSP_BASICRESP* response, UnixTime now) {
  const int count = OCSP_resp_count(response);
  if (count < 1) return Refuse("it answers nothing");
  for (int i = 0; i < count; ++i) {
    OCSP_SINGLERESP* const answer = OCSP_resp_get0(response, i);
    int reason = 0;
    ASN1_GENERALIZEDTIME* revoked = nullptr;
    ASN1_GENERALIZEDTIME* begins = nullptr;
    ASN1_GENERALIZEDTIME* ends = nullptr;
    OCSP_single_get0_status(answer, &reason, &revoked, &begins, &ends);
    KC_ASSIGN(const UnixTime begin, ReadGeneralizedTime(begins, "time of an answer"));
    KC_ASSIGN(const UnixTime end, ReadGeneralizedTime(ends, "end of an answer"));
    if (end <= begin) return Refuse("an answer ends before it begins");
    if (begin > now + kClockSkew) return Refuse("an answer is of the future");
    if (OCSP_SINGLERESP_get_ext_count(answer) != 0)
      return Refuse("an answer has an extension that is not permitted");
  }
  return Done{};
}

Status CheckResponseExtensions(OCSP_BASICRESP* response) {
  const int count = OCSP_BASICRESP_get_ext_count(response);
  if (count > 1) return Refuse("it has several extensions");
  if (count == 1 && OCSP_BASICRESP_get_ext_by_NID(response, NID_id_pkix_OCSP_Nonce, -1) != 0)
    return Refuse("it has an extension that is not permitted");
  return Done{};
}

}  // namespace

Status CheckOcsp(ByteSpan message, const Context& context) {
  if (!IsDer(message)) return Refuse("it is no DER");
  const Bytes whole = AsSigned(message);
  const uint8_t* next = whole.data();
  const BasicResponse response(d2i_OCSP_BASICRESP(nullptr, &next, static_cast<long>(whole.size())));
  if (response == nullptr) return mech::OpensslError(Code::kInputRefused, "it is no ResponseData");
  KC_CHECK_OK(CheckResponder(response.get(), context));
  KC_ASSIGN(const UnixTime produced,
            ReadGeneralizedTime(OCSP_resp_get0_produced_at(response.get()), "time"));
  if (produced > context.now + kClockSkew) return Refuse("it is of the future");
  KC_CHECK_OK(CheckAnswers(response.get(), context.now));
  KC_CHECK_OK(CheckResponseExtensions(response.get()));
  const OCSP_RESPDATA* const data = OCSP_resp_get0_respdata(response.get());
  if (!Equal(Encode(data, i2d_OCSP_RESPDATA), message)) return Refuse("it is no DER");
  return Done{};
}

}  // namespace keyclave::guard
