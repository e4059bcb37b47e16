#include "enclave/mech/jwe.h"

#include <openssl/core_names.h>

#include <nlohmann/json.hpp>

#include "attest/strict_json.h"
#include "enclave/base/byte_reader.h"
#include "enclave/base/hash.h"
#include "enclave/mech/aes.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/families.h"

namespace keyclave::mech {
namespace {

using Json = nlohmann::json;

constexpr size_t kKey = 32;  // of AES-256, for the content and for its key
constexpr size_t kIv = 12;   // RFC 7518 §5.3
constexpr size_t kTag = 16;
constexpr size_t kParts = 5;  // RFC 7516 §7.1
constexpr uint8_t kUncompressed = 0x04;
constexpr std::string_view kContent = "A256GCM";

std::string_view NameOf(JweAlgorithm algorithm) {
  return algorithm == JweAlgorithm::kRsaOaep256 ? "RSA-OAEP-256" : "ECDH-ES+A256KW";
}

struct Curve {
  std::string_view name;   // in JOSE (RFC 7518 §6.2.1.1)
  std::string_view group;  // in OpenSSL
  size_t size = 0;         // bytes of a coordinate
};
constexpr Curve kCurves[] = {
    {"P-256", "prime256v1", 32}, {"P-384", "secp384r1", 48}, {"P-521", "secp521r1", 66}};

const Curve* CurveOf(const Key& key) {
  if (key.key_type() != CKK_EC || key.pkey() == nullptr) return nullptr;
  const auto group = PkeyText(key.pkey(), OSSL_PKEY_PARAM_GROUP_NAME);
  if (!group.ok()) return nullptr;
  for (const Curve& curve : kCurves) {
    if (*group == curve.group) return &curve;
  }
  return nullptr;
}

Status CheckFit(JweAlgorithm algorithm, const Key& key) {
  if (JweFits(algorithm, key)) return Done{};
  return Fail(Code::kKeyTypeInconsistent, algorithm == JweAlgorithm::kRsaOaep256
                                              ? "wanted an RSA key"
                                              : "wanted a key of P-256, P-384 or P-521");
}

wire::Mechanism Oaep() {
  wire::Mechanism mechanism;
  mechanism.type = CKM_RSA_PKCS_OAEP;
  mechanism.oaep = wire::OaepParam{CKM_SHA256, CKG_MGF1_SHA256, {}};
  return mechanism;
}

// RFC 7518 §4.6.2: the Concat KDF with SHA-256 over the algorithm's name, no word of either party,
// and the key's length in bits.
wire::Mechanism Agreement() {
  const std::string_view name = NameOf(JweAlgorithm::kEcdhEsA256Kw);
  ByteWriter info;
  info.PutBe(static_cast<uint32_t>(name.size()));
  info.Put(AsBytes(name));
  info.PutBe(uint32_t{0});
  info.PutBe(uint32_t{0});
  info.PutBe(static_cast<uint32_t>(kKey * 8));
  wire::Mechanism mechanism;
  mechanism.type = CKM_ECDH1_DERIVE;
  mechanism.ecdh = wire::EcdhParam{
      .kdf = CKD_SHA256_KDF_SP800, .shared_data = std::move(info).Finish(), .public_data = {}};
  return mechanism;
}

wire::Mechanism Gcm(ByteSpan iv, std::string_view header) {
  wire::Mechanism mechanism;
  mechanism.type = CKM_AES_GCM;
  mechanism.gcm = wire::GcmParam{ToBytes(iv), ToBytes(header), kTag * 8};
  return mechanism;
}

Key ContentKey(const SecretBytes& bytes) {
  return {CKO_SECRET_KEY, CKK_AES, EvpPkey(), bytes.Clone()};
}

// The header's text and the content's key as the recipient gets it.
struct Sealed {
  std::string header;
  Bytes key;
};

Result<Sealed> SealKey(JweAlgorithm algorithm, const Key& recipient, const SecretBytes& content) {
  const ByteSpan secret = content.Expose(SecretAccess());
  Json header = {{"alg", NameOf(algorithm)}, {"enc", kContent}};
  Sealed sealed;
  if (algorithm == JweAlgorithm::kRsaOaep256) {
    KC_ASSIGN(sealed.key, kRsaOaepFamily.encrypt(recipient, Oaep(), secret));
  } else {
    const Curve* curve = CurveOf(recipient);
    KC_ASSIGN(const Encapsulated agreed, kEcdhFamily.encapsulate(recipient, Agreement(), kKey));
    const ByteSpan point(agreed.ciphertext);
    if (curve == nullptr || point.size() != 1 + 2 * curve->size || point[0] != kUncompressed)
      return Fail(Code::kCryptoFailed, "the ephemeral key has no uncompressed point");
    header["epk"] = {{"crv", curve->name},
                     {"kty", "EC"},
                     {"x", ToBase64Url(point.subspan(1, curve->size))},
                     {"y", ToBase64Url(point.subspan(1 + curve->size))}};
    KC_ASSIGN(sealed.key, AesTransform(AesMode::kWrap, true, agreed.secret.Expose(SecretAccess()),
                                       ByteSpan(), secret));
  }
  sealed.header = header.dump();
  return sealed;
}

// The encoded point of the header's `epk` if it is on the curve of the own key; empty if not.
Bytes PointOf(const Json& epk, const Curve& curve) {
  const auto x = attest::FromBase64UrlStrict(attest::TextMember(epk, "x").value_or(""));
  const auto y = attest::FromBase64UrlStrict(attest::TextMember(epk, "y").value_or(""));
  const bool fits = epk.size() == 4 && attest::TextMember(epk, "kty") == "EC" &&
                    attest::TextMember(epk, "crv") == curve.name && x.ok() && y.ok() &&
                    x->size() == curve.size && y->size() == curve.size;
  if (!fits) return {};
  Bytes point = {kUncompressed};
  point.insert(point.end(), x->begin(), x->end());
  point.insert(point.end(), y->begin(), y->end());
  return point;
}

Result<SecretBytes> OpenKey(JweAlgorithm algorithm, const Key& own, const Json& header,
                            ByteSpan sealed) {
  if (algorithm == JweAlgorithm::kRsaOaep256) {
    KC_ASSIGN(Bytes opened, kRsaOaepFamily.decrypt(own, Oaep(), sealed));
    return SecretBytes::Take(opened);
  }
  const Curve* curve = CurveOf(own);
  if (curve == nullptr) return Fail(Code::kKeyTypeInconsistent);
  KC_ASSIGN(const SecretBytes agreed,
            kEcdhFamily.decapsulate(own, Agreement(), PointOf(header.at("epk"), *curve), kKey));
  KC_ASSIGN(Bytes opened,
            AesTransform(AesMode::kWrap, false, agreed.Expose(SecretAccess()), ByteSpan(), sealed));
  return SecretBytes::Take(opened);
}

// The five parts of the compact serialization; the first as it stands there.
struct Parts {
  std::string_view header;
  Bytes header_text;
  Bytes key;
  Bytes iv;
  Bytes sealed;  // ciphertext and tag
};

Result<Parts> Split(ByteSpan jwe) {
  std::string_view rest = AsText(jwe);
  std::array<std::string_view, kParts> texts;
  for (size_t i = 0; i < kParts; ++i) {
    const size_t end = i + 1 == kParts ? rest.size() : rest.find('.');
    if (end == std::string_view::npos) return Fail(Code::kMalformed, "JWE of fewer than 5 parts");
    texts.at(i) = rest.substr(0, end);
    rest.remove_prefix(std::min(rest.size(), end + 1));
  }
  Parts parts;
  parts.header = texts[0];
  KC_ASSIGN(parts.header_text, attest::FromBase64UrlStrict(texts[0]));
  KC_ASSIGN(parts.key, attest::FromBase64UrlStrict(texts[1]));
  KC_ASSIGN(parts.iv, attest::FromBase64UrlStrict(texts[2]));
  KC_ASSIGN(parts.sealed, attest::FromBase64UrlStrict(texts[3]));
  KC_ASSIGN(const Bytes tag, attest::FromBase64UrlStrict(texts[4]));
  if (parts.iv.size() != kIv || tag.size() != kTag)
    return Fail(Code::kMalformed, "JWE with an iv or tag of another size than A256GCM's");
  parts.sealed.insert(parts.sealed.end(), tag.begin(), tag.end());
  return parts;
}

Result<SecretBytes> Open(JweAlgorithm algorithm, const Key& own, ByteSpan jwe) {
  KC_ASSIGN(const Parts parts, Split(jwe));
  KC_ASSIGN(const Json header, attest::ParseStrictJson(parts.header_text));
  const bool is_ec = algorithm == JweAlgorithm::kEcdhEsA256Kw;
  const bool known = attest::TextMember(header, "alg") == NameOf(algorithm) &&
                     attest::TextMember(header, "enc") == kContent &&
                     header.size() == (is_ec ? 3U : 2U) && header.contains("epk") == is_ec;
  if (!known) return Fail(Code::kMalformed, "JWE header");
  KC_ASSIGN(const SecretBytes content, OpenKey(algorithm, own, header, parts.key));
  if (content.size() != kKey) return Fail(Code::kEncryptedDataInvalid);
  KC_ASSIGN(Bytes plain,
            kAesGcmFamily.decrypt(ContentKey(content), Gcm(parts.iv, parts.header), parts.sealed));
  return SecretBytes::Take(plain);
}

}  // namespace

bool JweFits(JweAlgorithm algorithm, const Key& key) {
  return algorithm == JweAlgorithm::kRsaOaep256 ? key.key_type() == CKK_RSA
                                                : CurveOf(key) != nullptr;
}

Result<Bytes> JweSeal(JweAlgorithm algorithm, const Key& recipient, ByteSpan plaintext) {
  KC_CHECK_OK(CheckFit(algorithm, recipient));
  SecretBytes content(kKey);
  RandomFill(content.ExposeMutable(SecretAccess()));
  KC_ASSIGN(const Sealed sealed, SealKey(algorithm, recipient, content));
  // RFC 7516 §5.1: the header's encoding is what the content is bound to.
  std::string text = ToBase64Url(AsBytes(sealed.header));
  const auto iv = RandomArray<kIv>();
  KC_ASSIGN(const Bytes ciphertext,
            kAesGcmFamily.encrypt(ContentKey(content), Gcm(iv, text), plaintext));
  const ByteSpan whole(ciphertext);
  for (const ByteSpan part :
       {ByteSpan(sealed.key), ByteSpan(iv), whole.first(whole.size() - kTag), whole.last(kTag)}) {
    text.append(".").append(ToBase64Url(part));
  }
  return ToBytes(text);
}

Result<SecretBytes> JweOpen(JweAlgorithm algorithm, const Key& own, ByteSpan jwe) {
  KC_CHECK_OK(CheckFit(algorithm, own));
  if (own.object_class() != CKO_PRIVATE_KEY) return Fail(Code::kKeyFunctionNotPermitted);
  auto opened = Open(algorithm, own, jwe);
  // One answer for every way in which it does not open.
  if (!opened.ok()) return Fail(Code::kEncryptedDataInvalid);
  return opened;
}

}  // namespace keyclave::mech
