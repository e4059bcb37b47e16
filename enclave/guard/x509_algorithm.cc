// The signature algorithm that certificates and revocation lists name: the mechanism that signs
// them.

#include <openssl/rsa.h>

#include "enclave/guard/x509.h"
#include "enclave/mech/hash_alg.h"

namespace keyclave::guard {
namespace {

Error Refuse(std::string what) { return Fail(Code::kInputRefused, std::move(what)); }

// The hash that a mechanism signs certificates with, and the kind of key; none for EdDSA.
struct Algorithm {
  const mech::HashAlg* hash = nullptr;
  int key = NID_undef;
};

Algorithm AlgorithmOf(uint64_t type) {
  if (const auto* hash = mech::FindHash(&mech::HashAlg::ecdsa, type))
    return {hash, NID_X9_62_id_ecPublicKey};
  if (const auto* hash = mech::FindHash(&mech::HashAlg::rsa_pkcs1, type))
    return {hash, NID_rsaEncryption};
  if (const auto* hash = mech::FindHash(&mech::HashAlg::rsa_pss, type))
    return {hash, NID_rsassaPss};
  return {};
}

bool NamesHash(const X509_ALGOR* algorithm, const mech::HashAlg& hash) {
  const ASN1_OBJECT* object = nullptr;
  if (algorithm == nullptr) return hash.digest == CKM_SHA_1;  // the default of RFC 4055 §3.1
  X509_ALGOR_get0(&object, nullptr, nullptr, algorithm);
  return OBJ_obj2nid(object) == EVP_MD_get_type(hash.md());
}

// MGF1 with this hash, which stands in its parameter.
bool NamesMask(const X509_ALGOR* mask, const mech::HashAlg& hash) {
  if (mask == nullptr) return NamesHash(nullptr, hash);
  const ASN1_OBJECT* object = nullptr;
  int type = V_ASN1_UNDEF;
  const void* value = nullptr;
  X509_ALGOR_get0(&object, &type, &value, mask);
  if (OBJ_obj2nid(object) != NID_mgf1 || type != V_ASN1_SEQUENCE) return false;
  const auto* const der = static_cast<const ASN1_STRING*>(value);
  const uint8_t* next = ASN1_STRING_get0_data(der);
  const mech::Owned<X509_ALGOR, X509_ALGOR_free> inner(
      d2i_X509_ALGOR(nullptr, &next, ASN1_STRING_length(der)));
  return inner != nullptr && NamesHash(inner.get(), hash);
}

using PssParams = mech::Owned<RSA_PSS_PARAMS, RSA_PSS_PARAMS_free>;

// RFC 4055 §3.1, against the mechanism's own parameter.
Status CheckPssParams(const void* value, int type, const wire::PssParam& used) {
  constexpr uint64_t kDefaultSalt = 20;
  const auto* const hash = mech::FindHash(&mech::HashAlg::digest, used.hash);
  const auto* const mgf = mech::FindHash(&mech::HashAlg::mgf, used.mgf);
  if (type != V_ASN1_SEQUENCE || hash == nullptr || mgf == nullptr)
    return Refuse("the parameters of RSA-PSS are missing");
  const auto* const der = static_cast<const ASN1_STRING*>(value);
  const uint8_t* next = ASN1_STRING_get0_data(der);
  const PssParams params(d2i_RSA_PSS_PARAMS(nullptr, &next, ASN1_STRING_length(der)));
  if (params == nullptr) return mech::OpensslError(Code::kInputRefused, "RSA-PSS");
  const uint64_t salt = params->saltLength == nullptr
                            ? kDefaultSalt
                            : static_cast<uint64_t>(ASN1_INTEGER_get(params->saltLength));
  const bool agrees = NamesHash(params->hashAlgorithm, *hash) && salt == used.salt_length &&
                      NamesMask(params->maskGenAlgorithm, *mgf) && params->trailerField == nullptr;
  if (!agrees) return Refuse("the parameters of RSA-PSS are not those of the mechanism");
  return Done{};
}

// The table of OpenSSL 3.0 lacks ECDSA with SHA-3.
int SignatureId(const Algorithm& used) {
  constexpr struct {
    uint64_t mechanism;
    int nid;
  } kEcdsaSha3[] = {{CKM_ECDSA_SHA3_224, NID_ecdsa_with_SHA3_224},
                    {CKM_ECDSA_SHA3_256, NID_ecdsa_with_SHA3_256},
                    {CKM_ECDSA_SHA3_384, NID_ecdsa_with_SHA3_384},
                    {CKM_ECDSA_SHA3_512, NID_ecdsa_with_SHA3_512}};
  for (const auto& row : kEcdsaSha3) {
    if (used.key == NID_X9_62_id_ecPublicKey && used.hash->ecdsa == row.mechanism) return row.nid;
  }
  int nid = NID_undef;
  OBJ_find_sigid_by_algs(&nid, EVP_MD_get_type(used.hash->md()), used.key);
  return nid;
}

int KeyAlgorithm(ByteSpan public_key_info) {
  const uint8_t* next = public_key_info.data();
  const mech::EvpPkey key(d2i_PUBKEY_ex(nullptr, &next, static_cast<long>(public_key_info.size()),
                                        mech::Library(), nullptr));
  return key == nullptr ? NID_undef : EVP_PKEY_get_base_id(key.get());
}

}  // namespace

Status CheckSignatureAlgorithm(const X509_ALGOR* algorithm, const Context& context) {
  const ASN1_OBJECT* object = nullptr;
  int type = V_ASN1_UNDEF;
  const void* value = nullptr;
  X509_ALGOR_get0(&object, &type, &value, algorithm);
  const int named = OBJ_obj2nid(object);
  const Algorithm used = AlgorithmOf(context.mechanism.type);
  int wanted = NID_undef;
  if (used.key == NID_rsassaPss) {
    wanted = NID_rsassaPss;
  } else if (used.hash != nullptr) {
    wanted = SignatureId(used);
  } else if (context.mechanism.type == CKM_EDDSA) {
    wanted = KeyAlgorithm(context.public_key_info);
  }
  if (wanted == NID_undef || named != wanted)
    return Refuse("it names another signature algorithm than the one that signs it");
  if (used.key == NID_rsassaPss) {
    if (!context.mechanism.pss) return Refuse("RSA-PSS lacks its parameter");
    return CheckPssParams(value, type, *context.mechanism.pss);
  }
  // RFC 3279 §2.2.1: NULL for RSA; RFC 5758 §3.2, RFC 8410 §3: absent for the others.
  if (type != (used.key == NID_rsaEncryption ? V_ASN1_NULL : V_ASN1_UNDEF))
    return Refuse("the signature algorithm's parameters are not those that it has");
  return Done{};
}

}  // namespace keyclave::guard
