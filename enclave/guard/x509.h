// What is signed of certificates, of requests for them, and of lists of those that are revoked.
#pragma once

#include "enclave/guard/check.h"
#include "enclave/mech/evp.h"

namespace keyclave::guard {

// A CertificationRequestInfo (RFC 2986 §4.1) in DER whose public key is the signing key's own.
// kInputRefused.
Status CheckCsr(ByteSpan message, const Context& context);

// A TBSCertificate (RFC 5280 §4.1) in DER, of version 3, within the constraints: names, usages, CA
// or not, lifetime; its signature algorithm is the mechanism's, its issuer the CA. kInputRefused.
Status CheckTbs(const authz::X509Constraints& constraints, ByteSpan message,
                const Context& context);

// A TBSCertList (RFC 5280 §5.1) in DER, of version 2, over certificates of the CA's own: no
// indirect list. Its signature algorithm is the mechanism's, its issuer the CA. kInputRefused.
Status CheckCrl(ByteSpan message, const Context& context);

// A ResponseData (RFC 6960 §4.2.1) in DER by this key as the responder: answers about certificates
// from now until a time that each names. kInputRefused.
Status CheckOcsp(ByteSpan message, const Context& context);

// What CheckTbs and CheckCrl both ask.
Status CheckSignatureAlgorithm(const X509_ALGOR* algorithm, const Context& context);
Status CheckIssuer(const X509_NAME* issuer, const Context& context);
// RFC 5280 §4.1.2.5 and §5.1.2.4: UTCTime until 2049, GeneralizedTime from 2050, both in seconds
// and Zulu. kInputRefused.
Result<UnixTime> ReadTime(const ASN1_TIME* time);

// The parts of CheckTbs, over the certificate that the message becomes once it is signed.
Status CheckValidity(const authz::X509Constraints& constraints, const X509* certificate,
                     UnixTime now);
Status CheckExtensions(const authz::X509Constraints& constraints, const X509* certificate);
Status CheckSubject(const authz::X509Constraints& constraints, const X509_NAME* subject);
Status CheckAlternativeName(const authz::X509Constraints& constraints, const GENERAL_NAME& name);

// The DER that an i2d function of OpenSSL makes; empty if it fails.
template <class Thing>
Bytes Encode(Thing* thing, int (*encode)(Thing*, unsigned char**)) {
  uint8_t* der = nullptr;
  const int size = encode(thing, &der);
  const mech::Owned<uint8_t, mech::OpensslFree> owned(der);
  return size > 0 ? ToBytes(FromC(der, static_cast<size_t>(size))) : Bytes();
}

// The message as a signed object: itself, some algorithm, and an empty signature.
Bytes AsSigned(ByteSpan message);

// The message as OpenSSL reads such an object; null if it does not.
template <class Owner, auto make, auto parse>
Owner ReadAsSigned(ByteSpan message) {
  const Bytes whole = AsSigned(message);
  const uint8_t* next = whole.data();
  auto* made = make(mech::Library(), nullptr);
  // On failure it frees what it was given and sets it to null.
  if (made != nullptr) parse(&made, &next, static_cast<long>(whole.size()));
  return Owner(made);
}

}  // namespace keyclave::guard
