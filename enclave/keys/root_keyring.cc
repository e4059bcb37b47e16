#include "enclave/keys/root_keyring.h"

#include <algorithm>

#include "enclave/wire/codec.h"
#include "enclave/wire/fleet_messages.h"

namespace keyclave::keys {
namespace {

// The first secret, the later ones, the oldest that seals, the machine's own key.
struct KeyringBody {
  SecretBytes first;
  std::vector<wire::RootGeneration> later;
  uint64_t oldest = 0;
  std::optional<SecretBytes> member_key = {};
  KC_FIELDS_4(first, later, oldest, member_key)
};

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

SecretBytes RootKeyring::Encode() const {
  KeyringBody body{first().Clone(), {}, oldest, std::nullopt};
  for (const auto& [generation, secret] : secrets) {
    if (generation != kFirstGeneration) body.later.push_back({generation, secret.Clone()});
  }
  if (!member_key.empty()) body.member_key = member_key.Clone();
  Bytes encoded = wire::Encode(body);
  return SecretBytes::Take(encoded);
}

Result<RootKeyring> RootKeyring::Decode(const SecretBytes& encoded) {
  KC_ASSIGN(KeyringBody body, wire::Decode<KeyringBody>(encoded.Expose(SecretAccess())));
  RootKeyring keyring(body.first);
  for (wire::RootGeneration& one : body.later)
    keyring.secrets.emplace(static_cast<uint32_t>(one.number), std::move(one.secret));
  keyring.oldest = static_cast<uint32_t>(body.oldest);
  if (body.member_key.has_value()) keyring.member_key = std::move(*body.member_key);
  if (!keyring.IsValid()) return Fail(Code::kRootSecretInvalid, "a keyring that cannot be");
  return keyring;
}

}  // namespace keyclave::keys
