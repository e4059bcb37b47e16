#include "enclave/mech/known_keys.h"

#include <openssl/core_names.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>

#include "enclave/mech/ec_signature.h"
#include "enclave/mech/evp.h"

namespace keyclave::mech {
namespace {

struct KnownPrimes {
  size_t bits;
  const char* p;
  const char* q;
};
constexpr KnownPrimes kPrimes[] = {
#define KC_KNOWN_PRIMES(bits, p, q) {bits, p, q},
#include "enclave/mech/known_primes.inc"
#undef KC_KNOWN_PRIMES
};

// Of a measurement, in processor time of this thread, whatever else the machine does; the fastest
// counts.
constexpr size_t kRounds = 24;
constexpr size_t kFewRounds = 3;
constexpr std::chrono::milliseconds kPatience{20};

Result<BigNum> FromHex(const char* text) {
  BIGNUM* number = nullptr;
  if (BN_hex2bn(&number, text) == 0) return OpensslError("a known prime");
  return BigNum(number);
}

Result<EvpPkey> FromBuilder(const char* algorithm, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const EvpPkeyCtx context(EVP_PKEY_CTX_new_from_name(Library(), algorithm, nullptr));
  EVP_PKEY* made = nullptr;
  if (params == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_KEYPAIR, params.get()) != 1) {
    return OpensslError("a known key");
  }
  return EvpPkey(made);
}

// n = pq, e = 65537, and the rest as RFC 8017 §3.2 has it.
Result<EvpPkey> KnownRsa(const KnownPrimes& primes) {
  KC_ASSIGN(const BigNum p, FromHex(primes.p));
  KC_ASSIGN(const BigNum q, FromHex(primes.q));
  const BnCtx context(BN_CTX_new_ex(Library()));
  const BigNum n(BN_new()), e(BN_new()), d(BN_new()), p1(BN_dup(p.get())), q1(BN_dup(q.get())),
      phi(BN_new()), dp(BN_new()), dq(BN_new()), inverse(BN_new());
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  const auto push = [&](const char* name, const BigNum& number) {
    return OSSL_PARAM_BLD_push_BN(builder.get(), name, number.get()) == 1;
  };
  const bool made =
      BN_set_word(e.get(), RSA_F4) == 1 && BN_sub_word(p1.get(), 1) == 1 &&
      BN_sub_word(q1.get(), 1) == 1 && BN_mul(n.get(), p.get(), q.get(), context.get()) == 1 &&
      BN_mul(phi.get(), p1.get(), q1.get(), context.get()) == 1 &&
      BN_mod_inverse(d.get(), e.get(), phi.get(), context.get()) != nullptr &&
      BN_mod(dp.get(), d.get(), p1.get(), context.get()) == 1 &&
      BN_mod(dq.get(), d.get(), q1.get(), context.get()) == 1 &&
      BN_mod_inverse(inverse.get(), q.get(), p.get(), context.get()) != nullptr &&
      push(OSSL_PKEY_PARAM_RSA_N, n) && push(OSSL_PKEY_PARAM_RSA_E, e) &&
      push(OSSL_PKEY_PARAM_RSA_D, d) && push(OSSL_PKEY_PARAM_RSA_FACTOR1, p) &&
      push(OSSL_PKEY_PARAM_RSA_FACTOR2, q) && push(OSSL_PKEY_PARAM_RSA_EXPONENT1, dp) &&
      push(OSSL_PKEY_PARAM_RSA_EXPONENT2, dq) && push(OSSL_PKEY_PARAM_RSA_COEFFICIENT1, inverse);
  if (!made) return OpensslError("a known RSA key");
  return FromBuilder("RSA", builder.get());
}

Result<EvpPkey> NewKey(const char* algorithm, const char* group) {
  EVP_PKEY* made = group == nullptr ? EVP_PKEY_Q_keygen(Library(), nullptr, algorithm)
                                    : EVP_PKEY_Q_keygen(Library(), nullptr, algorithm, group);
  if (made == nullptr) return OpensslError("a key to try out with");
  return EvpPkey(made);
}

// Elliptic curves cost nothing to make keys on: a new one each time leaves nothing to chance.
Result<EvpPkey> PkeyFor(LaneKind kind) {
  switch (kind) {
    case LaneKind::kP256: return NewKey("EC", "P-256");
    case LaneKind::kP384: return NewKey("EC", "P-384");
    case LaneKind::kP521: return NewKey("EC", "P-521");
    case LaneKind::kEd25519: return NewKey("ED25519", nullptr);
    default: break;
  }
  for (const KnownPrimes& primes : kPrimes) {
    if (primes.bits == InfoOf(kind).bits) return KnownRsa(primes);
  }
  return Fail(Code::kUnsupported);
}

std::chrono::nanoseconds ProcessorTime() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

template <class Action>
std::chrono::nanoseconds Fastest(const Action& action) {
  auto fastest = std::chrono::nanoseconds::max();
  const auto enough = ProcessorTime() + kPatience;
  for (size_t i = 0; i < kRounds && (i < kFewRounds || ProcessorTime() < enough); ++i) {
    const auto begin = ProcessorTime();
    action();
    fastest = std::min(fastest, ProcessorTime() - begin);
  }
  return fastest;
}

}  // namespace

