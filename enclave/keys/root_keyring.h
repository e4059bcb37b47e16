// Every generation of the root secret that this machine has, and its own key pair, to which other
// members of the fleet encrypt the next one.
//
// Generation 1 names things (the enclave, its rows, keys for other purposes) and stays for ever.
// The newest one seals. Those in between are there as long as rows are sealed under them.
#pragma once

#include <map>

#include "enclave/base/secret_bytes.h"

namespace keyclave::keys {

inline constexpr size_t kRootSecretSize = 32;  // bytes
inline constexpr uint32_t kFirstGeneration = 1;
inline constexpr size_t kMaxGenerations = 64;  // that a machine has at once

struct RootKeyring {
  RootKeyring() = default;
  // Of an enclave that no member has left: its root secret alone.
  RootKeyring(const SecretBytes& first) { secrets.emplace(kFirstGeneration, first.Clone()); }
  RootKeyring Clone() const;
  // Without the machine's own key: what another member may have.
  RootKeyring Shareable() const;

  const SecretBytes& first() const { return secrets.at(kFirstGeneration); }
  uint32_t newest() const { return secrets.rbegin()->first; }
  // It has generation 1, every secret has its size, and `oldest` is one of them.
  bool IsValid() const;
  // CBOR (docs/storage.md), and back: kBadMessage, kRootSecretInvalid.
  SecretBytes Encode() const;
  static Result<RootKeyring> Decode(const SecretBytes& encoded);

  std::map<uint32_t, SecretBytes> secrets;  // by generation
  // Under an older generation nothing is sealed any more but what tells of generations.
  uint32_t oldest = kFirstGeneration;
  SecretBytes member_key;  // private (member_key.h); empty: this machine has none
};

}  // namespace keyclave::keys
