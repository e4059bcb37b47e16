#include "enclave/mech/lane.h"

#include <openssl/core_names.h>
#include <openssl/err.h>

#include <algorithm>

#include "enclave/mech/evp.h"
#include "enclave/mech/lane_parts.h"

namespace keyclave::mech {
namespace {

constexpr LaneKindInfo kKinds[] = {
    {LaneKind::kRsa2048, "rsa-2048", 2048, 256}, {LaneKind::kRsa3072, "rsa-3072", 3072, 384},
    {LaneKind::kRsa4096, "rsa-4096", 4096, 512}, {LaneKind::kP256, "p-256", 256, 64},
    {LaneKind::kP384, "p-384", 384, 96},         {LaneKind::kP521, "p-521", 521, 132},
    {LaneKind::kEd25519, "ed25519", 255, 64},
};
static_assert(std::size(kKinds) == kLaneKinds);

struct NamedKind {
  std::string_view name;
  LaneKind kind;
};
// As OpenSSL names the groups.
constexpr NamedKind kCurves[] = {{"prime256v1", LaneKind::kP256},
                                 {"secp384r1", LaneKind::kP384},
                                 {"secp521r1", LaneKind::kP521}};

Result<LaneKind> KindOf(const EVP_PKEY* pkey) {
  if (EVP_PKEY_is_a(pkey, "ED25519") == 1) return LaneKind::kEd25519;
  if (EVP_PKEY_is_a(pkey, "EC") == 1) {
    KC_ASSIGN(const std::string group, PkeyText(pkey, OSSL_PKEY_PARAM_GROUP_NAME));
    for (const NamedKind& curve : kCurves) {
      if (group == curve.name) return curve.kind;
    }
  }
  if (EVP_PKEY_is_a(pkey, "RSA") == 1) {
    const auto bits = static_cast<size_t>(EVP_PKEY_get_bits(pkey));
    for (const LaneKind kind : {LaneKind::kRsa2048, LaneKind::kRsa3072, LaneKind::kRsa4096}) {
      if (InfoOf(kind).bits == bits) return kind;
    }
  }
  return Fail(Code::kUnsupported, "keys of this kind");
}

}  // namespace

const LaneKindInfo& InfoOf(LaneKind kind) { return kKinds[static_cast<size_t>(kind)]; }

Result<BigNum> SecretNumber(const EVP_PKEY* pkey, const char* param) {
  KC_ASSIGN(const BigNum number, PkeyBigNum(pkey, param));
  BigNum secret(BN_secure_new());
  if (secret == nullptr || BN_copy(secret.get(), number.get()) == nullptr)
    return OpensslError("the secure heap");
  BN_set_flags(secret.get(), BN_FLG_CONSTTIME);
  return secret;
}

Status FillEcLane(const EVP_PKEY* pkey, LaneKey& key) {
  KC_ASSIGN(key.scalar, SecretNumber(pkey, OSSL_PKEY_PARAM_PRIV_KEY));
  KC_ASSIGN(key.order, PkeyBigNum(pkey, OSSL_PKEY_PARAM_EC_ORDER));
  KC_ASSIGN(key.public_x, PkeyBigNum(pkey, OSSL_PKEY_PARAM_EC_PUB_X));
  KC_ASSIGN(key.public_y, PkeyBigNum(pkey, OSSL_PKEY_PARAM_EC_PUB_Y));
  return Done{};
}

Status FillEd25519Lane(const EVP_PKEY* pkey, LaneKey& key) {
  KC_ASSIGN(Bytes seed, PkeyOctets(pkey, OSSL_PKEY_PARAM_PRIV_KEY));
  key.seed = SecretBytes::Take(seed);
  KC_ASSIGN(key.public_key, PkeyOctets(pkey, OSSL_PKEY_PARAM_PUB_KEY));
  return key.seed.size() == 32 && key.public_key.size() == 32 ? Status(Done{})
                                                              : Fail(Code::kUnsupported);
}

std::unique_ptr<const LaneKey> MakeLaneKey(const EVP_PKEY* pkey) {
  const auto kind = KindOf(pkey);
  if (!kind.ok()) return nullptr;
  auto key = std::make_unique<LaneKey>();
  key->kind = *kind;
  Status filled = Done{};
  switch (*kind) {
    case LaneKind::kRsa2048:
    case LaneKind::kRsa3072:
    case LaneKind::kRsa4096: filled = FillRsaLane(pkey, *key); break;
    case LaneKind::kP256:
    case LaneKind::kP384:
    case LaneKind::kP521: filled = FillEcLane(pkey, *key); break;
    case LaneKind::kEd25519: filled = FillEd25519Lane(pkey, *key); break;
  }
  ERR_clear_error();
  if (!filled.ok()) return nullptr;
  return key;
}

Result<Bytes> EcdsaLaneInput(LaneKind kind, ByteSpan digest) {
  const size_t bits = InfoOf(kind).bits;
  const size_t size = (bits + 7) / 8;
  // A longer digest of P-521 would have to be shifted, and none is longer.
  if (digest.size() > size && bits % 8 != 0) return Fail(Code::kUnsupported, "a longer digest");
  digest = digest.first(std::min(digest.size(), size));
  // The library takes a digest of zeros for a mistake.
  if (std::all_of(digest.begin(), digest.end(), [](uint8_t byte) { return byte == 0; }))
    return Fail(Code::kUnsupported, "a digest of zeros");
  Bytes input(size);
  std::copy(digest.begin(), digest.end(),
            input.begin() + static_cast<ptrdiff_t>(size - digest.size()));
  return input;
}

}  // namespace keyclave::mech
