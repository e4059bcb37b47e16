#include "enclave/mech/certificate.h"

#include "enclave/mech/certify.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/hash_alg.h"

namespace keyclave::mech {
namespace {

Result<X509Cert> Parse(ByteSpan der) {
  X509* made = X509_new_ex(Library(), nullptr);
  const uint8_t* next = der.data();
  // On failure d2i_X509 frees what it was given and sets it to null.
  const bool parsed =
      made != nullptr && d2i_X509(&made, &next, static_cast<long>(der.size())) != nullptr;
  X509Cert certificate(made);
  if (!parsed) return OpensslError(Code::kMalformed, "not an X.509 certificate");
  if (next != der.data() + der.size()) {
    return Fail(Code::kMalformed, "bytes after the end of the certificate");
  }
  return certificate;
}

// The DER of a part, by its i2d function.
template <class Part, auto encode>
Result<Bytes> Encode(const Part* part) {
  const int size = encode(part, nullptr);
  if (size <= 0) return OpensslError(Code::kMalformed, "a part of the certificate");
  Bytes der(static_cast<size_t>(size));
  uint8_t* next = der.data();
  encode(part, &next);
  return der;
}

}  // namespace

Result<CertificateFacts> ReadCertificate(ByteSpan der) {
  KC_ASSIGN(const X509Cert certificate, Parse(der));
  const auto encode_name = Encode<X509_NAME, i2d_X509_NAME>;
  CertificateFacts facts;
  KC_ASSIGN(facts.subject, encode_name(X509_get_subject_name(certificate.get())));
  KC_ASSIGN(facts.issuer, encode_name(X509_get_issuer_name(certificate.get())));
  KC_ASSIGN(facts.serial_number,
            (Encode<ASN1_INTEGER, i2d_ASN1_INTEGER>(X509_get0_serialNumber(certificate.get()))));
  KC_ASSIGN(facts.public_key_info,
            (Encode<X509_PUBKEY, i2d_X509_PUBKEY>(X509_get_X509_PUBKEY(certificate.get()))));
  return facts;
}

Result<Bytes> CertificateCheckValue(ByteSpan certificate) {
  KC_ASSIGN(Bytes digest, FindHash(&HashAlg::digest, CKM_SHA_1)->Digest(certificate));
  digest.resize(3);
  return digest;
}

Status CheckCertificateMatches(ByteSpan certificate, ByteSpan public_key_info) {
  KC_ASSIGN(const X509Cert parsed, Parse(certificate));
  const EvpPkey certified(X509_get_pubkey(parsed.get()));
  const uint8_t* next = public_key_info.data();
  const EvpPkey expected(
      d2i_PUBKEY_ex(nullptr, &next, static_cast<long>(public_key_info.size()), Library(), nullptr));
  if (certified == nullptr || expected == nullptr ||
      EVP_PKEY_eq(certified.get(), expected.get()) != 1) {
    return OpensslError(Code::kCertificateMismatch, "its public key is another one");
  }
  return Done{};
}

}  // namespace keyclave::mech
