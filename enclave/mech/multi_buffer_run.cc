#include <openssl/err.h>
#include <openssl/rand.h>

#include <algorithm>

#include "enclave/mech/ec_signature.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/multi_buffer_calls.h"

namespace keyclave::mech {
namespace {

// One entry for each lane; empty lanes have none.
template <class T>
using Eight = std::array<T, kLanes>;

bool IsWell(MultiBufferCalls::Status status, size_t lane) {
  return (status >> (lane * 4) & 0xf) == 0;
}

// What does not verify does not leave, not even inside the process.
size_t Discard(Lane& lane) {
  lane.signature.clear();
  return 1;
}

// A nonce between 1 and the order less 1, from OpenSSL's private generator.
BigNum Nonce(const BIGNUM* order, BN_CTX* context) {
  BigNum nonce(BN_secure_new());
  if (nonce == nullptr) return nonce;
  do {
    if (BN_priv_rand_range_ex(nonce.get(), order, 0, context) != 1) return nullptr;
  } while (BN_is_zero(nonce.get()) == 1);
  BN_set_flags(nonce.get(), BN_FLG_CONSTTIME);
  return nonce;
}

const MultiBufferCalls::Ecdsa& EcdsaOf(const MultiBufferCalls& calls, LaneKind kind) {
  switch (kind) {
    case LaneKind::kP384: return calls.p384;
    case LaneKind::kP521: return calls.p521;
    default: return calls.p256;
  }
}

size_t CheckEcdsa(const MultiBufferCalls::Ecdsa& calls, std::span<Lane> group) {
  Eight<EcdsaSig> owned;
  Eight<const ECDSA_SIG*> signatures{};
  Eight<const uint8_t*> digests{};
  Eight<const BIGNUM*> x{};
  Eight<const BIGNUM*> y{};
  for (size_t i = 0; i < group.size(); ++i) {
    if (group[i].signature.empty()) continue;
    auto signature = SignatureOf(group[i].signature);
    if (signature.ok()) owned[i] = std::move(signature).value();
    signatures[i] = owned[i].get();
    digests[i] = group[i].input.data();
    x[i] = group[i].key->public_x.get();
    y[i] = group[i].key->public_y.get();
  }
  const auto status =
      calls.verify(signatures.data(), digests.data(), x.data(), y.data(), nullptr, nullptr);
  size_t faults = 0;
  for (size_t i = 0; i < group.size(); ++i) {
    if (!group[i].signature.empty() && !IsWell(status, i)) faults += Discard(group[i]);
  }
  return faults;
}

struct Ed25519Lanes {
  using Octets32 = MultiBufferCalls::Octets32;
  static Octets32* At(uint8_t* bytes) { return reinterpret_cast<Octets32*>(bytes); }
  static const Octets32* At(const uint8_t* bytes) {
    return reinterpret_cast<const Octets32*>(bytes);
  }
};

}  // namespace

size_t RunRsaGroup(const MultiBufferCalls& calls, std::span<Lane> group) {
  Eight<const uint8_t*> from{};
  Eight<uint8_t*> to{};
  Eight<const BIGNUM*> p{}, q{}, dp{}, dq{}, q_inverse{};
  for (size_t i = 0; i < group.size(); ++i) {
    Lane& lane = group[i];
    lane.signature.resize(lane.input.size());
    from[i] = lane.input.data();
    to[i] = lane.signature.data();
    p[i] = lane.key->p.get();
    q[i] = lane.key->q.get();
    dp[i] = lane.key->dp.get();
    dq[i] = lane.key->dq.get();
    q_inverse[i] = lane.key->q_inverse.get();
  }
  const int bits = static_cast<int>(group.front().input.size() * 8);
  const auto status = calls.rsa(from.data(), to.data(), p.data(), q.data(), dp.data(), dq.data(),
                                q_inverse.data(), bits);
  size_t faults = 0;
  for (size_t i = 0; i < group.size(); ++i) {
    Lane& lane = group[i];
    if (!IsWell(status, i)) {
      lane.signature.clear();
      continue;
    }
    const auto message = RsaPublic(*lane.key, lane.signature);
    const bool same = message.ok() && std::equal(message->begin(), message->end(),
                                                 lane.input.begin(), lane.input.end());
    if (!same) faults += Discard(lane);
  }
  return faults;
}

size_t RunEcdsaGroup(const MultiBufferCalls& calls, std::span<Lane> group) {
  const MultiBufferCalls::Ecdsa& functions = EcdsaOf(calls, group.front().key->kind);
  const BnCtx context(BN_CTX_secure_new_ex(Library()));
  Eight<BigNum> nonces;
  Eight<uint8_t*> r{}, s{};
  Eight<const uint8_t*> digests{};
  Eight<const BIGNUM*> nonce{}, scalar{};
  for (size_t i = 0; i < group.size() && context != nullptr; ++i) {
    Lane& lane = group[i];
    nonces[i] = Nonce(lane.key->order.get(), context.get());
    if (nonces[i] == nullptr) continue;
    lane.signature.resize(2 * lane.input.size());
    r[i] = lane.signature.data();
    s[i] = lane.signature.data() + lane.input.size();
    digests[i] = lane.input.data();
    nonce[i] = nonces[i].get();
    scalar[i] = lane.key->scalar.get();
  }
  const auto status =
      functions.sign(r.data(), s.data(), digests.data(), nonce.data(), scalar.data(), nullptr);
  for (size_t i = 0; i < group.size(); ++i) {
    if (!IsWell(status, i)) group[i].signature.clear();
  }
  ERR_clear_error();
  return CheckEcdsa(functions, group);
}

size_t RunEd25519Group(const MultiBufferCalls& calls, std::span<Lane> group) {
  using Octets32 = MultiBufferCalls::Octets32;
  Eight<Octets32*> r{}, s{};
  Eight<const uint8_t*> messages{};
  Eight<uint32_t> sizes{};
  Eight<const Octets32*> seeds{}, public_keys{};
  for (size_t i = 0; i < group.size(); ++i) {
    Lane& lane = group[i];
    lane.signature.resize(64);
    r[i] = Ed25519Lanes::At(lane.signature.data());
    s[i] = Ed25519Lanes::At(lane.signature.data() + 32);
    messages[i] = lane.input.data();
    sizes[i] = static_cast<uint32_t>(lane.input.size());
    seeds[i] = Ed25519Lanes::At(lane.key->seed.Expose(SecretAccess()).data());
    public_keys[i] = Ed25519Lanes::At(lane.key->public_key.data());
  }
  const auto made = calls.ed25519_sign(r.data(), s.data(), messages.data(), sizes.data(),
                                       seeds.data(), public_keys.data());
  const auto right =
      calls.ed25519_verify(r.data(), s.data(), messages.data(), sizes.data(), public_keys.data());
  size_t faults = 0;
  for (size_t i = 0; i < group.size(); ++i) {
    if (!IsWell(made, i)) {
      group[i].signature.clear();
    } else if (!IsWell(right, i)) {
      faults += Discard(group[i]);
    }
  }
  return faults;
}

}  // namespace keyclave::mech
