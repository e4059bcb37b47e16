// Certificates for the keys of others, issued by the key of a CA. The enclave makes them from
// nothing: of a certification request it takes the public key, once its signature has shown that
// the sender holds the private one.
#pragma once

#include "enclave/base/clock.h"
#include "enclave/mech/key.h"
#include "enclave/wire/messages.h"

namespace keyclave::mech {

// The certificate of a leaf as far as the request determines it: subject, names, usages, key; never
// a CA's. Without issuer, serial number, dates, and unsigned.
struct Leaf {
  X509Cert draft;
  X509Request request;    // as it came
  Bytes public_key_info;  // DER, of the leaf
  uint64_t validity = 0;  // seconds
};

// kMalformed for what is no PKCS#10 request; kInvalidArgument for a subject, name or usage that is
// none, and for a leaf that nobody is named in; kKeyFileInvalid and the like for its public key.
// The request's signature is not looked at.
Result<Leaf> DraftLeaf(const wire::IssueCertificateRequest& request);
// kProofInvalid unless the request was signed by the key that it names, and not with SHA-1 or MD5.
Status CheckProof(const Leaf& leaf);

// "server-auth" -> NID_server_auth; nullopt for a name that is none.
std::optional<int> UsageNid(std::string_view usage);
// The family of mechanisms that the key signs certificates with; empty for a key that cannot.
std::string_view IssuingFamily(uint64_t key_type);

// A CA: its own certificate, and those above it.
class Issuer {
 public:
  // Chooses, of certificates of the CA's key (DER), the one that is good for longest. kIssuerUnfit
  // says what is wrong with the last that was looked at.
  static Result<Issuer> Choose(std::span<const Bytes> certificates, ByteSpan public_key_info,
                               UnixTime now);
  // Adds the first of `candidates` that issued the topmost certificate, by its signature; false
  // where there is none, or the top is reached.
  bool AddAbove(std::span<const Bytes> candidates);
  // DER of the name that issued the topmost certificate.
  Result<Bytes> NameAbove() const;

  // kIssuerUnfit where a name constraint (RFC 5280 §4.2.1.10) of this CA, or of one above it,
  // leaves a name of the leaf out.
  Status CheckNames(const Leaf& leaf) const;
  X509* certificate() const { return chain_.front().get(); }
  Result<std::vector<Bytes>> Chain() const;  // DER, the CA's own first

 private:
  friend struct IssuedCertificate;
  Issuer() = default;
  std::vector<X509Cert> chain_;
};

// id-pe-cmw (RFC 9999): the extension that tells what the leaf's holder had proved, as a record of
// the Conceptual Message Wrapper in JSON.
inline constexpr const char* kCmwOid = "1.3.6.1.5.5.7.1.35";

struct IssuedCertificate {
  Bytes der;
  std::string serial;  // hexadecimal
  UnixTime not_before = 0;
  UnixTime not_after = 0;

  // Makes the leaf's draft the certificate and signs it: from a minute before now, for as long as
  // it asks, but never outside the CA's own dates. Then verifies it as a stranger would who trusts
  // the CA.
  // `told`, if it is not empty, goes into the extension kCmwOid.
  static Result<IssuedCertificate> Sign(const Key& key, const Issuer& issuer, const Leaf& leaf,
                                        UnixTime now, const std::string& told = {});
};

}  // namespace keyclave::mech
