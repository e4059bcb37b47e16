// Signatures as a multi-buffer library makes them: eight at once, each in a lane of its own, all of
// one kind. What keys and mechanisms come to there.
#pragma once

#include <memory>
#include <string_view>

#include "enclave/base/secret_bytes.h"
#include "enclave/mech/openssl_handles.h"

namespace keyclave::mech {

inline constexpr size_t kLanes = 8;

// Keys that can share a group.
enum class LaneKind : uint8_t { kRsa2048, kRsa3072, kRsa4096, kP256, kP384, kP521, kEd25519 };
inline constexpr size_t kLaneKinds = 7;

struct LaneKindInfo {
  LaneKind kind;
  std::string_view name;  // as `keyclave status` says it
  size_t bits;            // of the modulus, of the curve's order
  size_t signature;       // bytes
};
const LaneKindInfo& InfoOf(LaneKind kind);

// An RSA handle that is only a public key: what OpenSSL's padding functions ask for.
struct FreeRsa {
  void operator()(RSA* handle) const;
};
using PublicRsa = std::unique_ptr<RSA, FreeRsa>;

// A private key in parts; private numbers are in OpenSSL's secure heap. Immutable.
struct LaneKey {
  LaneKind kind{};
  // RSA
  BigNum p{}, q{}, dp{}, dq{}, q_inverse{};
  PublicRsa public_rsa{};
  // ECDSA
  BigNum scalar{}, order{}, public_x{}, public_y{};
  // Ed25519
  SecretBytes seed{};
  Bytes public_key{};
};

// nullptr for keys of other kinds, and for RSA keys that are not of two primes of half the modulus'
// size.
std::unique_ptr<const LaneKey> MakeLaneKey(const EVP_PKEY* pkey);

// One signature of a group.
struct Lane {
  const LaneKey* key = nullptr;
  ByteSpan input;     // RSA: the padded message; ECDSA: the digest, as long as the order; else all
  Bytes signature{};  // as PKCS#11 has it; empty if it could not be made
};

// The input of a lane for a digest of any length (FIPS 186-4 §6.4); kUnsupported for what the
// library refuses.
Result<Bytes> EcdsaLaneInput(LaneKind kind, ByteSpan digest);
// EMSA-PKCS1-v1_5 (RFC 8017 §9.2) of a DigestInfo, or of a digest of `md`; EMSA-PSS (§9.1.1).
Result<Bytes> Pkcs1LaneInput(const LaneKey& key, const EVP_MD* md, ByteSpan input);
Result<Bytes> PssLaneInput(const LaneKey& key, const EVP_MD* md, const EVP_MD* mgf, int salt_length,
                           ByteSpan digest);
// What the public key makes of an RSA signature: the padded message that it is of.
Result<Bytes> RsaPublic(const LaneKey& key, ByteSpan signature);

}  // namespace keyclave::mech
