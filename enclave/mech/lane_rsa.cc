// RSA in lanes: parts of the key, padding before and the public key's check after. OpenSSL pads by
// itself only together with its own private operation; its padding functions for others' are
// deprecated, and still the only ones.
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include "enclave/mech/evp.h"
#include "enclave/mech/lane_parts.h"

namespace keyclave::mech {
namespace {

constexpr int kPkcs1Overhead = 11;  // bytes: RFC 8017 §9.2
constexpr int kMaxExponentBits = 32;

Result<PublicRsa> MakePublicRsa(const EVP_PKEY* pkey) {
  KC_ASSIGN(BigNum n, PkeyBigNum(pkey, OSSL_PKEY_PARAM_RSA_N));
  KC_ASSIGN(BigNum e, PkeyBigNum(pkey, OSSL_PKEY_PARAM_RSA_E));
  if (BN_num_bits(e.get()) > kMaxExponentBits)
    return Fail(Code::kUnsupported, "a public exponent that is slow to check with");
  PublicRsa rsa(RSA_new());
  if (rsa == nullptr || RSA_set0_key(rsa.get(), n.get(), e.get(), nullptr) != 1)
    return OpensslError("RSA public key");
  (void)n.release();  // the handle's own now
  (void)e.release();
  return rsa;
}

// DER of the digest and its algorithm (RFC 8017 §A.2.4).
Result<Bytes> DigestInfo(const EVP_MD* md, ByteSpan digest) {
  const X509Sig info(X509_SIG_new());
  X509_ALGOR* algorithm = nullptr;
  ASN1_OCTET_STRING* octets = nullptr;
  if (info == nullptr) return OpensslError("DigestInfo");
  X509_SIG_getm(info.get(), &algorithm, &octets);
  // The parameters are NULL there, and X509_ALGOR_set_md leaves them out for newer digests.
  if (X509_ALGOR_set0(algorithm, OBJ_nid2obj(EVP_MD_get_type(md)), V_ASN1_NULL, nullptr) != 1 ||
      ASN1_OCTET_STRING_set(octets, digest.data(), static_cast<int>(digest.size())) != 1) {
    return OpensslError("DigestInfo");
  }
  const int size = i2d_X509_SIG(info.get(), nullptr);
  if (size <= 0) return OpensslError("DigestInfo");
  Bytes der(static_cast<size_t>(size));
  uint8_t* next = der.data();
  if (i2d_X509_SIG(info.get(), &next) != size) return OpensslError("DigestInfo");
  return der;
}

}  // namespace

void FreeRsa::operator()(RSA* handle) const { RSA_free(handle); }

Status FillRsaLane(const EVP_PKEY* pkey, LaneKey& key) {
  KC_ASSIGN(key.p, SecretNumber(pkey, OSSL_PKEY_PARAM_RSA_FACTOR1));
  KC_ASSIGN(key.q, SecretNumber(pkey, OSSL_PKEY_PARAM_RSA_FACTOR2));
  KC_ASSIGN(key.dp, SecretNumber(pkey, OSSL_PKEY_PARAM_RSA_EXPONENT1));
  KC_ASSIGN(key.dq, SecretNumber(pkey, OSSL_PKEY_PARAM_RSA_EXPONENT2));
  KC_ASSIGN(key.q_inverse, SecretNumber(pkey, OSSL_PKEY_PARAM_RSA_COEFFICIENT1));
  const int half = static_cast<int>(InfoOf(key.kind).bits / 2);
  if (BN_num_bits(key.p.get()) != half || BN_num_bits(key.q.get()) != half)
    return Fail(Code::kUnsupported, "primes of another size");
  BIGNUM* third = nullptr;
  if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_FACTOR3, &third) == 1) {
    BN_clear_free(third);
    return Fail(Code::kUnsupported, "more than two primes");
  }
  KC_ASSIGN(key.public_rsa, MakePublicRsa(pkey));
  return Done{};
}

Result<Bytes> Pkcs1LaneInput(const LaneKey& key, const EVP_MD* md, ByteSpan input) {
  Bytes info;
  if (md != nullptr) {
    KC_ASSIGN(info, DigestInfo(md, input));
    input = info;
  }
  Bytes padded(InfoOf(key.kind).signature);
  const int size = static_cast<int>(padded.size());
  if (input.size() + kPkcs1Overhead > padded.size()) return Fail(Code::kDataLenRange);
  if (RSA_padding_add_PKCS1_type_1(padded.data(), size, input.data(),
                                   static_cast<int>(input.size())) != 1) {
    return OpensslError("padding");
  }
  return padded;
}

Result<Bytes> PssLaneInput(const LaneKey& key, const EVP_MD* md, const EVP_MD* mgf, int salt_length,
                           ByteSpan digest) {
  Bytes padded(InfoOf(key.kind).signature);
  if (RSA_padding_add_PKCS1_PSS_mgf1(key.public_rsa.get(), padded.data(), digest.data(), md, mgf,
                                     salt_length) != 1) {
    return OpensslError("padding");
  }
  return padded;
}

Result<Bytes> RsaPublic(const LaneKey& key, ByteSpan signature) {
  Bytes message(InfoOf(key.kind).signature);
  const int size = static_cast<int>(message.size());
  if (RSA_public_decrypt(static_cast<int>(signature.size()), signature.data(), message.data(),
                         key.public_rsa.get(), RSA_NO_PADDING) != size) {
    return OpensslError("checking an RSA signature");
  }
  return message;
}

}  // namespace keyclave::mech
