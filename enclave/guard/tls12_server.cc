// The signed parameters of a TLS 1.2 server.

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <span>

#include "enclave/base/byte_reader.h"
#include "enclave/guard/foreign.h"
#include "enclave/guard/tls.h"
#include "enclave/guard/tls12.h"
#include "enclave/mech/evp.h"

namespace keyclave::guard {
namespace {

constexpr size_t kRandom = 32;
constexpr uint8_t kNamedCurve = 3;
constexpr uint8_t kUncompressed = 4;

// RFC 8422 §5.1.1, with the lengths of their public keys (§5.4.1, RFC 7748 §6).
struct Curve {
  uint16_t number;
  uint8_t point;
  bool has_form;  // the first byte says that the point is uncompressed
};
constexpr Curve kCurves[] = {{23, 65, true},    // secp256r1
                             {24, 97, true},    // secp384r1
                             {25, 133, true},   // secp521r1
                             {29, 32, false},   // x25519
                             {30, 56, false}};  // x448

Status CheckEcdh(ByteReader reader) {
  KC_ASSIGN(const uint8_t type, reader.TakeLe<uint8_t>());
  if (type != kNamedCurve) return Fail(Code::kInputRefused, "no named curve");
  KC_ASSIGN(const uint16_t number, reader.TakeBe<uint16_t>());
  KC_ASSIGN(const ByteSpan point, reader.TakePrefixedBe<uint8_t>(UINT8_MAX));
  KC_CHECK_OK(reader.ExpectEnd());
  for (const Curve& curve : kCurves) {
    if (curve.number != number) continue;
    if (point.size() != curve.point || (curve.has_form && point.front() != kUncompressed))
      return Fail(Code::kInputRefused, "the point is not one of its curve");
    return Done{};
  }
  return Fail(Code::kInputRefused, "the curve " + std::to_string(number) + " is not known");
}

// Groups of which everybody knows that they are safe, and which hold nothing that a caller chose.
constexpr const char* kGroups[] = {"ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192",
                                   "modp_2048", "modp_3072", "modp_4096", "modp_6144", "modp_8192"};

Result<Bytes> PrimeOf(const char* group) {
  const mech::EvpPkeyCtx context(EVP_PKEY_CTX_new_from_name(mech::Library(), "DH", nullptr));
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, const_cast<char*>(group), 0),
      OSSL_PARAM_construct_end()};
  EVP_PKEY* made = nullptr;
  if (context == nullptr || EVP_PKEY_paramgen_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_params(context.get(), params) != 1 ||
      EVP_PKEY_paramgen(context.get(), &made) != 1) {
    return mech::OpensslError("a group of Diffie-Hellman");
  }
  const mech::EvpPkey owned(made);
  KC_ASSIGN(const mech::BigNum prime, mech::PkeyBigNum(owned.get(), OSSL_PKEY_PARAM_FFC_P));
  return mech::BigNumBytes(prime.get());
}

// A group that this OpenSSL lacks is one that is not permitted.
const std::vector<Bytes>& Primes() {
  static const auto* const primes = [] {
    auto* made = new std::vector<Bytes>;
    for (const char* group : kGroups) {
      if (Result<Bytes> prime = PrimeOf(group); prime.ok()) made->push_back(std::move(*prime));
    }
    return made;
  }();
  return *primes;
}

Status CheckDh(ByteReader reader) {
  KC_ASSIGN(const ByteSpan prime, reader.TakePrefixedBe<uint16_t>(UINT16_MAX));
  KC_ASSIGN(const ByteSpan generator, reader.TakePrefixedBe<uint16_t>(UINT16_MAX));
  KC_ASSIGN(const ByteSpan share, reader.TakePrefixedBe<uint16_t>(UINT16_MAX));
  KC_CHECK_OK(reader.ExpectEnd());
  if (!Equal(generator, std::array<uint8_t, 1>{2}) || share.empty() || share.size() > prime.size())
    return Fail(Code::kInputRefused, "the share is not one of its group");
  const bool known = std::any_of(Primes().begin(), Primes().end(),
                                 [&](const Bytes& row) { return Equal(prime, row); });
  if (!known) return Fail(Code::kInputRefused, "the group is none of RFC 7919 or RFC 3526");
  return Done{};
}

}  // namespace

Status ParseTls12Server(ByteSpan message) {
  ByteReader reader(message);
  if (!reader.Take(2 * kRandom).ok())
    return Fail(Code::kInputRefused, "it is too short for the parameters of a TLS 1.2 server");
  // A prime of 2048 bits and more begins with a length whose first byte is 1 and more, and no
  // curve's type is that: where both could fit, the type says which it is.
  const Status ecdh = CheckEcdh(reader);
  if (ecdh.ok() || CheckDh(reader).ok()) return Done{};
  return Fail(Code::kInputRefused,
              "behind two randoms there are no whole parameters of a TLS 1.2 server: " +
                  ecdh.error().Text());
}

Status CheckTls12Server(ByteSpan message) {
  KC_CHECK_OK(ParseTls12Server(message));
  if (const auto other = ForeignProtocol(message))
    return Fail(Code::kInputRefused, "it could be a message of " + std::string(*other));
  if (ParseTls12Client(message).ok())
    return Fail(Code::kInputRefused, "it could be the handshake that a TLS client signs");
  return Done{};
}

}  // namespace keyclave::guard
