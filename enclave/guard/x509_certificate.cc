// Certificates: everything of a TBSCertificate but its names.

#include <openssl/rsa.h>

#include <ctime>

#include "enclave/guard/der.h"
#include "enclave/guard/x509.h"
#include "enclave/mech/hash_alg.h"

namespace keyclave::guard {
namespace {

using authz::X509Constraints;

constexpr size_t kMaxSerial = 20;  // RFC 5280 §4.1.2.2
constexpr UnixTime kDay = 86400;
constexpr UnixTime kClockSkew = 3600;  // between the caller, who set the dates, and the enclave

Error Refuse(std::string what) { return Fail(Code::kInputRefused, std::move(what)); }

// The DER that an i2d function of OpenSSL makes; empty if it fails.
template <class Thing>
Bytes Encode(Thing* thing, int (*encode)(Thing*, unsigned char**)) {
  uint8_t* der = nullptr;
  const int size = encode(thing, &der);
  const mech::Owned<uint8_t, mech::OpensslFree> owned(der);
  return size > 0 ? ToBytes(FromC(der, static_cast<size_t>(size))) : Bytes();
}

Status CheckSerial(const ASN1_INTEGER* serial) {
  const ByteSpan magnitude =
      FromC(ASN1_STRING_get0_data(serial), static_cast<size_t>(ASN1_STRING_length(serial)));
  const bool positive =
      ASN1_STRING_type(serial) == V_ASN1_INTEGER &&
      std::any_of(magnitude.begin(), magnitude.end(), [](uint8_t byte) { return byte != 0; });
  if (!positive) return Refuse("the serial number is not positive");
  const size_t octets = magnitude.size() + (magnitude.front() >> 7);
  if (octets > kMaxSerial) return Refuse("the serial number is longer than 20 bytes");
  return Done{};
}

// RFC 5280 §4.1.2.5: UTCTime until 2049, GeneralizedTime from 2050, both in seconds and Zulu.
Result<UnixTime> ReadTime(const ASN1_TIME* time) {
  const bool utc = ASN1_STRING_type(time) == V_ASN1_UTCTIME;
  std::tm parts{};
  if (ASN1_STRING_length(time) != (utc ? 13 : 15) || ASN1_TIME_to_tm(time, &parts) != 1 ||
      (!utc && parts.tm_year < 150)) {
    return Refuse("a date is not in the form that RFC 5280 asks for");
  }
  return static_cast<UnixTime>(timegm(&parts));
}

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

Status CheckSignatureAlgorithm(const X509* certificate, const Context& context) {
  const ASN1_OBJECT* object = nullptr;
  int type = V_ASN1_UNDEF;
  const void* value = nullptr;
  X509_ALGOR_get0(&object, &type, &value, X509_get0_tbs_sigalg(certificate));
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
    return Refuse("the certificate names another signature algorithm than the one that signs it");
  if (used.key == NID_rsassaPss) {
    if (!context.mechanism.pss) return Refuse("RSA-PSS lacks its parameter");
    return CheckPssParams(value, type, *context.mechanism.pss);
  }
  // RFC 3279 §2.2.1: NULL for RSA; RFC 5758 §3.2, RFC 8410 §3: absent for the others.
  if (type != (used.key == NID_rsaEncryption ? V_ASN1_NULL : V_ASN1_UNDEF))
    return Refuse("the signature algorithm's parameters are not those that it has");
  return Done{};
}

Status CheckValidity(const X509Constraints& constraints, const X509* certificate, UnixTime now) {
  KC_ASSIGN(const UnixTime begin, ReadTime(X509_get0_notBefore(certificate)));
  KC_ASSIGN(const UnixTime end, ReadTime(X509_get0_notAfter(certificate)));
  if (end <= begin) return Refuse("it ends before it begins");
  if (!constraints.max_days) return Done{};
  const auto lifetime = static_cast<UnixTime>(*constraints.max_days) * kDay;
  // Counted from now as well: who may sign today shall not have certificates for years to come.
  if (end - begin > lifetime || end - now > lifetime + kClockSkew)
    return FailWanted(Code::kInputRefused, "it is valid for too long",
                      "at most " + std::to_string(*constraints.max_days) + " days from now",
                      FormatTime(begin) + " to " + FormatTime(end));
  return Done{};
}

Status CheckTbs(const X509Constraints& constraints, ByteSpan message, const Context& context) {
  if (!IsDer(message)) return Refuse("it is no DER");
  const auto certificate = ReadAsSigned<mech::X509Cert, X509_new_ex, d2i_X509>(message);
  if (certificate == nullptr)
    return mech::OpensslError(Code::kInputRefused, "it is no TBSCertificate");
  X509* const x509 = certificate.get();
  if (X509_get_version(x509) != X509_VERSION_3) return Refuse("its version is not 3");
  KC_CHECK_OK(CheckSerial(X509_get0_serialNumber(x509)));
  KC_CHECK_OK(CheckSignatureAlgorithm(x509, context));
  const Bytes issuer = Encode<const X509_NAME>(X509_get_issuer_name(x509), i2d_X509_NAME);
  if (X509_NAME_entry_count(X509_get_issuer_name(x509)) == 0) return Refuse("it has no issuer");
  const auto issuers = context.issuers;
  if (!issuers.empty() && std::find(issuers.begin(), issuers.end(), issuer) == issuers.end())
    return Refuse("its issuer is not the subject of the CA's own certificate");
  KC_CHECK_OK(CheckValidity(constraints, x509, context.now));
  const ASN1_BIT_STRING* issuer_uid = nullptr;
  const ASN1_BIT_STRING* subject_uid = nullptr;
  X509_get0_uids(x509, &issuer_uid, &subject_uid);
  // "CAs conforming to this profile MUST NOT generate certificates with unique identifiers"
  // (RFC 5280 §4.1.2.8).
  if (issuer_uid != nullptr || subject_uid != nullptr) return Refuse("it has a unique identifier");
  if (X509_get0_pubkey(x509) == nullptr)
    return mech::OpensslError(Code::kInputRefused, "its public key cannot be read");
  KC_CHECK_OK(CheckSubject(constraints, X509_get_subject_name(x509)));
  KC_CHECK_OK(CheckExtensions(constraints, x509));
  // What OpenSSL understood is all that there is: encoded anew, it is the same (this finds defaults
  // that are spelled out, which DER forbids).
  if (!Equal(Encode(x509, i2d_re_X509_tbs), message)) return Refuse("it is no DER");
  return Done{};
}

}  // namespace keyclave::guard
