// Runtime claims: what a caller says of itself in its own evidence. Their SHA-256 is part of the
// report data (docs/wire.md), so they are as good as the evidence: nobody but the attested program
// said them.
//
// After ParseRuntimeClaims succeeded: at most kMaxReleaseKeys keys; their names differ and are 1 to
// 64 letters, digits, '.', '_', '-'; their keys differ and are not empty. What is in a key is
// looked at when somebody wants to use it.
#pragma once

#include "enclave/wire/codec.h"

namespace keyclave::wire {

inline constexpr size_t kMaxReleaseKeys = 16;
inline constexpr size_t kMaxReleaseKeySize = 4096;  // bytes of SubjectPublicKeyInfo
inline constexpr size_t kMaxRuntimeClaims = size_t{64} << 10;

// A public key that keys may be released to.
struct ReleaseKey {
  std::string name;
  Bytes spki;  // SubjectPublicKeyInfo, DER
  template <class V>
  void Visit(V&& v) {
    v(1, name);
    v(2, spki);
  }
  friend bool operator==(const ReleaseKey&, const ReleaseKey&) = default;
};

struct RuntimeClaims {
  std::vector<ReleaseKey> release_keys;
  template <class V>
  void Visit(V&& v) {
    v(1, release_keys);
  }
};

bool IsReleaseKeyName(std::string_view name);
// No bytes at all where there is nothing to say.
Bytes EncodeRuntimeClaims(const RuntimeClaims& claims);
// kEvidenceMalformed.
Result<RuntimeClaims> ParseRuntimeClaims(ByteSpan bytes);

}  // namespace keyclave::wire
