#include "enclave/keys/member_key.h"

#include "enclave/base/byte_reader.h"
#include "enclave/base/hash.h"
#include "enclave/mech/hpke.h"
#include "enclave/wire/codec.h"

namespace keyclave::keys {
namespace {

constexpr std::string_view kInfo = "keyclave/root-generation/1";  // HPKE's `info`
constexpr size_t kScalarSize = 32;
// OBJECT IDENTIFIER prime256v1 (RFC 5480 §2.1.1.1), DER.
constexpr uint8_t kP256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

Result<std::shared_ptr<const mech::Key>> PrivateKey(const SecretBytes& member_key) {
  wire::AttributeList attributes;
  attributes.SetUlong(CKA_CLASS, CKO_PRIVATE_KEY);
  attributes.SetUlong(CKA_KEY_TYPE, CKK_EC);
  attributes.Set(CKA_EC_PARAMS, kP256);
  wire::AttributeList with_value = attributes;
  with_value.Set(CKA_VALUE, member_key.Expose(SecretAccess()));
  KC_ASSIGN(const mech::NewKey made, mech::MaterialFromTemplate(with_value));
  return mech::LoadKey(attributes, made.material);
}

// What a share is bound to.
Bytes AssociatedData(const GenerationFor& whom) {
  ByteWriter out;
  out.PutPrefixed(whom.enclave_id);
  out.PutBe(whom.generation);
  out.PutPrefixed(AsBytes(whom.member));
  return std::move(out).Finish();
}

}  // namespace

// Rejection sampling (FIPS 186-5 A.2.2): a candidate that is no scalar of the curve, once in 2^32,
// gives way to the next.
SecretBytes NewMemberKey() {
  for (;;) {
    SecretBytes candidate(kScalarSize);
    RandomFill(candidate.ExposeMutable(SecretAccess()));
    if (PrivateKey(candidate).ok()) return candidate;
  }
}

Result<Bytes> MemberPublicKey(const SecretBytes& member_key) {
  KC_ASSIGN(const std::shared_ptr<const mech::Key> key, PrivateKey(member_key));
  return mech::PublicKeyInfo(*key);
}

Status CheckMemberPublicKey(ByteSpan public_key) {
  KC_ASSIGN(const std::shared_ptr<const mech::Key> key, mech::PublicKeyFromInfo(public_key));
  if (mech::HpkeFits(mech::HpkeKem::kP256, *key)) return Done{};
  return Fail(Code::kKeyTypeInconsistent, "a member's key is of the curve P-256");
}

// The number, big-endian, in the last bytes of the id.
RecordKey GenerationRecordKey(uint32_t generation) {
  RecordKey key{RecordType::kGeneration, {}, {}};
  for (size_t i = 0; i < 4; ++i)
    key.id[key.id.size() - 1 - i] = static_cast<uint8_t>(generation >> (8 * i));
  return key;
}

Result<Bytes> WrapGeneration(const GenerationFor& whom, ByteSpan public_key,
                             const SecretBytes& secret) {
  KC_ASSIGN(const std::shared_ptr<const mech::Key> key, mech::PublicKeyFromInfo(public_key));
  return mech::HpkeSeal(mech::HpkeKem::kP256, *key, AsBytes(kInfo), AssociatedData(whom),
                        secret.Expose(SecretAccess()));
}

Result<SecretBytes> UnwrapGeneration(const GenerationFor& whom, const SecretBytes& member_key,
                                     ByteSpan body) {
  const auto record = wire::Decode<GenerationRecord>(body);
  if (!record.ok() || record->generation != whom.generation)
    return Fail(Code::kStoreCorrupt, "a generation's record that contradicts itself");
  const auto share = std::find_if(record->shares.begin(), record->shares.end(),
                                  [&](const auto& one) { return one.member == whom.member; });
  if (share == record->shares.end() || member_key.empty())
    return Fail(Code::kFleetRemoved, "the fleet has gone on without " + whom.member +
                                         ": to come back it has to join anew");
  KC_ASSIGN(const std::shared_ptr<const mech::Key> key, PrivateKey(member_key));
  Result<SecretBytes> secret = mech::HpkeOpen(mech::HpkeKem::kP256, *key, AsBytes(kInfo),
                                              AssociatedData(whom), share->wrapped);
  if (!secret.ok())
    return Fail(Code::kFleetRemoved, "another machine is the fleet's " + whom.member + " now");
  if (secret->size() != kRootSecretSize)
    return Fail(Code::kStoreCorrupt, "a generation's secret of another size");
  return secret;
}

}  // namespace keyclave::keys
