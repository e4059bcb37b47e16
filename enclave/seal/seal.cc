#include "enclave/seal/seal.h"

#include "enclave/base/byte_reader.h"
#include "enclave/base/cbor.h"
#include "enclave/keys/key_schedule.h"
#include "enclave/keys/seal.h"

namespace keyclave::seal {
namespace {

constexpr size_t kMaxBinding = 256;  // bytes
constexpr size_t kKeySize = 32;      // bytes

// As in every other key of ours: the platform's may be used by other programs for other things.
SecretBytes SealingKey(const SecretBytes& platform_key, const std::string& name) {
  return keys::KeySchedule(platform_key).PurposeKey("root secret/" + name, kKeySize);
}

Bytes AssociatedData(const std::string& name, ByteSpan binding) {
  ByteWriter out;
  out.PutPrefixed(AsBytes("keyclave/root-secret/1"));
  out.PutPrefixed(AsBytes(name));
  out.PutPrefixed(binding);
  return std::move(out).Finish();
}

}  // namespace

// CBOR: [binding (bytes), nonce | ciphertext | tag (bytes)]
Result<Bytes> KeySealer::Seal(const SecretBytes& root_secret) const {
  KC_ASSIGN(const Bytes binding, BindingOfNow());
  KC_ASSIGN(const SecretBytes platform_key, PlatformKey(binding));
  KC_ASSIGN(const Bytes sealed,
            keys::Seal(SealingKey(platform_key, Name()), AssociatedData(Name(), binding),
                       root_secret.Expose(SecretAccess())));
  CborWriter out;
  out.Array(2);
  out.ByteString(binding);
  out.ByteString(sealed);
  return std::move(out).Finish();
}

Result<SecretBytes> KeySealer::Unseal(ByteSpan sealed) const {
  CborReader in(sealed);
  KC_ASSIGN(const uint64_t items, in.Array(2));
  if (items != 2) return Fail(Code::kMalformed, "not a sealed root secret");
  KC_ASSIGN(const ByteSpan binding, in.ByteString(kMaxBinding));
  KC_ASSIGN(const ByteSpan box, in.ByteString(keys::kRootSecretSize + keys::kSealOverhead));
  KC_CHECK_OK(in.ExpectEnd());
  KC_ASSIGN(const SecretBytes platform_key, PlatformKey(binding));
  auto opened =
      keys::Unseal(SealingKey(platform_key, Name()), AssociatedData(Name(), binding), box);
  if (!opened.ok())
    return Fail(
        Code::kSealingKeyUnavailable,
        "the key of " + Name() + " is not the one that sealed the root secret: " + Advice());
  return SecretBytes::Take(*opened);
}

std::unique_ptr<keys::RootSealer> MakeRootSealer(const config::SealingConfig& sealing,
                                                 const attest::ProducerConfig& producer) {
  switch (sealing.by) {
    case config::SealingBy::kFile: return std::make_unique<keys::FileSealer>();
    case config::SealingBy::kGramine: return MakeGramineSealer(producer, sealing.sgx_identity);
    case config::SealingBy::kOcclum: return MakeOcclumSealer(producer, sealing.sgx_identity);
    case config::SealingBy::kSevSnp: return MakeSnpSealer(producer);
    case config::SealingBy::kTpm: return MakeTpmSealer(producer, sealing.pcrs);
  }
  return nullptr;
}

}  // namespace keyclave::seal
