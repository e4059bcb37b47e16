#include "enclave/ctl/new_objects.h"

#include "enclave/ctl/cmd_cert.h"

namespace keyclave::ctl {
namespace {

// Who signs does so at once: nothing here can wait in a file (--out).
template <class Reply>
Result<Reply> AtOnce(Result<std::optional<Reply>> reply) {
  if (!reply.ok()) return std::move(reply).error();
  if (!reply->has_value()) return Fail(Code::kInternal, "a session's object in a file");
  return **std::move(reply);
}

NewKey SessionKey(const WantedSecret& wanted) {
  return {.label = wanted.name,
          .id = {},
          .policy = {},
          .usage = wanted.usage,
          .extractable = wanted.extractable,
          .persistent = false};
}

}  // namespace

void NewObjects::Add(const wire::ObjectInfo& object, const std::string& policy) {
  made_.push_back({object.id, policy});
}

Status NewObjects::Make(const SecretStep& step) {
  const WantedSecret& wanted = *step.wanted;
  if (wanted.kind == SecretKind::kData || wanted.kind == SecretKind::kConfiguration)
    return MakeData(wanted);
  if (wanted.key_type.kind == KeyType::Kind::kAes) return MakeSecretKey(wanted);
  KC_ASSIGN(const Pair pair, MakePair(wanted));
  Add(pair.private_key, wanted.policy);
  Add(pair.public_key, step.public_policy);
  if (wanted.kind != SecretKind::kCertificate) return Done{};
  return MakeCertificate(step, pair.private_key);
}

Result<NewObjects::Pair> NewObjects::MakePair(const WantedSecret& wanted) {
  KC_ASSIGN(KeyTemplates templates, MakeKeyTemplates(SessionKey(wanted), wanted.key_type));
  if (!wanted.value.has_value()) {
    KC_ASSIGN(const auto request, GenerateKeyPair(token_.id, wanted.key_type, templates));
    KC_ASSIGN(const auto made, AtOnce(enclave_.Change<wire::Op::kGenerateKeyPair>(request)));
    return Pair{made.public_key, made.private_key};
  }
  wire::ImportKeyRequest request;
  request.token = token_.id;
  request.pkcs8 = wanted.value->Clone();
  request.public_attributes = std::move(templates.public_attributes);
  request.private_attributes = std::move(templates.private_attributes);
  KC_ASSIGN(const auto made, AtOnce(enclave_.Change<wire::Op::kImportKey>(request)));
  return Pair{made.public_key, made.private_key};
}

Status NewObjects::MakeSecretKey(const WantedSecret& wanted) {
  KC_ASSIGN(KeyTemplates templates, MakeKeyTemplates(SessionKey(wanted), wanted.key_type));
  if (!wanted.value.has_value()) {
    const auto request = GenerateSecretKey(token_.id, wanted.key_type, templates);
    KC_ASSIGN(const auto made, AtOnce(enclave_.Change<wire::Op::kGenerateKey>(request)));
    Add(made.object, wanted.policy);
    return Done{};
  }
  wire::AttributeList attributes = std::move(templates.private_attributes);
  attributes.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
  attributes.SetUlong(CKA_KEY_TYPE, CKK_AES);
  attributes.Set(CKA_VALUE, wanted.value->Expose(SecretAccess()));
  KC_ASSIGN(const wire::ObjectInfo made, Create(std::move(attributes)));
  Add(made, wanted.policy);
  return Done{};
}

Status NewObjects::MakeCertificate(const SecretStep& step, const wire::ObjectInfo& key) {
  wire::CertifyRequest request;
  request.key = RefTo(key);
  request.kind =
      step.wanted->is_ca ? wire::CertifyKind::kSelfSignedCa : wire::CertifyKind::kSelfSigned;
  request.subject = step.wanted->subject;
  request.names = step.wanted->names;
  request.days = step.wanted->days;
  KC_ASSIGN(const auto signed_by_key, AtOnce(enclave_.Change<wire::Op::kCertify>(request)));
  KC_ASSIGN(const Certificate certificate, ParseCertificate(signed_by_key.der));
  wire::AttributeList attributes = CertificateAttributes(certificate, /*persistent=*/false);
  attributes.SetText(CKA_LABEL, step.wanted->name);
  const Bytes* id = key.attributes.Find(CKA_ID);
  if (id != nullptr) attributes.Set(CKA_ID, *id);
  KC_ASSIGN(const wire::ObjectInfo made, Create(std::move(attributes)));
  Add(made, step.public_policy);
  return Done{};
}

Status NewObjects::MakeData(const WantedSecret& wanted) {
  wire::AttributeList attributes;
  attributes.SetUlong(CKA_CLASS, CKO_DATA);
  attributes.SetBool(CKA_TOKEN, false);
  attributes.SetBool(CKA_PRIVATE, true);
  attributes.SetText(CKA_LABEL, wanted.name);
  if (wanted.kind == SecretKind::kConfiguration)
    attributes.SetText(CKA_APPLICATION, kConfigurationApplication);
  attributes.Set(CKA_VALUE, wanted.value->Expose(SecretAccess()));
  KC_ASSIGN(const wire::ObjectInfo made, Create(std::move(attributes)));
  Add(made, wanted.policy);
  return Done{};
}

Result<wire::ObjectInfo> NewObjects::Create(wire::AttributeList attributes) {
  KC_ASSIGN(const auto made,
            AtOnce(enclave_.Change<wire::Op::kCreateObject>({token_.id, std::move(attributes)})));
  return made.object;
}

Result<wire::KeepObjectsReply> NewObjects::Keep(const Plan& plan) {
  wire::KeepObjectsRequest request;
  request.token = token_.id;
  request.objects = made_;
  for (const PolicyStep& step : plan.policies) {
    if (step.action != PolicyStep::Action::kNothing) request.policies.push_back(step.text);
  }
  return AtOnce(enclave_.Change<wire::Op::kKeepObjects>(request));
}

}  // namespace keyclave::ctl
