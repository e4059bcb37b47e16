// Requests for certificates; and how both requests and certificates are read before their signature
// exists.

#include "enclave/guard/der.h"
#include "enclave/guard/x509.h"

namespace keyclave::guard {

Bytes AsSigned(ByteSpan message) {
  // Ed25519 has the shortest identifier; a BIT STRING of no bits.
  constexpr std::array<uint8_t, 10> kNoSignature = {0x30, 0x05, 0x06, 0x03, 0x2b,
                                                    0x65, 0x70, 0x03, 0x01, 0x00};
  const size_t content = message.size() + kNoSignature.size();
  Bytes out(static_cast<size_t>(ASN1_object_size(1, static_cast<int>(content), V_ASN1_SEQUENCE)));
  uint8_t* next = out.data();
  ASN1_put_object(&next, 1, static_cast<int>(content), V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
  next = std::copy(message.begin(), message.end(), next);
  std::copy(kNoSignature.begin(), kNoSignature.end(), next);
  return out;
}

Status CheckCsr(ByteSpan message, const Context& context) {
  if (!IsDer(message)) return Fail(Code::kInputRefused, "it is no DER");
  const auto request = ReadAsSigned<mech::X509Request, X509_REQ_new_ex, d2i_X509_REQ>(message);
  if (request == nullptr) {
    return mech::OpensslError(Code::kInputRefused, "it is no CertificationRequestInfo");
  }
  // RFC 2986 §4.1: v1 is 0, and there is no other.
  if (X509_REQ_get_version(request.get()) != X509_REQ_VERSION_1)
    return Fail(Code::kInputRefused, "a request's version is 0");
  uint8_t* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(request.get()), &der);
  const mech::Owned<uint8_t, mech::OpensslFree> owned(der);
  if (size <= 0) return mech::OpensslError(Code::kInputRefused, "the public key");
  if (!Equal(FromC(der, static_cast<size_t>(size)), context.public_key_info))
    return Fail(Code::kInputRefused, "the request is for another key than the one that signs it");
  return Done{};
}

}  // namespace keyclave::guard
