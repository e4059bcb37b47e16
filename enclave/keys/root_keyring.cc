#include "enclave/keys/root_keyring.h"

#include <algorithm>

#include "enclave/base/byte_reader.h"

namespace keyclave::keys {
namespace {

constexpr size_t kEntry = sizeof(uint32_t) + kRootSecretSize;

ByteArray<4> BigEndian(uint32_t value) {
  return {static_cast<uint8_t>(value >> 24), static_cast<uint8_t>(value >> 16),
          static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)};
}

}  // namespace

RootKeyring RootKeyring::Shareable() const {
  RootKeyring copy;
  for (const auto& [generation, secret] : secrets) copy.secrets.emplace(generation, secret.Clone());
  copy.oldest = oldest;
  return copy;
}

RootKeyring RootKeyring::Clone() const {
  RootKeyring copy = Shareable();
  copy.member_key = member_key.Clone();
  return copy;
}

bool RootKeyring::IsValid() const {
  return secrets.size() <= kMaxGenerations && secrets.contains(kFirstGeneration) &&
         secrets.contains(oldest) &&
         std::all_of(secrets.begin(), secrets.end(), [](const auto& one) {
           return one.first >= kFirstGeneration && one.second.size() == kRootSecretSize;
         });
}

// u32 oldest, then of each generation u32 number and the secret.
SecretBytes RootKeyring::Encode() const {
  SecretBytes bytes(sizeof(uint32_t) + secrets.size() * kEntry);
  std::span<uint8_t> to = bytes.ExposeMutable(SecretAccess());
  const auto put = [&](ByteSpan part) {
    std::copy(part.begin(), part.end(), to.begin());
    to = to.subspan(part.size());
  };
  put(BigEndian(oldest));
  for (const auto& [generation, secret] : secrets) {
    put(BigEndian(generation));
    put(secret.Expose(SecretAccess()));
  }
  return bytes;
}

Result<RootKeyring> RootKeyring::Decode(const SecretBytes& bytes) {
  const Error wrong = Fail(Code::kRootSecretInvalid, "the secrets are not those of an enclave");
  ByteReader reader(bytes.Expose(SecretAccess()));
  RootKeyring keyring;
  KC_ASSIGN(keyring.oldest, reader.TakeBe<uint32_t>());
  while (reader.remaining() != 0) {
    const auto generation = reader.TakeBe<uint32_t>();
    const auto secret = reader.Take(kRootSecretSize);
    if (!generation.ok() || !secret.ok()) return wrong;
    keyring.secrets.emplace(*generation, SecretBytes::CopyOf(*secret));
  }
  if (!keyring.IsValid()) return wrong;
  return keyring;
}

}  // namespace keyclave::keys
