#include "enclave/mech/certify.h"

#include "enclave/mech/certificate_parts.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/families.h"
#include "enclave/mech/x509_name.h"

namespace keyclave::mech {
namespace {

constexpr uint64_t kMaxDays = 3650;
constexpr UnixTime kDay = 86400;

void FreeExtensions(STACK_OF(X509_EXTENSION) * stack) {
  sk_X509_EXTENSION_pop_free(stack, X509_EXTENSION_free);
}
using Extensions = Owned<STACK_OF(X509_EXTENSION), FreeExtensions>;

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
  if (plan.has_names && request.kind == wire::CertifyKind::kSelfSignedCa)
    return Fail(Code::kInvalidArgument, "names: a CA's certificate is for no host");
  if (!request.subject.empty()) return plan;
  // RFC 5280 §4.1.2.6: without a subject, the alternative names are critical; an issuer must have
  // one.
  if (!plan.has_names) return Fail(Code::kInvalidArgument, "subject: neither subject nor names");
  if (request.kind != wire::CertifyKind::kRequest) {
    return Fail(Code::kInvalidArgument, "subject: a self-signed certificate needs one");
  }
  plan.names_critical = true;
  return plan;
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
  const auto value = EncodeDer<ASN1_OCTET_STRING>(inner.get(), i2d_ASN1_OCTET_STRING);
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
  return EncodeDer<X509_REQ>(made.get(), i2d_X509_REQ);
}

Result<Bytes> MakeSelfSigned(const Key& key, const Plan& plan, UnixTime now,
                             const wire::CertifyRequest& request) {
  if (request.days < 1 || request.days > kMaxDays)
    return Fail(Code::kInvalidArgument, "days: 1 to " + std::to_string(kMaxDays));
  const UnixTime end = now + static_cast<UnixTime>(request.days) * kDay;
  const X509Cert made(X509_new_ex(Library(), nullptr));
  if (!made || X509_set_version(made.get(), X509_VERSION_3) != 1 ||
      X509_set_subject_name(made.get(), plan.subject.get()) != 1 ||
      X509_set_issuer_name(made.get(), plan.subject.get()) != 1 ||
      X509_set_pubkey(made.get(), key.pkey()) != 1) {
    return OpensslError("making a certificate");
  }
  KC_CHECK_OK(SetSerialNumber(made.get()));
  KC_CHECK_OK(SetValidity(made.get(), now - kBackdate, end));
  if (request.kind == wire::CertifyKind::kSelfSignedCa) {
    KC_CHECK_OK(AddCaProfile(made.get()));
  } else {
    KC_CHECK_OK(AddLeafProfile(made.get(), {NID_server_auth, NID_client_auth}));
  }
  KC_CHECK_OK(AddKeyIdentifier(made.get()));
  if ((plan.has_names &&
       X509_add1_ext_i2d(made.get(), NID_subject_alt_name, plan.names.get(), 0, 0) != 1) ||
      X509_sign(made.get(), key.pkey(), plan.digest) <= 0) {
    return OpensslError("signing a certificate");
  }
  return EncodeDer<X509>(made.get(), i2d_X509);
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
  return MakeSelfSigned(private_key, plan, now, request);
}

}  // namespace keyclave::mech
