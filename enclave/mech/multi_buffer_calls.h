// The library's functions as its public headers declare them (crypto_mb/rsa.h, ec_nistp256.h,
// ed25519.h, cpu_features.h, version.h; the same from interface 11 to 13), and groups run by them.
#pragma once

#include <openssl/ec.h>

#include <array>
#include <cstdint>
#include <span>

#include "enclave/mech/lane.h"

namespace keyclave::mech {

struct MultiBufferCalls {
  // Four bits for each lane; 0: well. Lanes without a pointer are left out.
  using Status = uint32_t;
  using RsaCrt = Status(const uint8_t* const from[], uint8_t* const to[], const BIGNUM* const p[],
                        const BIGNUM* const q[], const BIGNUM* const dp[], const BIGNUM* const dq[],
                        const BIGNUM* const q_inverse[], int bits);
  using EcdsaSign = Status(uint8_t* r[], uint8_t* s[], const uint8_t* const digest[],
                           const BIGNUM* const nonce[], const BIGNUM* const key[], uint8_t* none);
  using EcdsaVerify = Status(const ECDSA_SIG* const signature[], const uint8_t* const digest[],
                             const BIGNUM* const x[], const BIGNUM* const y[],
                             const BIGNUM* const z[], uint8_t* none);
  using Octets32 = uint8_t[32];
  using Ed25519Sign = Status(Octets32* r[], Octets32* s[], const uint8_t* const message[],
                             const uint32_t size[], const Octets32* const seed[],
                             const Octets32* const public_key[]);
  using Ed25519Verify = Status(const Octets32* const r[], const Octets32* const s[],
                               const uint8_t* const message[], const uint32_t size[],
                               const Octets32* const public_key[]);
  // A mask of the widths that this processor can; 0: none.
  using AlgorithmInfo = uint64_t(int algorithm);
  struct Version {  // its first members
    int major, minor, patch;
  };
  using GetVersion = const Version*();

  struct Ecdsa {
    EcdsaSign* sign = nullptr;
    EcdsaVerify* verify = nullptr;
  };
  RsaCrt* rsa = nullptr;
  Ecdsa p256{}, p384{}, p521{};
  Ed25519Sign* ed25519_sign = nullptr;
  Ed25519Verify* ed25519_verify = nullptr;
  AlgorithmInfo* algorithm_info = nullptr;
  GetVersion* version = nullptr;
};

// Each signs a group and has the public keys confirm it. A lane that the library refuses stays
// empty; so does one that does not verify, and the result is how many those are.
size_t RunRsaGroup(const MultiBufferCalls& calls, std::span<Lane> group);
size_t RunEcdsaGroup(const MultiBufferCalls& calls, std::span<Lane> group);
size_t RunEd25519Group(const MultiBufferCalls& calls, std::span<Lane> group);

}  // namespace keyclave::mech
