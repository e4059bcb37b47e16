// Keys of ML-DSA, SLH-DSA and ML-KEM: CKK_ML_DSA, CKK_SLH_DSA, CKK_ML_KEM (pkcs11-spec-v3.2 §6.67,
// §6.68, §6.69): a parameter set, a public value, and a private value with or without the seed that
// it was made of.

#include <openssl/core_names.h>
#include <openssl/err.h>

#include "enclave/mech/evp.h"
#include "enclave/mech/key_type.h"
#include "enclave/mech/parameter_set.h"

namespace keyclave::mech {
namespace {

constexpr const char* kSeed = "seed";  // headers before 3.5 do not name it

template <uint64_t key_type>
bool Is(const EVP_PKEY* pkey) {
  return ParameterSetOf(key_type, pkey) != nullptr;
}

template <uint64_t key_type>
Result<EvpPkey> PublicKey(const wire::AttributeList& attributes) {
  KC_ASSIGN(const ParameterSet* set, ParameterSetOf(key_type, attributes));
  KC_ASSIGN(const ByteSpan value, RequiredAttribute(attributes, CKA_VALUE, "CKA_VALUE"));
  if (value.size() != set->public_size) {
    return Fail(Code::kAttributeValueInvalid, "CKA_VALUE has the wrong length for its set");
  }
  EvpPkey pkey(
      EVP_PKEY_new_raw_public_key_ex(Library(), set->name, nullptr, value.data(), value.size()));
  if (pkey == nullptr) return OpensslError(Code::kAttributeValueInvalid, "CKA_VALUE");
  return pkey;
}

// "At least one of CKA_SEED and CKA_VALUE must be specified" (§6.67.3, §6.69.3). OpenSSL makes one
// of the other, and refuses a pair that does not fit.
template <uint64_t key_type>
Result<EvpPkey> PrivateKey(const wire::AttributeList& attributes) {
  KC_ASSIGN(const ParameterSet* set, ParameterSetOf(key_type, attributes));
  const Bytes* seed = set->seed_size == 0 ? nullptr : attributes.Find(CKA_SEED);
  const Bytes* value = attributes.Find(CKA_VALUE);
  if (seed == nullptr && value == nullptr) return Fail(Code::kTemplateIncomplete, "CKA_VALUE");
  if (seed != nullptr && seed->size() != set->seed_size) {
    return Fail(Code::kAttributeValueInvalid, "CKA_SEED has the wrong length for its set");
  }
  if (value != nullptr && value->size() != set->private_size) {
    return Fail(Code::kAttributeValueInvalid, "CKA_VALUE has the wrong length for its set");
  }
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  const auto push = [&](const char* name, const Bytes* octets) {
    return octets == nullptr || OSSL_PARAM_BLD_push_octet_string(
                                    builder.get(), name, octets->data(), octets->size()) == 1;
  };
  if (!builder || !push(kSeed, seed) || !push(OSSL_PKEY_PARAM_PRIV_KEY, value)) {
    return OpensslError("a private key");
  }
  return PkeyFromParams(set->name, EVP_PKEY_KEYPAIR, builder.get(), "CKA_SEED, CKA_VALUE");
}

Result<EvpPkey> Import(EvpPkey pkey) { return pkey; }

template <uint64_t key_type>
Result<wire::AttributeList> PublicAttributes(const EVP_PKEY* pkey) {
  KC_ASSIGN(const Bytes value, PkeyOctets(pkey, OSSL_PKEY_PARAM_PUB_KEY));
  wire::AttributeList attributes;
  attributes.SetUlong(CKA_PARAMETER_SET, ParameterSetOf(key_type, pkey)->number);
  attributes.Set(CKA_VALUE, value);
  return attributes;
}

template <uint64_t key_type>
Result<wire::AttributeList> SecretParts(const EVP_PKEY* pkey) {
  KC_ASSIGN(const Bytes value, PkeyOctets(pkey, OSSL_PKEY_PARAM_PRIV_KEY));
  wire::AttributeList attributes;
  attributes.Set(CKA_VALUE, value);
  // A key that came without its seed has none.
  const Result<Bytes> seed = PkeyOctets(pkey, kSeed);
  if (seed.ok()) attributes.Set(CKA_SEED, *seed);
  return attributes;
}

template <uint64_t key_type>
constexpr KeyType kOfSets = {key_type,
                             Is<key_type>,
                             PublicKey<key_type>,
                             PrivateKey<key_type>,
                             Import,
                             PublicAttributes<key_type>,
                             SecretParts<key_type>};

}  // namespace

const KeyType kMlDsaKeyType = kOfSets<CKK_ML_DSA>;
const KeyType kMlKemKeyType = kOfSets<CKK_ML_KEM>;
const KeyType kSlhDsaKeyType = kOfSets<CKK_SLH_DSA>;

}  // namespace keyclave::mech
