// CKM_RSA_PKCS_KEY_PAIR_GEN (pkcs11-curr-v3.0 §2.1.4): two primes, made as FIPS 186-4 says.

#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include "enclave/mech/evp.h"
#include "enclave/mech/families.h"
#include "enclave/mech/key_type.h"
#include "enclave/mech/rsa.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {CKM_RSA_PKCS_KEY_PAIR_GEN, kRsaMinBits, kRsaMaxBits, CKF_HW | CKF_GENERATE_KEY_PAIR},
};

constexpr BN_ULONG kDefaultExponent = 65537;
constexpr int kMaxExponentBits = 64;

Result<size_t> ModulusBits(const wire::AttributeList& attributes) {
  if (!attributes.Has(CKA_MODULUS_BITS)) return Fail(Code::kTemplateIncomplete, "CKA_MODULUS_BITS");
  const std::optional<uint64_t> bits = attributes.Ulong(CKA_MODULUS_BITS);
  // Sizes that are no multiple of 16 cannot be split into two equal primes of whole bytes, and
  // OpenSSL would round them silently.
  if (!bits.has_value() || *bits < kRsaMinBits || *bits > kRsaMaxBits || *bits % 16 != 0) {
    return Fail(Code::kAttributeValueInvalid, "CKA_MODULUS_BITS");
  }
  return *bits;
}

// FIPS 186-4 §B.3.1: odd and above 2^16. Very large ones only slow every verification down.
Result<BigNum> PublicExponent(const wire::AttributeList& attributes) {
  const Bytes* value = attributes.Find(CKA_PUBLIC_EXPONENT);
  BigNum exponent(BN_new());
  if (exponent == nullptr || BN_set_word(exponent.get(), kDefaultExponent) != 1) {
    return OpensslError("RSA public exponent");
  }
  if (value == nullptr || value->empty()) return exponent;
  KC_ASSIGN(BigNum given, ToBigNum(*value));
  if (!BN_is_odd(given.get()) || BN_cmp(given.get(), exponent.get()) < 0 ||
      BN_num_bits(given.get()) > kMaxExponentBits) {
    return Fail(Code::kAttributeValueInvalid, "CKA_PUBLIC_EXPONENT");
  }
  return given;
}

Result<NewKey> Generate(const wire::Mechanism& mechanism, const wire::AttributeList& attributes) {
  KC_CHECK_OK(ExpectNoParam(mechanism));
  KC_ASSIGN(const size_t bits, ModulusBits(attributes));
  KC_ASSIGN(const BigNum exponent, PublicExponent(attributes));
  const EvpPkeyCtx context(EVP_PKEY_CTX_new_from_name(Library(), "RSA", nullptr));
  EVP_PKEY* made = nullptr;
  if (!context || EVP_PKEY_keygen_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), static_cast<int>(bits)) != 1 ||
      EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context.get(), exponent.get()) != 1 ||
      EVP_PKEY_generate(context.get(), &made) != 1) {
    return OpensslError("making an RSA key");
  }
  const EvpPkey pkey(made);
  return NewKeyFromPkey(pkey.get());
}

}  // namespace

constinit const MechFamily kRsaKeygenFamily = {
    .name = "rsa-keygen",
    .rows = kRows,
    .generate = Generate,
};

}  // namespace keyclave::mech
