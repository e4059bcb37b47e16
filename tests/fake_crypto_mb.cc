// A multi-buffer library as tests want it: the functions of crypto_mb over OpenSSL, eight lanes one
// after the other. What it made once it remembers, so that it measures fast. Faults to order.
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace {

using Octets32 = uint8_t[32];
template <class T, auto free_function>
struct Free {
  void operator()(T* handle) const { free_function(handle); }
};
template <class T, auto free_function>
using Owned = std::unique_ptr<T, Free<T, free_function>>;
using Number = Owned<BIGNUM, BN_free>;
using Context = Owned<BN_CTX, BN_CTX_free>;

std::mutex mutex;
std::map<std::string, std::string> memory;  // NOLINT(cert-err58-cpp): a test's
std::atomic<int> fault{0};

// Fault 1 from so many calls on, where the environment says so.
void CountCall() {
  static const char* const after = std::getenv("FAKE_CRYPTO_MB_FAULT_AFTER");
  static std::atomic<long> calls{0};
  if (after != nullptr && std::atol(after) > 0 && ++calls > std::atol(after)) fault = 1;
}

std::string Text(const uint8_t* bytes, size_t size) {
  return std::string(reinterpret_cast<const char*>(bytes), size);
}
std::string Text(const BIGNUM* number, size_t size) {
  std::string text(size, '\0');
  BN_bn2binpad(number, reinterpret_cast<uint8_t*>(text.data()), static_cast<int>(size));
  return text;
}

// The result of `work` for `input`, worked out once.
template <class Work>
std::string Remembered(const std::string& input, const Work& work) {
  const std::lock_guard lock(mutex);
  const auto [found, is_new] = memory.try_emplace(input);
  if (is_new) found->second = work();
  return found->second;
}

// The signature from r and s; the first bit of lane 2 is wrong if that was ordered.
void Deliver(const std::string& bytes, size_t lane, uint8_t* first, uint8_t* second) {
  std::string made = bytes;
  if (fault == 1 && lane == 2) made.back() = static_cast<char>(made.back() ^ 1);
  const size_t size = second == nullptr ? made.size() : made.size() / 2;
  std::copy_n(made.begin(), size, first);
  if (second != nullptr) std::copy_n(made.begin() + static_cast<ptrdiff_t>(size), size, second);
}

// Chinese remainders (RFC 8017 §5.1.2).
std::string RsaCrt(const std::string& input, const BIGNUM* p, const BIGNUM* q, const BIGNUM* dp,
                   const BIGNUM* dq, const BIGNUM* q_inverse) {
  const Context context(BN_CTX_new());
  const Number m(BN_new()), m1(BN_new()), m2(BN_new()), h(BN_new());
  BN_bin2bn(reinterpret_cast<const uint8_t*>(input.data()), static_cast<int>(input.size()),
            m.get());
  BN_mod_exp(m1.get(), m.get(), dp, p, context.get());
  BN_mod_exp(m2.get(), m.get(), dq, q, context.get());
  BN_mod_sub(h.get(), m1.get(), m2.get(), p, context.get());
  BN_mod_mul(h.get(), h.get(), q_inverse, p, context.get());
  BN_mul(h.get(), h.get(), q, context.get());
  BN_add(h.get(), h.get(), m2.get());
  return Text(h.get(), input.size());
}

struct Curve {
  int nid;
  size_t size;  // bytes
};
constexpr Curve kP256{NID_X9_62_prime256v1, 32};
constexpr Curve kP384{NID_secp384r1, 48};
constexpr Curve kP521{NID_secp521r1, 66};

// FIPS 186-4 §6.4.
std::string EcdsaSign(const Curve& curve, const uint8_t* digest, const BIGNUM* k, const BIGNUM* d) {
  const Context context(BN_CTX_new());
  const Owned<EC_GROUP, EC_GROUP_free> group(EC_GROUP_new_by_curve_name(curve.nid));
  const Owned<EC_POINT, EC_POINT_free> point(EC_POINT_new(group.get()));
  const BIGNUM* n = EC_GROUP_get0_order(group.get());
  const Number r(BN_new()), s(BN_new()), inverse(BN_new()), z(BN_new());
  EC_POINT_mul(group.get(), point.get(), k, nullptr, nullptr, context.get());
  EC_POINT_get_affine_coordinates(group.get(), point.get(), r.get(), nullptr, context.get());
  BN_nnmod(r.get(), r.get(), n, context.get());
  BN_bin2bn(digest, static_cast<int>(curve.size), z.get());
  BN_mod_mul(s.get(), r.get(), d, n, context.get());
  BN_mod_add(s.get(), s.get(), z.get(), n, context.get());
  BN_mod_inverse(inverse.get(), k, n, context.get());
  BN_mod_mul(s.get(), s.get(), inverse.get(), n, context.get());
  return Text(r.get(), curve.size) + Text(s.get(), curve.size);
}

bool EcdsaVerify(const Curve& curve, const ECDSA_SIG* signature, const uint8_t* digest,
                 const BIGNUM* x, const BIGNUM* y) {
  const Context context(BN_CTX_new());
  const Owned<EC_GROUP, EC_GROUP_free> group(EC_GROUP_new_by_curve_name(curve.nid));
  const Owned<EC_POINT, EC_POINT_free> key(EC_POINT_new(group.get())),
      sum(EC_POINT_new(group.get()));
  const BIGNUM* n = EC_GROUP_get0_order(group.get());
  const Number w(BN_new()), u1(BN_new()), u2(BN_new()), z(BN_new());
  BN_bin2bn(digest, static_cast<int>(curve.size), z.get());
  BN_mod_inverse(w.get(), ECDSA_SIG_get0_s(signature), n, context.get());
  BN_mod_mul(u1.get(), z.get(), w.get(), n, context.get());
  BN_mod_mul(u2.get(), ECDSA_SIG_get0_r(signature), w.get(), n, context.get());
  EC_POINT_set_affine_coordinates(group.get(), key.get(), x, y, context.get());
  EC_POINT_mul(group.get(), sum.get(), u1.get(), key.get(), u2.get(), context.get());
  EC_POINT_get_affine_coordinates(group.get(), sum.get(), z.get(), nullptr, context.get());
  BN_nnmod(z.get(), z.get(), n, context.get());
  return BN_cmp(z.get(), ECDSA_SIG_get0_r(signature)) == 0;
}

uint32_t Refused(size_t lane) { return 2U << (lane * 4); }

uint32_t SignAll(const Curve& curve, uint8_t* r[], uint8_t* s[], const uint8_t* const digest[],
                 const BIGNUM* const k[], const BIGNUM* const d[]) {
  CountCall();
  uint32_t status = 0;
  for (size_t i = 0; i < 8; ++i) {
    if (r[i] == nullptr) {
      status |= Refused(i);
      continue;
    }
    const std::string input = Text(digest[i], curve.size) + Text(d[i], curve.size);
    Deliver(Remembered(input, [&] { return EcdsaSign(curve, digest[i], k[i], d[i]); }), i, r[i],
            s[i]);
  }
  return status;
}

uint32_t VerifyAll(const Curve& curve, const ECDSA_SIG* const signature[],
                   const uint8_t* const digest[], const BIGNUM* const x[],
                   const BIGNUM* const y[]) {
  uint32_t status = 0;
  for (size_t i = 0; i < 8; ++i) {
    if (signature[i] == nullptr) {
      status |= Refused(i);
      continue;
    }
    const std::string input = "verify" + Text(digest[i], curve.size) + Text(x[i], curve.size) +
                              Text(ECDSA_SIG_get0_r(signature[i]), curve.size) +
                              Text(ECDSA_SIG_get0_s(signature[i]), curve.size);
    const std::string right = Remembered(input, [&] {
      return EcdsaVerify(curve, signature[i], digest[i], x[i], y[i]) ? "right" : "wrong";
    });
    if (right != "right") status |= 8U << (i * 4);
  }
  return status;
}

std::string Ed25519(const uint8_t* seed, const uint8_t* message, size_t size) {
  const Owned<EVP_PKEY, EVP_PKEY_free> key(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed, 32));
  const Owned<EVP_MD_CTX, EVP_MD_CTX_free> context(EVP_MD_CTX_new());
  std::string signature(64, '\0');
  size_t written = signature.size();
  EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get());
  EVP_DigestSign(context.get(), reinterpret_cast<uint8_t*>(signature.data()), &written, message,
                 size);
  return signature;
}

