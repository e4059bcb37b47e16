#include "enclave/mech/certificate_parts.h"

#include <openssl/rand.h>

#include "enclave/mech/families.h"
#include "enclave/mech/hash_alg.h"

namespace keyclave::mech {
namespace {

constexpr int kSerialBytes = 16;  // RFC 5280 §4.1.2.2 allows 20

// Bits of keyUsage, RFC 5280 §4.2.1.3.
constexpr int kDigitalSignature = 0;
constexpr int kKeyEncipherment = 2;
constexpr int kKeyCertSign = 5;
constexpr int kCrlSign = 6;

using BasicConstraints = Owned<BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free>;
using BitString = Owned<ASN1_BIT_STRING, ASN1_BIT_STRING_free>;

Status AddUses(X509* certificate, const BASIC_CONSTRAINTS* constraints, int first, int second) {
  const BitString usage(ASN1_BIT_STRING_new());
  if (!usage || ASN1_BIT_STRING_set_bit(usage.get(), first, 1) != 1 ||
      ASN1_BIT_STRING_set_bit(usage.get(), second, 1) != 1 ||
      X509_add1_ext_i2d(certificate, NID_basic_constraints,
                        const_cast<BASIC_CONSTRAINTS*>(constraints), 1, 0) != 1 ||
      X509_add1_ext_i2d(certificate, NID_key_usage, usage.get(), 1, 0) != 1) {
    return OpensslError("certificate extensions");
  }
  return Done{};
}

}  // namespace

std::optional<const EVP_MD*> SignatureDigest(const Key& key) {
  const auto sha2 = [](uint64_t digest) { return FindHash(&HashAlg::digest, digest)->md(); };
  if (key.key_type() == CKK_RSA) return sha2(CKM_SHA256);
  for (const uint64_t itself : {CKK_EC_EDWARDS, CKK_ML_DSA, CKK_SLH_DSA}) {
    if (key.key_type() == itself) return nullptr;
  }
  if (key.key_type() != CKK_EC) return std::nullopt;
  const int bits = EVP_PKEY_get_bits(key.pkey());
  if (bits > 384) return sha2(CKM_SHA512);
  return sha2(bits > 256 ? CKM_SHA384 : CKM_SHA256);
}

Status SetSerialNumber(X509* certificate) {
  ByteArray<kSerialBytes> serial{};
  if (RAND_bytes_ex(Library(), serial.data(), serial.size(), 0) != 1) return OpensslError("serial");
  // Positive, and never shorter (RFC 5280 §4.1.2.2).
  serial.front() = static_cast<uint8_t>((serial.front() & 0x7f) | 0x40);
  const BigNum number(BN_bin2bn(serial.data(), kSerialBytes, nullptr));
  if (!number || BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) == nullptr) {
    return OpensslError("serial number");
  }
  return Done{};
}

Status SetValidity(X509* certificate, UnixTime begin, UnixTime end) {
  if (ASN1_TIME_set(X509_getm_notBefore(certificate), begin) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(certificate), end) == nullptr) {
    return OpensslError("validity");
  }
  return Done{};
}

Status AddLeafProfile(X509* certificate, const std::vector<int>& purposes) {
  const BasicConstraints constraints(BASIC_CONSTRAINTS_new());
  const Owned<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free> usages(EXTENDED_KEY_USAGE_new());
  const EVP_PKEY* key = X509_get0_pubkey(certificate);
  if (!constraints || !usages || key == nullptr) return OpensslError("certificate extensions");
  // TLS 1.2 has key exchanges by RSA encryption; other keys only sign.
  const bool encipher = EVP_PKEY_is_a(key, "RSA") == 1;
  KC_CHECK_OK(AddUses(certificate, constraints.get(), kDigitalSignature,
                      encipher ? kKeyEncipherment : kDigitalSignature));
  for (const int purpose : purposes) {
    if (sk_ASN1_OBJECT_push(usages.get(), OBJ_nid2obj(purpose)) <= 0)
      return OpensslError("certificate extensions");
  }
  if (X509_add1_ext_i2d(certificate, NID_ext_key_usage, usages.get(), 0, 0) != 1)
    return OpensslError("certificate extensions");
  return Done{};
}

Status AddCaProfile(X509* certificate) {
  const BasicConstraints constraints(BASIC_CONSTRAINTS_new());
  if (!constraints) return OpensslError("certificate extensions");
  constraints->ca = 1;
  constraints->pathlen = ASN1_INTEGER_new();
  if (constraints->pathlen == nullptr || ASN1_INTEGER_set(constraints->pathlen, 0) != 1)
    return OpensslError("certificate extensions");
  return AddUses(certificate, constraints.get(), kKeyCertSign, kCrlSign);
}

Result<OctetString> KeyIdentifier(const X509* certificate) {
  const ASN1_BIT_STRING* bits = X509_get0_pubkey_bitstr(certificate);
  const ByteSpan key =
      FromC(ASN1_STRING_get0_data(bits), static_cast<size_t>(ASN1_STRING_length(bits)));
  KC_ASSIGN(const Bytes digest, FindHash(&HashAlg::digest, CKM_SHA_1)->Digest(key));
  OctetString identifier(ASN1_OCTET_STRING_new());
  if (!identifier || ASN1_OCTET_STRING_set(identifier.get(), digest.data(),
                                           static_cast<int>(digest.size())) != 1) {
    return OpensslError("subject key identifier");
  }
  return identifier;
}

Status AddKeyIdentifier(X509* certificate) {
  KC_ASSIGN(const OctetString identifier, KeyIdentifier(certificate));
  if (X509_add1_ext_i2d(certificate, NID_subject_key_identifier, identifier.get(), 0, 0) != 1)
    return OpensslError("subject key identifier");
  return Done{};
}

}  // namespace keyclave::mech
