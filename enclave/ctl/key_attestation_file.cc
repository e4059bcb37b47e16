#include "enclave/ctl/key_attestation_file.h"

#include <openssl/err.h>

#include "enclave/base/clock.h"
#include "enclave/ctl/key_file.h"
#include "enclave/ctl/key_text.h"
#include "enclave/mech/evp.h"

namespace keyclave::ctl {
namespace {

constexpr const char* kLabel = "KEYCLAVE KEY ATTESTATION";
constexpr std::string_view kBegin = "-----BEGIN KEYCLAVE KEY ATTESTATION-----";

Error Malformed(const std::string& what) { return Fail(Code::kEvidenceMalformed, what); }

Result<Bytes> DerOf(const char* label, ByteSpan pem) {
  auto der = DerOfPem(label, pem);
  if (!der.ok()) return Malformed("not PEM");
  return der;
}

using mech::Owned;
void FreeExtensions(STACK_OF(X509_EXTENSION) * stack) {
  sk_X509_EXTENSION_pop_free(stack, X509_EXTENSION_free);
}
using Extensions = Owned<STACK_OF(X509_EXTENSION), FreeExtensions>;

ByteSpan Octets(const ASN1_OCTET_STRING* string) {
  return FromC(ASN1_STRING_get0_data(string), static_cast<size_t>(ASN1_STRING_length(string)));
}

Result<mech::X509Request> ParseRequest(ByteSpan file) {
  Bytes der = ToBytes(file);
  if (AsText(file).find("-----BEGIN") != std::string_view::npos) {
    KC_ASSIGN(der, DerOf("CERTIFICATE REQUEST", file));
  }
  const uint8_t* next = der.data();
  mech::X509Request request(d2i_X509_REQ(nullptr, &next, static_cast<long>(der.size())));
  if (request == nullptr || next != der.data() + der.size()) {
    ERR_clear_error();
    return Malformed("not a certificate request");
  }
  return request;
}

// The contents of the attestation's extension; exactly one must be there.
Result<Bytes> ExtensionOf(X509_REQ* request) {
  const Extensions extensions(X509_REQ_get_extensions(request));
  const mech::Asn1Object wanted(OBJ_txt2obj(wire::kKeyAttestationOid, 1));
  if (!wanted) return mech::OpensslError("the extension's name");
  const int at =
      extensions == nullptr ? -1 : X509v3_get_ext_by_OBJ(extensions.get(), wanted.get(), -1);
  if (at < 0) return Malformed("the request carries no key attestation");
  if (X509v3_get_ext_by_OBJ(extensions.get(), wanted.get(), at) >= 0)
    return Malformed("the request carries two key attestations");
  const ByteSpan outer = Octets(X509_EXTENSION_get_data(X509v3_get_ext(extensions.get(), at)));
  const uint8_t* next = outer.data();
  const mech::OctetString inner(
      d2i_ASN1_OCTET_STRING(nullptr, &next, static_cast<long>(outer.size())));
  if (inner == nullptr || next != outer.data() + outer.size()) {
    ERR_clear_error();
    return Malformed("the extension is no OCTET STRING");
  }
  return ToBytes(Octets(inner.get()));
}

Result<Bytes> PublicKeyOf(X509_REQ* request) {
  uint8_t* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(request), &der);
  const Owned<uint8_t, mech::OpensslFree> owned(der);
  if (size <= 0) return mech::OpensslError("the request's public key");
  return ToBytes(FromC(der, static_cast<size_t>(size)));
}

}  // namespace

std::string KeyAttestationPem(const wire::KeyAttestation& attestation) {
  return ToPem(kLabel, wire::Encode(attestation));
}

bool IsKeyAttestation(std::string_view file) { return file.find(kBegin) != std::string_view::npos; }

Result<wire::KeyAttestation> ParseKeyAttestationPem(std::string_view file) {
  KC_ASSIGN(const Bytes bytes, DerOf(kLabel, AsBytes(file)));
  return wire::ParseKeyAttestation(bytes);
}

Result<wire::KeyAttestation> ReadRequestAttestation(ByteSpan file) {
  KC_ASSIGN(const mech::X509Request request, ParseRequest(file));
  if (X509_REQ_verify_ex(request.get(), X509_REQ_get0_pubkey(request.get()), mech::Library(),
                         nullptr) != 1) {
    ERR_clear_error();
    return Malformed("the request is not signed by its own key");
  }
  KC_ASSIGN(const Bytes extension, ExtensionOf(request.get()));
  KC_ASSIGN(wire::KeyAttestation attestation, wire::ParseKeyAttestation(extension));
  KC_ASSIGN(const wire::KeyDocument document, wire::ParseKeyDocument(attestation.document));
  KC_ASSIGN(const Bytes public_key, PublicKeyOf(request.get()));
  if (public_key != document.public_key_info)
    return Fail(Code::kCertificateMismatch, "the request is for another key than the attestation");
  return attestation;
}

Json KeyDocumentJson(const wire::KeyDocument& document) {
  wire::AttributeList type;
  type.SetUlong(CKA_KEY_TYPE, document.key_type);
  Json json = {{"enclave", document.enclave_id},
               {"token", document.token_label},
               {"serial", document.token_serial},
               {"object", ToHex(document.object)},
               {"public_key_info", ToBase64(document.public_key_info)},
               {"type", TypeText(type)},
               {"extractable", document.extractable},
               {"never_extractable", document.never_extractable},
               {"sensitive", document.sensitive},
               {"always_sensitive", document.always_sensitive},
               {"origin", document.local ? "generated" : "brought"},
               {"usage", document.usage},
               {"allowed_mechanisms", document.allowed_mechanisms}};
  json["generation_mechanism"] =
      document.generation_mechanism ? Json(*document.generation_mechanism) : Json(nullptr);
  json["created"] = FormatTime(document.created);
  json["creator_measurement"] = document.creator_measurement;
  json["policy"] = document.policy;
  json["policy_version"] = document.policy_version;
  json["policy_digest"] = ToHex(document.policy_digest);
  json["inherited"] = Json::array();
  for (const wire::InheritedPolicy& policy : document.inherited) {
    json["inherited"].push_back(
        {{"policy", policy.name}, {"version", policy.version}, {"digest", ToHex(policy.digest)}});
  }
  json["attested_at"] = FormatTime(document.attested_at);
  return json;
}

}  // namespace keyclave::ctl