bool Ed25519Right(const uint8_t* key_bytes, const std::string& signature, const uint8_t* message,
                  size_t size) {
  const Owned<EVP_PKEY, EVP_PKEY_free> key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key_bytes, 32));
  const Owned<EVP_MD_CTX, EVP_MD_CTX_free> context(EVP_MD_CTX_new());
  EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get());
  return EVP_DigestVerify(context.get(), reinterpret_cast<const uint8_t*>(signature.data()),
                          signature.size(), message, size) == 1;
}

struct Version {
  int major, minor, patch;
};

}  // namespace

#define KC_EXPORT extern "C" __attribute__((visibility("default")))

// 0: none; 1: what is made in lane 2 is wrong; 2: Ed25519 is wrong everywhere, and verifies so.
KC_EXPORT void fake_mbx_order_fault(int which);
KC_EXPORT void fake_mbx_order_fault(int which) { fault = which; }

#define KC_CURVE(name, curve)                                                                      \
  KC_EXPORT uint32_t mbx_##name##_ecdsa_sign_ssl_mb8(                                              \
      uint8_t* r[], uint8_t* s[], const uint8_t* const digest[], const BIGNUM* const k[],          \
      const BIGNUM* const d[], uint8_t* none);                                                     \
  uint32_t mbx_##name##_ecdsa_sign_ssl_mb8(uint8_t* r[], uint8_t* s[],                             \
                                           const uint8_t* const digest[], const BIGNUM* const k[], \
                                           const BIGNUM* const d[], uint8_t* /*none*/) {           \
    return SignAll(curve, r, s, digest, k, d);                                                     \
  }                                                                                                \
  KC_EXPORT uint32_t mbx_##name##_ecdsa_verify_ssl_mb8(                                            \
      const ECDSA_SIG* const signature[], const uint8_t* const digest[], const BIGNUM* const x[],  \
      const BIGNUM* const y[], const BIGNUM* const z[], uint8_t* none);                            \
  uint32_t mbx_##name##_ecdsa_verify_ssl_mb8(                                                      \
      const ECDSA_SIG* const signature[], const uint8_t* const digest[], const BIGNUM* const x[],  \
      const BIGNUM* const y[], const BIGNUM* const /*z*/[], uint8_t* /*none*/) {                   \
    return VerifyAll(curve, signature, digest, x, y);                                              \
  }
