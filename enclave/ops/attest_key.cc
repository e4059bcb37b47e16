#include "enclave/ops/attest_key.h"

#include "attest/key_binding.h"
#include "enclave/base/byte_reader.h"
#include "enclave/ops/handlers.h"
#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::ops {
namespace {

struct UsageWord {
  uint64_t attribute;
  std::string_view word;
};
constexpr UsageWord kUsage[] = {
    {CKA_SIGN, "sign"},     {CKA_DECRYPT, "decrypt"},         {CKA_UNWRAP, "unwrap"},
    {CKA_DERIVE, "derive"}, {CKA_DECAPSULATE, "decapsulate"}, {CKA_SIGN_RECOVER, "sign-recover"}};

Result<std::vector<uint64_t>> AllowedMechanisms(const wire::AttributeList& attributes) {
  std::vector<uint64_t> allowed;
  const Bytes* value = attributes.Find(CKA_ALLOWED_MECHANISMS);
  if (value == nullptr) return allowed;
  ByteReader reader(*value);
  while (reader.remaining() > 0) {
    KC_ASSIGN(const uint64_t type, reader.TakeLe<uint64_t>());
    allowed.push_back(type);
  }
  return allowed;
}

// What the key is, from its attributes: those that the enclave keeps and no caller can set freely.
Result<wire::KeyDocument> DescribeKey(const Call& call, const keys::Object& key) {
  const wire::AttributeList& attributes = key.attributes;
  wire::KeyDocument document;
  document.label = wire::kKeyDocumentLabel;
  document.enclave_id = call.service.store.enclave_id();
  KC_ASSIGN(const keys::Token token, call.service.store.FindToken(key.token));
  document.token_serial = token.Serial();
  document.token_label = token.label;
  document.object = key.id;
  document.public_key_info = *attributes.Find(CKA_PUBLIC_KEY_INFO);
  document.key_type = attributes.Ulong(CKA_KEY_TYPE).value_or(CK_UNAVAILABLE_INFORMATION);
  document.extractable = attributes.IsTrue(CKA_EXTRACTABLE);
  document.never_extractable = attributes.IsTrue(CKA_NEVER_EXTRACTABLE);
  document.sensitive = attributes.IsTrue(CKA_SENSITIVE);
  document.always_sensitive = attributes.IsTrue(CKA_ALWAYS_SENSITIVE);
  document.local = attributes.IsTrue(CKA_LOCAL);
  for (const UsageWord& usage : kUsage) {
    if (attributes.IsTrue(usage.attribute)) document.usage.emplace_back(usage.word);
  }
  KC_ASSIGN(document.allowed_mechanisms, AllowedMechanisms(attributes));
  const auto generation = attributes.Ulong(CKA_KEY_GEN_MECHANISM);
  if (generation && *generation != CK_UNAVAILABLE_INFORMATION)
    document.generation_mechanism = *generation;
  document.created = static_cast<int64_t>(attributes.Ulong(kCkaCreated).value_or(0));
  document.creator_measurement = attributes.Text(kCkaCreatorMeasurement);
  KC_ASSIGN(const auto policy, call.service.policies.OfObject(call.service.store, key));
  document.policy = policy->name();
  document.policy_version = policy->version();
  document.policy_digest = policy->digest();
  for (const std::string& name : key.inherited) {
    KC_ASSIGN(const auto parent, call.service.policies.Named(call.service.store, key.token, name));
    document.inherited.push_back({parent->name(), parent->version(), parent->digest()});
  }
  document.attested_at = call.now;
  return document;
}

}  // namespace

Result<wire::KeyAttestation> AttestKeyOf(const Call& call, const keys::Object& key,
                                         ByteSpan nonce) {
  const Bytes* spki = key.attributes.Find(CKA_PUBLIC_KEY_INFO);
  if (key.Class() != CKO_PRIVATE_KEY || spki == nullptr)
    return Fail(Code::kKeyTypeInconsistent, "only a private key");
  if (nonce.size() > wire::kMaxAttestationNonce)
    return Fail(Code::kTooLarge, "a nonce of more than 64 bytes");
  const session::HandshakeContext& own = call.service.handshake;
  const attest::TeeType* type = attest::FindTeeType(own.evidence_type);
  if (type == nullptr) return Fail(Code::kEvidenceUnknownType, own.evidence_type);
  KC_ASSIGN(const wire::KeyDocument document, DescribeKey(call, key));
  wire::KeyAttestation attestation;
  attestation.evidence_type = own.evidence_type;
  attestation.nonce = ToBytes(nonce);
  attestation.document = wire::Encode(document);
  KC_ASSIGN(attestation.evidence,
            type->produce(attest::ComputeKeyReportData(nonce, attestation.document), own.producer,
                          call.now));
  return attestation;
}

ReplyOf<Op::kAttestKey> AttestKey(Call& call, const wire::AttestKeyRequest& request,
                                  const AuthorizedObject& key) {
  KC_ASSIGN(wire::KeyAttestation attestation, AttestKeyOf(call, key.object(), request.nonce));
  return wire::AttestKeyReply{std::move(attestation)};
}

}  // namespace keyclave::ops
