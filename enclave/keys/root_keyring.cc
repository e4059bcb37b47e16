#include "enclave/keys/root_keyring.h"

#include <algorithm>

namespace keyclave::keys {

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

}  // namespace keyclave::keys