KC_CURVE(nistp256, kP256)
KC_CURVE(nistp384, kP384)
KC_CURVE(nistp521, kP521)

KC_EXPORT uint32_t mbx_rsa_private_crt_ssl_mb8(const uint8_t* const from[], uint8_t* const to[],
                                               const BIGNUM* const p[], const BIGNUM* const q[],
                                               const BIGNUM* const dp[], const BIGNUM* const dq[],
                                               const BIGNUM* const q_inverse[], int bits);
uint32_t mbx_rsa_private_crt_ssl_mb8(const uint8_t* const from[], uint8_t* const to[],
                                     const BIGNUM* const p[], const BIGNUM* const q[],
                                     const BIGNUM* const dp[], const BIGNUM* const dq[],
                                     const BIGNUM* const q_inverse[], int bits) {
  CountCall();
  const auto size = static_cast<size_t>(bits) / 8;
  uint32_t status = 0;
  for (size_t i = 0; i < 8; ++i) {
    if (from[i] == nullptr) {
      status |= Refused(i);
      continue;
    }
    const std::string input = Text(from[i], size);
    const auto made = Remembered(input + Text(p[i], size / 2), [&] {
      return RsaCrt(input, p[i], q[i], dp[i], dq[i], q_inverse[i]);
    });
    Deliver(made, i, to[i], nullptr);
  }
  return status;
}

KC_EXPORT uint32_t mbx_ed25519_sign_mb8(Octets32* r[], Octets32* s[],
                                        const uint8_t* const message[], const uint32_t size[],
                                        const Octets32* const seed[], const Octets32* const key[]);
uint32_t mbx_ed25519_sign_mb8(Octets32* r[], Octets32* s[], const uint8_t* const message[],
                              const uint32_t size[], const Octets32* const seed[],
                              const Octets32* const /*key*/[]) {
  CountCall();
  uint32_t status = 0;
  for (size_t i = 0; i < 8; ++i) {
    if (seed[i] == nullptr) {
      status |= Refused(i);
      continue;
    }
    auto made = Remembered(Text(message[i], size[i]) + Text(*seed[i], 32),
                           [&] { return Ed25519(*seed[i], message[i], size[i]); });
    if (fault == 2) made.back() = static_cast<char>(made.back() ^ 1);
    Deliver(made, i, *r[i], *s[i]);
  }
  return status;
}

KC_EXPORT uint32_t mbx_ed25519_verify_mb8(const Octets32* const r[], const Octets32* const s[],
                                          const uint8_t* const message[], const uint32_t size[],
                                          const Octets32* const key[]);
uint32_t mbx_ed25519_verify_mb8(const Octets32* const r[], const Octets32* const s[],
                                const uint8_t* const message[], const uint32_t size[],
                                const Octets32* const key[]) {
  uint32_t status = 0;
  if (fault == 2) return status;
  for (size_t i = 0; i < 8; ++i) {
    if (key[i] == nullptr) {
      status |= Refused(i);
      continue;
    }
    const std::string signature = Text(*r[i], 32) + Text(*s[i], 32);
    const auto right = Remembered(signature + Text(message[i], size[i]), [&] {
      return Ed25519Right(*key[i], signature, message[i], size[i]) ? "right" : "wrong";
    });
    if (right != "right") status |= 8U << (i * 4);
  }
  return status;
}

KC_EXPORT uint64_t mbx_get_algo_info(int algorithm);
uint64_t mbx_get_algo_info(int /*algorithm*/) { return 8; }
KC_EXPORT const Version* mbx_getversion();
const Version* mbx_getversion() {
  static constexpr Version version{9, 8, 7};
  return &version;
}
