// RSA keys (pkcs11-curr-v3.0 §2.1.2, §2.1.3): two primes, 2048 to 8192 bits where they are private.

#include <openssl/core_names.h>

#include "enclave/mech/evp.h"
#include "enclave/mech/key_type.h"
#include "enclave/mech/rsa.h"

namespace keyclave::mech {
namespace {

bool IsRsa(const EVP_PKEY* pkey) { return EVP_PKEY_is_a(pkey, "RSA") == 1; }

Result<BigNum> Integer(const wire::AttributeList& attributes, uint64_t type,
                       std::string_view name) {
  KC_ASSIGN(const ByteSpan value, RequiredAttribute(attributes, type, name));
  if (value.empty() || value.size() > kRsaMaxBits / 8 + 1) {
    return Fail(Code::kAttributeValueInvalid, std::string(name));
  }
  return ToBigNum(value);
}

struct Numbers {
  BigNum n, e, d;
  BigNum p, q;  // null if the template lacks them
  BigNum dp, dq, q_inverse;
};

Status CheckPublic(const BIGNUM* n, const BIGNUM* e) {
  if (BN_num_bits(n) > static_cast<int>(kRsaMaxBits) || BN_num_bits(n) < 512 || !BN_is_odd(n)) {
    return Fail(Code::kAttributeValueInvalid, "CKA_MODULUS");
  }
  if (!BN_is_odd(e) || BN_is_one(e) || BN_cmp(e, n) >= 0) {
    return Fail(Code::kAttributeValueInvalid, "CKA_PUBLIC_EXPONENT");
  }
  return Done{};
}

// The primes of n from e and d: the probabilistic method of NIST SP 800-56B Rev. 2, Appendix C.1,
// where k = de - 1 = r * 2^t with r odd. A random base fails with probability below one half.
Status RecoverPrimes(Numbers& key) {
  const BnCtx scratch(BN_CTX_secure_new_ex(Library()));
  const BigNum k(BN_secure_new()), r(BN_secure_new()), g(BN_secure_new()), x(BN_secure_new());
  const BigNum top(BN_secure_new());
  key.p.reset(BN_secure_new());
  key.q.reset(BN_secure_new());
  if (!scratch || !k || !r || !g || !x || !top || !key.p || !key.q ||
      BN_mul(k.get(), key.d.get(), key.e.get(), scratch.get()) != 1 ||
      BN_sub_word(k.get(), 1) != 1 || BN_copy(top.get(), key.n.get()) == nullptr ||
      BN_sub_word(top.get(), 1) != 1) {
    return OpensslError("recovering RSA primes");
  }
  int t = 0;
  while (t < BN_num_bits(k.get()) && BN_is_bit_set(k.get(), t) == 0) ++t;
  if (t == 0 || BN_is_zero(k.get()) || BN_rshift(r.get(), k.get(), t) != 1) {
    return Fail(Code::kAttributeValueInvalid, "CKA_PRIVATE_EXPONENT does not fit");
  }
  for (int attempt = 0; attempt < 100; ++attempt) {
    if (BN_priv_rand_range_ex(g.get(), top.get(), 0, scratch.get()) != 1 ||
        BN_mod_exp_mont_consttime(x.get(), g.get(), r.get(), key.n.get(), scratch.get(), nullptr) !=
            1) {
      return OpensslError("recovering RSA primes");
    }
    // x runs through g^r, g^2r, g^4r …; before the first 1 stands a square root of 1, and one that
    // is not 1 or n - 1 splits n.
    for (int j = 0; j < t && !BN_is_one(x.get()) && BN_cmp(x.get(), top.get()) != 0; ++j) {
      if (BN_mod_sqr(g.get(), x.get(), key.n.get(), scratch.get()) != 1) {
        return OpensslError("recovering RSA primes");
      }
      if (BN_is_one(g.get())) {
        if (BN_sub_word(x.get(), 1) != 1 ||
            BN_gcd(key.p.get(), x.get(), key.n.get(), scratch.get()) != 1 ||
            BN_div(key.q.get(), nullptr, key.n.get(), key.p.get(), scratch.get()) != 1) {
          return OpensslError("recovering RSA primes");
        }
        if (BN_cmp(key.p.get(), key.q.get()) < 0) key.p.swap(key.q);
        return Done{};
      }
      if (BN_copy(x.get(), g.get()) == nullptr) return OpensslError("recovering RSA primes");
    }
  }
  return Fail(Code::kAttributeValueInvalid, "CKA_PRIVATE_EXPONENT does not fit");
}

// d mod (p-1), d mod (q-1), 1/q mod p.
Status ComputeCrt(Numbers& key) {
  const BnCtx scratch(BN_CTX_secure_new_ex(Library()));
  const BigNum less(BN_secure_new());
  key.dp.reset(BN_secure_new());
  key.dq.reset(BN_secure_new());
  key.q_inverse.reset(BN_secure_new());
  if (!scratch || !less || !key.dp || !key.dq || !key.q_inverse) return OpensslError("RSA key");
  if (BN_sub(less.get(), key.p.get(), BN_value_one()) != 1 ||
      BN_mod(key.dp.get(), key.d.get(), less.get(), scratch.get()) != 1 ||
      BN_sub(less.get(), key.q.get(), BN_value_one()) != 1 ||
      BN_mod(key.dq.get(), key.d.get(), less.get(), scratch.get()) != 1 ||
      BN_mod_inverse(key.q_inverse.get(), key.q.get(), key.p.get(), scratch.get()) == nullptr) {
    return OpensslError(Code::kAttributeValueInvalid, "CKA_PRIME_1 and CKA_PRIME_2 do not fit");
  }
  return Done{};
}

Result<EvpPkey> Build(const Numbers& key) {
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  const auto push = [&](const char* name, const BigNum& number) {
    return OSSL_PARAM_BLD_push_BN(builder.get(), name, number.get()) == 1;
  };
  if (!builder || !push(OSSL_PKEY_PARAM_RSA_N, key.n) || !push(OSSL_PKEY_PARAM_RSA_E, key.e)) {
    return OpensslError("RSA key");
  }
  if (key.d == nullptr) {
    return PkeyFromParams("RSA", EVP_PKEY_PUBLIC_KEY, builder.get(), "CKA_MODULUS");
  }
  if (!push(OSSL_PKEY_PARAM_RSA_D, key.d) || !push(OSSL_PKEY_PARAM_RSA_FACTOR1, key.p) ||
      !push(OSSL_PKEY_PARAM_RSA_FACTOR2, key.q) || !push(OSSL_PKEY_PARAM_RSA_EXPONENT1, key.dp) ||
      !push(OSSL_PKEY_PARAM_RSA_EXPONENT2, key.dq) ||
      !push(OSSL_PKEY_PARAM_RSA_COEFFICIENT1, key.q_inverse)) {
    return OpensslError("RSA key");
  }
  return PkeyFromParams("RSA", EVP_PKEY_KEYPAIR, builder.get(), "the RSA key's parts do not fit");
}

Result<EvpPkey> PublicKey(const wire::AttributeList& attributes) {
  Numbers key;
  KC_ASSIGN(key.n, Integer(attributes, CKA_MODULUS, "CKA_MODULUS"));
  KC_ASSIGN(key.e, Integer(attributes, CKA_PUBLIC_EXPONENT, "CKA_PUBLIC_EXPONENT"));
  KC_CHECK_OK(CheckPublic(key.n.get(), key.e.get()));
  return Build(key);
}

Status CheckPair(EVP_PKEY* pkey, Code code) {
  const EvpPkeyCtx context(EVP_PKEY_CTX_new_from_pkey(Library(), pkey, nullptr));
  if (context == nullptr || EVP_PKEY_check(context.get()) != 1) {
    return OpensslError(code, "the RSA key's parts do not fit");
  }
  return Done{};
}

Result<EvpPkey> PrivateKey(const wire::AttributeList& attributes) {
  Numbers key;
  KC_ASSIGN(key.n, Integer(attributes, CKA_MODULUS, "CKA_MODULUS"));
  KC_ASSIGN(key.e, Integer(attributes, CKA_PUBLIC_EXPONENT, "CKA_PUBLIC_EXPONENT"));
  KC_ASSIGN(key.d, Integer(attributes, CKA_PRIVATE_EXPONENT, "CKA_PRIVATE_EXPONENT"));
  KC_CHECK_OK(CheckPublic(key.n.get(), key.e.get()));
  if (BN_num_bits(key.n.get()) < static_cast<int>(kRsaMinBits) ||
      BN_cmp(key.d.get(), key.n.get()) >= 0 || BN_is_zero(key.d.get())) {
    return Fail(Code::kAttributeValueInvalid,
                BN_num_bits(key.n.get()) < static_cast<int>(kRsaMinBits)
                    ? "CKA_MODULUS is too short"
                    : "CKA_PRIVATE_EXPONENT");
  }
  // PKCS#11 asks for the modulus and the private exponent; the rest of a key may be absent
  // (pkcs11-curr-v3.0 §2.1.3). What is absent is computed, what is present must fit.
  const bool primes = attributes.Has(CKA_PRIME_1) && attributes.Has(CKA_PRIME_2);
  if (primes) {
    KC_ASSIGN(key.p, Integer(attributes, CKA_PRIME_1, "CKA_PRIME_1"));
    KC_ASSIGN(key.q, Integer(attributes, CKA_PRIME_2, "CKA_PRIME_2"));
  } else {
    KC_CHECK_OK(RecoverPrimes(key));
  }
  KC_CHECK_OK(ComputeCrt(key));
  if (primes && attributes.Has(CKA_EXPONENT_1)) {
    KC_ASSIGN(key.dp, Integer(attributes, CKA_EXPONENT_1, "CKA_EXPONENT_1"));
  }
  if (primes && attributes.Has(CKA_EXPONENT_2)) {
    KC_ASSIGN(key.dq, Integer(attributes, CKA_EXPONENT_2, "CKA_EXPONENT_2"));
  }
  if (primes && attributes.Has(CKA_COEFFICIENT)) {
    KC_ASSIGN(key.q_inverse, Integer(attributes, CKA_COEFFICIENT, "CKA_COEFFICIENT"));
  }
  KC_ASSIGN(EvpPkey pkey, Build(key));
  KC_CHECK_OK(CheckPair(pkey.get(), Code::kAttributeValueInvalid));
  return pkey;
}

Result<EvpPkey> Import(EvpPkey pkey) {
  const auto bits = static_cast<size_t>(EVP_PKEY_get_bits(pkey.get()));
  if (bits < kRsaMinBits || bits > kRsaMaxBits) {
    return Fail(Code::kKeySizeRange, "an RSA key of " + std::to_string(bits) + " bits; " +
                                         std::to_string(kRsaMinBits) + " to " +
                                         std::to_string(kRsaMaxBits) + " are accepted");
  }
  BIGNUM* third = nullptr;
  if (EVP_PKEY_get_bn_param(pkey.get(), OSSL_PKEY_PARAM_RSA_FACTOR3, &third) == 1) {
    BN_clear_free(third);
    return Fail(Code::kKeyFileInvalid, "an RSA key of more than two primes");
  }
  KC_CHECK_OK(CheckPair(pkey.get(), Code::kKeyFileInvalid));
  return pkey;
}

Status AddInteger(const EVP_PKEY* pkey, const char* param, uint64_t type,
                  wire::AttributeList& attributes) {
  KC_ASSIGN(const BigNum number, PkeyBigNum(pkey, param));
  attributes.Set(type, BigNumBytes(number.get()));
  return Done{};
}

Result<wire::AttributeList> PublicAttributes(const EVP_PKEY* pkey) {
  wire::AttributeList attributes;
  KC_CHECK_OK(AddInteger(pkey, OSSL_PKEY_PARAM_RSA_N, CKA_MODULUS, attributes));
  attributes.SetUlong(CKA_MODULUS_BITS, static_cast<uint64_t>(EVP_PKEY_get_bits(pkey)));
  KC_CHECK_OK(AddInteger(pkey, OSSL_PKEY_PARAM_RSA_E, CKA_PUBLIC_EXPONENT, attributes));
  return attributes;
}

Result<wire::AttributeList> SecretParts(const EVP_PKEY* pkey) {
  wire::AttributeList attributes;
  KC_CHECK_OK(AddInteger(pkey, OSSL_PKEY_PARAM_RSA_D, CKA_PRIVATE_EXPONENT, attributes));
  KC_CHECK_OK(AddInteger(pkey, OSSL_PKEY_PARAM_RSA_FACTOR1, CKA_PRIME_1, attributes));
  KC_CHECK_OK(AddInteger(pkey, OSSL_PKEY_PARAM_RSA_FACTOR2, CKA_PRIME_2, attributes));
  KC_CHECK_OK(AddInteger(pkey, OSSL_PKEY_PARAM_RSA_EXPONENT1, CKA_EXPONENT_1, attributes));
  KC_CHECK_OK(AddInteger(pkey, OSSL_PKEY_PARAM_RSA_EXPONENT2, CKA_EXPONENT_2, attributes));
  KC_CHECK_OK(AddInteger(pkey, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, CKA_COEFFICIENT, attributes));
  return attributes;
}

}  // namespace

const KeyType kRsaKeyType = {CKK_RSA,          IsRsa,      PublicKey, PrivateKey, Import,
                             PublicAttributes, SecretParts};

}  // namespace keyclave::mech
