#include "enclave/sds/secret_maker.h"

#include "enclave/base/file.h"
#include "enclave/base/hash.h"
#include "enclave/client/key_reference.h"
#include "enclave/mech/certificate.h"
#include "enclave/sds/leaf_key.h"
#include "enclave/sds/messages.h"
#include "enclave/sds/pem.h"

namespace keyclave::sds {
namespace {

constexpr size_t kMaxTrustFile = size_t{1} << 20;  // bytes
constexpr uint64_t kMaxCas = 16;

bool IsSelfIssued(ByteSpan certificate) {
  const auto facts = mech::ReadCertificate(certificate);
  return facts.ok() && facts->subject == facts->issuer;
}

}  // namespace

Result<MadeSecret> EnclaveSecretMaker::Make(const std::string& name, const SecretConfig& secret) {
  if (const auto* certificate = std::get_if<CertificateSecret>(&secret))
    return MakeCertificate(name, *certificate);
  return MakeTrusted(name, std::get<TrustedCaSecret>(secret));
}

Result<MadeSecret> EnclaveSecretMaker::MakeCertificate(const std::string& name,
                                                       const CertificateSecret& secret) {
  KC_ASSIGN(const client::KeyUri uri, client::ParseKeyUri(secret.ca));
  KC_ASSIGN(const LeafKey key, LeafKey::Make(secret.key));
  wire::IssueCertificateRequest request;
  request.key = uri.object;
  request.key.object_class = CKO_PRIVATE_KEY;
  KC_ASSIGN(request.csr, key.Request());
  request.subject = secret.subject;
  request.names = secret.names;
  request.usages = secret.usages;
  request.validity = secret.ttl;
  KC_ASSIGN(const wire::IssueCertificateReply reply,
            client_.Call<wire::Op::kIssueCertificate>(request, uri.measurement));
  // Roots are known to whoever verifies; the rest of the chain is not.
  std::string chain = CertificatePem(reply.certificate);
  for (const Bytes& above : reply.chain) {
    if (!IsSelfIssued(above)) chain += CertificatePem(above);
  }
  KC_ASSIGN(const CertificateLife life, ReadLife(reply.certificate));
  KC_ASSIGN(const SecretBytes pem, key.Pem());
  MadeSecret made;
  made.version = life.serial;
  made.not_after = life.not_after;
  made.text = "serial " + life.serial + ", until " + FormatTime(life.not_after);
  made.encoded = EncodeCertificate(name, chain, pem);
  return made;
}

Result<MadeSecret> EnclaveSecretMaker::MakeTrusted(const std::string& name,
                                                   const TrustedCaSecret& secret) {
  std::string pem;
  if (secret.file.empty()) {
    KC_ASSIGN(pem, CertificatesOf(secret.ca));
  } else {
    KC_ASSIGN(const Bytes file, ReadFile(secret.file, kMaxTrustFile));
    pem = AsText(file);
    if (pem.find("-----BEGIN CERTIFICATE-----") == std::string::npos ||
        pem.find("PRIVATE KEY") != std::string::npos) {
      return Fail(Code::kMalformed, secret.file + ": wanted certificates in PEM, and nothing else");
    }
  }
  MadeSecret made;
  made.version = ToHex(Sha256(AsBytes(pem)));
  made.text = "SHA-256 " + made.version;
  made.encoded = EncodeTrustedCa(name, pem);
  return made;
}

Result<std::string> EnclaveSecretMaker::CertificatesOf(const std::string& uri) {
  KC_ASSIGN(const client::KeyUri parsed, client::ParseKeyUri(uri));
  wire::ObjectRef key = parsed.object;
  key.object_class = CKO_PRIVATE_KEY;
  KC_ASSIGN(const auto ca, client_.Call<wire::Op::kGetObject>({key}, parsed.measurement));
  const wire::AttributeList& attributes = ca.object.attributes;
  const Bytes* id = attributes.Find(CKA_ID);
  const Bytes* spki = attributes.Find(CKA_PUBLIC_KEY_INFO);
  if (id == nullptr || spki == nullptr) return Fail(Code::kIssuerUnfit, "the key has no id");
  wire::FindObjectsRequest request;
  request.token = ca.object.token;
  request.match.SetUlong(CKA_CLASS, CKO_CERTIFICATE);
  request.match.Set(CKA_ID, *id);
  request.limit = kMaxCas;
  KC_ASSIGN(const auto found, client_.Call<wire::Op::kFindObjects>(request, parsed.measurement));
  std::string pem;
  for (const wire::ObjectInfo& object : found.objects) {
    const Bytes* der = object.attributes.Find(CKA_VALUE);
    if (der == nullptr) continue;
    const auto facts = mech::ReadCertificate(*der);
    if (facts.ok() && facts->public_key_info == *spki) pem += CertificatePem(*der);
  }
  if (pem.empty()) return Fail(Code::kIssuerUnfit, "the token has no certificate of the CA");
  return pem;
}

}  // namespace keyclave::sds
