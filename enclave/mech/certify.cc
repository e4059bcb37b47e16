#include "enclave/mech/certify.h"

#include <openssl/rand.h>

#include "enclave/mech/evp.h"
#include "enclave/mech/families.h"
#include "enclave/mech/hash_alg.h"
#include "enclave/mech/x509_name.h"

namespace keyclave::mech {
namespace {

constexpr uint64_t kMaxDays = 3650;
constexpr UnixTime kBackdate = 60;  // seconds; for verifiers whose clock is a little behind
constexpr UnixTime kDay = 86400;
constexpr int kSerialBytes = 16;  // RFC 5280 §4.1.2.2 allows 20

void FreeExtensions(STACK_OF(X509_EXTENSION) * stack) {
  sk_X509_EXTENSION_pop_free(stack, X509_EXTENSION_free);
}
using Extensions = Owned<STACK_OF(X509_EXTENSION), FreeExtensions>;

// The digest of a certificate's signature: SHA-256 for RSA, as strong as the curve for EC (RFC 5480
// §4), none for keys that hash themselves (RFC 8410, RFC 9881, RFC 9909). nullopt: the key cannot
// sign certificates.
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

struct Plan {
  X509Name subject;
  GeneralNames names;
  bool has_names = false;
  bool names_critical = false;
  const EVP_MD* digest = nullptr;
};

Result<Plan> MakePlan(const Key& key, const wire::CertifyRequest& request) {
  if (key.object_class() != CKO_PRIVATE_KEY) return Fail(Code::kKeyTypeInconsistent);
  const std::optional<const EVP_MD*> digest = SignatureDigest(key);
  if (!digest.has_value()) return Fail(Code::kKeyTypeInconsistent, "the key cannot sign");
  Plan plan;
  plan.digest = *digest;
  KC_ASSIGN(plan.subject, ParseDistinguishedName(request.subject));
  KC_ASSIGN(plan.names, ParseAlternativeNames(request.names));
  plan.has_names = !request.names.empty();
  if (!request.subject.empty()) return plan;
  // RFC 5280 §4.1.2.6: without a subject, the alternative names are critical; an issuer must have
  // one.
  if (!plan.has_names) return Fail(Code::kInvalidArgument, "subject: neither subject nor names");
  if (request.kind == wire::CertifyKind::kSelfSigned) {
    return Fail(Code::kInvalidArgument, "subject: a self-signed certificate needs one");
  }
  plan.names_critical = true;
  return plan;
}

// The DER of a certificate or request.
template <class Thing>
Result<Bytes> Encode(const Thing* thing, int (*encode)(const Thing*, unsigned char**)) {
  const int size = encode(thing, nullptr);
  if (size <= 0) return OpensslError("encoding a certificate");
  Bytes der(static_cast<size_t>(size));
  uint8_t* next = der.data();
  if (encode(thing, &next) != size) return OpensslError("encoding a certificate");
  return der;
}

// The attestation's extension: an OCTET STRING in the extension's own.
bool AddAttestation(STACK_OF(X509_EXTENSION) * *stack, ByteSpan attestation) {
  const Asn1Object name(OBJ_txt2obj(wire::kKeyAttestationOid, 1));
  const OctetString inner(ASN1_OCTET_STRING_new());
  const OctetString outer(ASN1_OCTET_STRING_new());
  if (!name || !inner || !outer ||
      ASN1_OCTET_STRING_set(inner.get(), attestation.data(),
                            static_cast<int>(attestation.size())) != 1) {
    return false;
  }
  const auto value = Encode<ASN1_OCTET_STRING>(inner.get(), i2d_ASN1_OCTET_STRING);
  if (!value.ok() ||
      ASN1_OCTET_STRING_set(outer.get(), value->data(), static_cast<int>(value->size())) != 1) {
    return false;
  }
  const Owned<X509_EXTENSION, X509_EXTENSION_free> extension(
      X509_EXTENSION_create_by_OBJ(nullptr, name.get(), 0, outer.get()));
  return extension && X509v3_add_ext(stack, extension.get(), -1) != nullptr;
}

Result<Bytes> MakeRequest(const Key& key, const Plan& plan, ByteSpan attestation) {
  const X509Request made(X509_REQ_new_ex(Library(), nullptr));
  STACK_OF(X509_EXTENSION)* stack = nullptr;
  const bool extended =
      (!plan.has_names || X509V3_add1_i2d(&stack, NID_subject_alt_name, plan.names.get(),
                                          plan.names_critical ? 1 : 0, 0) == 1) &&
      (attestation.empty() || AddAttestation(&stack, attestation));
  const Extensions extensions(stack);
  if (!made || !extended || X509_REQ_set_version(made.get(), X509_REQ_VERSION_1) != 1 ||
      X509_REQ_set_subject_name(made.get(), plan.subject.get()) != 1 ||
      X509_REQ_set_pubkey(made.get(), key.pkey()) != 1 ||
      (extensions && X509_REQ_add_extensions(made.get(), extensions.get()) != 1) ||
      X509_REQ_sign(made.get(), key.pkey(), plan.digest) <= 0) {
    return OpensslError("making a certificate request");
  }
  return Encode<X509_REQ>(made.get(), i2d_X509_REQ);
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

Status SetValidity(X509* certificate, UnixTime now, uint64_t days) {
  if (days < 1 || days > kMaxDays) {
    return Fail(Code::kInvalidArgument, "days: 1 to " + std::to_string(kMaxDays));
  }
  const UnixTime end = now + static_cast<UnixTime>(days) * kDay;
  if (ASN1_TIME_set(X509_getm_notBefore(certificate), now - kBackdate) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(certificate), end) == nullptr) {
    return OpensslError("validity");
  }
  return Done{};
}

// CA:FALSE, digitalSignature (and keyEncipherment for RSA), serverAuth and clientAuth.
Status AddProfile(X509* certificate, const Key& key) {
  const Owned<BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free> constraints(BASIC_CONSTRAINTS_new());
  const Owned<ASN1_BIT_STRING, ASN1_BIT_STRING_free> usage(ASN1_BIT_STRING_new());
  const Owned<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free> purposes(EXTENDED_KEY_USAGE_new());
  const bool encipher = key.key_type() == CKK_RSA;
  if (!constraints || !usage || !purposes || ASN1_BIT_STRING_set_bit(usage.get(), 0, 1) != 1 ||
      (encipher && ASN1_BIT_STRING_set_bit(usage.get(), 2, 1) != 1) ||
      sk_ASN1_OBJECT_push(purposes.get(), OBJ_nid2obj(NID_server_auth)) <= 0 ||
      sk_ASN1_OBJECT_push(purposes.get(), OBJ_nid2obj(NID_client_auth)) <= 0 ||
      X509_add1_ext_i2d(certificate, NID_basic_constraints, constraints.get(), 1, 0) != 1 ||
      X509_add1_ext_i2d(certificate, NID_key_usage, usage.get(), 1, 0) != 1 ||
      X509_add1_ext_i2d(certificate, NID_ext_key_usage, purposes.get(), 0, 0) != 1) {
    return OpensslError("certificate extensions");
  }
  return Done{};
}

// RFC 5280 §4.2.1.2, method (1): the SHA-1 of the public key's bits.
Status AddKeyIdentifier(X509* certificate) {
  const ASN1_BIT_STRING* bits = X509_get0_pubkey_bitstr(certificate);
  const ByteSpan key =
      FromC(ASN1_STRING_get0_data(bits), static_cast<size_t>(ASN1_STRING_length(bits)));
  KC_ASSIGN(const Bytes digest, FindHash(&HashAlg::digest, CKM_SHA_1)->Digest(key));
  const OctetString identifier(ASN1_OCTET_STRING_new());
  if (!identifier ||
      ASN1_OCTET_STRING_set(identifier.get(), digest.data(), static_cast<int>(digest.size())) !=
          1 ||
      X509_add1_ext_i2d(certificate, NID_subject_key_identifier, identifier.get(), 0, 0) != 1) {
    return OpensslError("subject key identifier");
  }
  return Done{};
}

Result<Bytes> MakeSelfSigned(const Key& key, const Plan& plan, UnixTime now, uint64_t days) {
  const X509Cert made(X509_new_ex(Library(), nullptr));
  if (!made || X509_set_version(made.get(), X509_VERSION_3) != 1 ||
      X509_set_subject_name(made.get(), plan.subject.get()) != 1 ||
      X509_set_issuer_name(made.get(), plan.subject.get()) != 1 ||
      X509_set_pubkey(made.get(), key.pkey()) != 1) {
    return OpensslError("making a certificate");
  }
  KC_CHECK_OK(SetSerialNumber(made.get()));
  KC_CHECK_OK(SetValidity(made.get(), now, days));
  KC_CHECK_OK(AddProfile(made.get(), key));
  KC_CHECK_OK(AddKeyIdentifier(made.get()));
  if ((plan.has_names &&
       X509_add1_ext_i2d(made.get(), NID_subject_alt_name, plan.names.get(), 0, 0) != 1) ||
      X509_sign(made.get(), key.pkey(), plan.digest) <= 0) {
    return OpensslError("signing a certificate");
  }
  return Encode<X509>(made.get(), i2d_X509);
}

}  // namespace

Result<Bytes> Certify(const Key& private_key, const wire::CertifyRequest& request, UnixTime now,
                      ByteSpan attestation) {
  KC_ASSIGN(const Plan plan, MakePlan(private_key, request));
  if (request.kind == wire::CertifyKind::kRequest)
    return MakeRequest(private_key, plan, attestation);
  if (!attestation.empty())
    return Fail(Code::kInvalidArgument,
                "a key's attestation goes into a request, not a certificate");
  return MakeSelfSigned(private_key, plan, now, request.days);
}

}  // namespace keyclave::mech
