// Certificate requests and self-signed certificates that the enclave makes for its own keys.
#pragma once

#include "enclave/base/clock.h"
#include "enclave/mech/key.h"
#include "enclave/wire/messages.h"

namespace keyclave::mech {

// DER. `request.subject` in RFC 4514 form, names as in x509_name.h; kInvalidArgument
// says which is wrong. A self-signed certificate is an end-entity one (CA:FALSE, serverAuth and
// clientAuth), or a CA's whose certificates are all leaves (CA:TRUE, path length 0); valid from a
// minute before now. `attestation`, if there is one, is the value of the
// request's extension wire::kKeyAttestationOid; kInvalidArgument for a certificate.
Result<Bytes> Certify(const Key& private_key, const wire::CertifyRequest& request, UnixTime now,
                      ByteSpan attestation = {});
// kCertificateMismatch if the certificate's (DER) public key is another than `public_key_info`.
Status CheckCertificateMatches(ByteSpan certificate, ByteSpan public_key_info);

}  // namespace keyclave::mech
