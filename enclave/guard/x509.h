// What is signed of certificates and of requests for them.
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

// The parts of CheckTbs, over the certificate that the message becomes once it is signed.
Status CheckSignatureAlgorithm(const X509* certificate, const Context& context);
Status CheckValidity(const authz::X509Constraints& constraints, const X509* certificate,
                     UnixTime now);
Status CheckExtensions(const authz::X509Constraints& constraints, const X509* certificate);
Status CheckSubject(const authz::X509Constraints& constraints, const X509_NAME* subject);
Status CheckAlternativeName(const authz::X509Constraints& constraints, const GENERAL_NAME& name);

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