KnownKey::KnownKey(EvpPkey pkey, std::unique_ptr<const LaneKey> key)
    : pkey_(std::move(pkey)), key_(std::move(key)) {}

Result<KnownKey> KnownKey::Make(LaneKind kind) {
  KC_ASSIGN(EvpPkey pkey, PkeyFor(kind));
  auto key = MakeLaneKey(pkey.get());
  if (key == nullptr || key->kind != kind) return Fail(Code::kUnsupported, "no lane for this kind");
  return KnownKey(std::move(pkey), std::move(key));
}

// A message, a digest, or a number below the modulus, since its first byte is zero.
Bytes KnownKey::Input(uint8_t number) const {
  Bytes input(key_->public_rsa != nullptr ? InfoOf(key_->kind).signature : 32,
              static_cast<uint8_t>(0xa5 ^ number));
  input.front() = 0;
  return input;
}

Bytes KnownKey::LaneInput(ByteSpan input) const {
  if (key_->scalar == nullptr) return ToBytes(input);
  auto padded = EcdsaLaneInput(key_->kind, input);
  return padded.ok() ? *std::move(padded) : Bytes();
}

Result<Bytes> KnownKey::SignAlone(ByteSpan input) const {
  Bytes signature(static_cast<size_t>(EVP_PKEY_get_size(pkey_.get())));
  size_t size = signature.size();
  bool made = false;
  if (key_->kind == LaneKind::kEd25519) {
    const EvpMdCtx context(EVP_MD_CTX_new());
    made = EVP_DigestSignInit_ex(context.get(), nullptr, nullptr, Library(), nullptr, pkey_.get(),
                                 nullptr) == 1 &&
           EVP_DigestSign(context.get(), signature.data(), &size, input.data(), input.size()) == 1;
  } else {
    const EvpPkeyCtx context(EVP_PKEY_CTX_new_from_pkey(Library(), pkey_.get(), nullptr));
    const bool rsa = key_->public_rsa != nullptr;
    made = EVP_PKEY_sign_init(context.get()) == 1 &&
           (!rsa || EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_NO_PADDING) == 1) &&
           EVP_PKEY_sign(context.get(), signature.data(), &size, input.data(), input.size()) == 1;
  }
  if (!made) return OpensslError("signing with a known key");
  signature.resize(size);
  return signature;
}

bool KnownKey::IsRight(ByteSpan input, ByteSpan signature) const {
  if (signature.size() != InfoOf(key_->kind).signature) return false;
  if (key_->scalar == nullptr) {
    const auto known = SignAlone(input);
    return known.ok() &&
           std::equal(known->begin(), known->end(), signature.begin(), signature.end());
  }
  const auto der = FromHalves(signature);
  const EvpPkeyCtx context(EVP_PKEY_CTX_new_from_pkey(Library(), pkey_.get(), nullptr));
  const bool right =
      der.ok() && EVP_PKEY_verify_init(context.get()) == 1 &&
      EVP_PKEY_verify(context.get(), der->data(), der->size(), input.data(), input.size()) == 1;
  ERR_clear_error();
  return right;
}

bool KnownKey::IsAnsweredRightBy(const SignGroup& sign) const {
  for (const size_t size : {kLanes, kLanes / 2 - 1, size_t{1}}) {
    std::array<Bytes, kLanes> inputs;
    std::array<Bytes, kLanes> lane_inputs;
    std::array<Lane, kLanes> lanes;
    for (size_t i = 0; i < size; ++i) {
      inputs[i] = Input(static_cast<uint8_t>(i + 16 * size));
      lane_inputs[i] = LaneInput(inputs[i]);
      lanes[i] = {.key = key_.get(), .input = lane_inputs[i]};
    }
    sign(std::span(lanes).first(size));
    for (size_t i = 0; i < size; ++i) {
      if (!IsRight(inputs[i], lanes[i].signature)) return false;
    }
  }
  return true;
}

size_t KnownKey::WorthFrom(const SignGroup& sign) const {
  const Bytes input = Input(1);
  const Bytes lane_input = LaneInput(input);
  const auto alone = Fastest([&] { (void)SignAlone(input).ok(); });
  const auto group = Fastest([&] {
    std::array<Lane, kLanes> lanes;
    for (Lane& lane : lanes) lane = {.key = key_.get(), .input = lane_input};
    sign(lanes);
  });
  const auto worth = static_cast<size_t>(group / alone) + 1;
  return worth <= kLanes ? worth : 0;
}

}  // namespace keyclave::mech
