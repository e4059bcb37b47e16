#include "enclave/mech/hpke.h"

#include <openssl/core_names.h>
#include <openssl/err.h>

#include "enclave/base/byte_reader.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/families.h"
#include "enclave/mech/key_type.h"
#include "enclave/mech/pkey_run.h"

namespace keyclave::mech {
namespace {

constexpr size_t kHash = 32;              // Nh of HKDF-SHA256, and Nsecret of both KEMs
constexpr size_t kKey = 32;               // Nk of AES-256-GCM
constexpr size_t kNonce = 12;             // Nn
constexpr size_t kTag = 16;               // Nt
constexpr uint16_t kHkdfSha256 = 0x0001;  // §7.2
constexpr uint16_t kAes256Gcm = 0x0002;   // §7.3
constexpr uint8_t kModeBase = 0x00;       // §5, Table 1
constexpr size_t kCoordinate = 32;        // of P-256
constexpr uint8_t kUncompressed = 0x04;   // SEC 1 §2.3.3
constexpr const char* kP256 = "prime256v1";

size_t PublicKeySize(HpkeKem kem) {
  return kem == HpkeKem::kP256 ? 1 + 2 * kCoordinate : kCoordinate;
}

Status CheckCurve(HpkeKem kem, const EVP_PKEY* pkey) {
  if (pkey != nullptr && kem == HpkeKem::kX25519 && EVP_PKEY_is_a(pkey, "X25519") == 1) {
    return Done{};
  }
  if (pkey != nullptr && kem == HpkeKem::kP256 && EVP_PKEY_is_a(pkey, "EC") == 1) {
    const auto group = PkeyText(pkey, OSSL_PKEY_PARAM_GROUP_NAME);
    if (group.ok() && *group == kP256) return Done{};
  }
  return Fail(Code::kKeyTypeInconsistent,
              kem == HpkeKem::kP256 ? "wanted a P-256 key" : "wanted an X25519 key");
}

// SerializePublicKey (§4.1, §7.1.1).
Result<Bytes> Serialize(HpkeKem kem, const EVP_PKEY* pkey) {
  if (kem == HpkeKem::kX25519) return PkeyOctets(pkey, OSSL_PKEY_PARAM_PUB_KEY);
  KC_ASSIGN(const BigNum x, PkeyBigNum(pkey, OSSL_PKEY_PARAM_EC_PUB_X));
  KC_ASSIGN(const BigNum y, PkeyBigNum(pkey, OSSL_PKEY_PARAM_EC_PUB_Y));
  Bytes point = {kUncompressed};
  for (const BIGNUM* coordinate : {x.get(), y.get()}) {
    const Bytes bytes = BigNumBytes(coordinate, kCoordinate);
    point.insert(point.end(), bytes.begin(), bytes.end());
  }
  return point;
}

// DeserializePublicKey: OpenSSL checks that a point is on its curve (§7.1.4).
Result<EvpPkey> Deserialize(HpkeKem kem, ByteSpan bytes) {
  if (kem == HpkeKem::kX25519) {
    EvpPkey pkey(
        EVP_PKEY_new_raw_public_key_ex(Library(), "X25519", nullptr, bytes.data(), bytes.size()));
    if (pkey == nullptr) return OpensslError(Code::kEncryptedDataInvalid, "encapsulated key");
    return pkey;
  }
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (bytes.front() != kUncompressed || !builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, kP256, 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, bytes.data(),
                                       bytes.size()) != 1) {
    return Fail(Code::kEncryptedDataInvalid, "encapsulated key");
  }
  auto pkey = PkeyFromParams("EC", EVP_PKEY_PUBLIC_KEY, builder.get(), "encapsulated key");
  if (!pkey.ok()) return Fail(Code::kEncryptedDataInvalid, "encapsulated key");
  return pkey;
}

Result<EvpPkey> NewEphemeral(HpkeKem kem) {
  EvpPkey pkey(kem == HpkeKem::kX25519 ? EVP_PKEY_Q_keygen(Library(), nullptr, "X25519")
                                       : EVP_PKEY_Q_keygen(Library(), nullptr, "EC", kP256));
  if (pkey == nullptr) return OpensslError("HPKE ephemeral key");
  return pkey;
}

// Which step of HKDF, with what it takes beside the key (RFC 5869 §2.2, §2.3).
struct HkdfStep {
  int mode = 0;
  const char* name = nullptr;  // of the other input: salt or info
  Bytes input;
};

Result<SecretBytes> Hkdf(const HkdfStep& step, ByteSpan key, size_t size) {
  static EVP_KDF* const kdf = EVP_KDF_fetch(Library(), "HKDF", nullptr);
  const EvpKdfCtx context(EVP_KDF_CTX_new(kdf));
  int mode = step.mode;
  std::string digest = "SHA256";
  SecretBytes secret = SecretBytes::CopyOf(key);
  const auto exposed = secret.ExposeMutable(SecretAccess());
  Bytes input = step.input;
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), digest.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, exposed.data(), exposed.size()),
      input.empty() ? OSSL_PARAM_construct_end()
                    : OSSL_PARAM_construct_octet_string(step.name, input.data(), input.size()),
      OSSL_PARAM_construct_end()};
  SecretBytes out(size);
  if (!context ||
      EVP_KDF_derive(context.get(), out.ExposeMutable(SecretAccess()).data(), size, params) != 1) {
    return OpensslError("HKDF");
  }
  return out;
}

// The labelled functions of §4, for the KEM or for the whole suite.
class LabelledHkdf {
 public:
  explicit LabelledHkdf(Bytes suite_id) : suite_id_(std::move(suite_id)) {}
  static LabelledHkdf OfKem(HpkeKem kem) {
    ByteWriter id;
    id.Put(AsBytes("KEM"));
    id.PutBe(static_cast<uint16_t>(kem));
    return LabelledHkdf(std::move(id).Finish());
  }
  static LabelledHkdf OfSuite(HpkeKem kem) {
    ByteWriter id;
    id.Put(AsBytes("HPKE"));
    id.PutBe(static_cast<uint16_t>(kem));
    id.PutBe(kHkdfSha256);
    id.PutBe(kAes256Gcm);
    return LabelledHkdf(std::move(id).Finish());
  }

  Result<SecretBytes> Extract(ByteSpan salt, std::string_view label, ByteSpan ikm) const {
    const Bytes head = Labelled({}, label);
    SecretBytes labelled(head.size() + ikm.size());
    const auto out = labelled.ExposeMutable(SecretAccess());
    std::copy(head.begin(), head.end(), out.begin());
    std::copy(ikm.begin(), ikm.end(), out.begin() + static_cast<std::ptrdiff_t>(head.size()));
    return Hkdf({EVP_KDF_HKDF_MODE_EXTRACT_ONLY, OSSL_KDF_PARAM_SALT, ToBytes(salt)},
                labelled.Expose(SecretAccess()), kHash);
  }
  Result<SecretBytes> Expand(const SecretBytes& prk, std::string_view label, ByteSpan info,
                             size_t size) const {
    ByteWriter length;
    length.PutBe(static_cast<uint16_t>(size));
    Bytes labelled = Labelled(length.bytes(), label);
    labelled.insert(labelled.end(), info.begin(), info.end());
    return Hkdf({EVP_KDF_HKDF_MODE_EXPAND_ONLY, OSSL_KDF_PARAM_INFO, std::move(labelled)},
                prk.Expose(SecretAccess()), size);
  }

 private:
  Bytes Labelled(ByteSpan before, std::string_view label) const {
    ByteWriter out;
    out.Put(before);
    out.Put(AsBytes("HPKE-v1"));
    out.Put(suite_id_);
    out.Put(AsBytes(label));
    return std::move(out).Finish();
  }
  Bytes suite_id_;
};

// ExtractAndExpand of the KEM (§4.1), the same at both ends.
Result<SecretBytes> SharedSecret(HpkeKem kem, EVP_PKEY* own, EVP_PKEY* peer, ByteSpan encapsulated,
                                 ByteSpan recipient) {
  KC_ASSIGN(const SecretBytes agreed, RunAgree(own, peer, /*cofactor=*/false));
  const LabelledHkdf hkdf = LabelledHkdf::OfKem(kem);
  KC_ASSIGN(const SecretBytes prk, hkdf.Extract({}, "eae_prk", agreed.Expose(SecretAccess())));
  Bytes context = ToBytes(encapsulated);
  context.insert(context.end(), recipient.begin(), recipient.end());
  return hkdf.Expand(prk, "shared_secret", context, kHash);
}

// KeySchedule in base mode (§5.1): key and nonce of the only message.
struct Schedule {
  SecretBytes key;
  Bytes nonce;
};

Result<Schedule> MakeSchedule(HpkeKem kem, const SecretBytes& shared, ByteSpan info) {
  const LabelledHkdf hkdf = LabelledHkdf::OfSuite(kem);
  KC_ASSIGN(const SecretBytes psk_id_hash, hkdf.Extract({}, "psk_id_hash", {}));
  KC_ASSIGN(const SecretBytes info_hash, hkdf.Extract({}, "info_hash", info));
  Bytes context = {kModeBase};
  for (const SecretBytes* hash : {&psk_id_hash, &info_hash}) {
    const ByteSpan bytes = hash->Expose(SecretAccess());
    context.insert(context.end(), bytes.begin(), bytes.end());
  }
  KC_ASSIGN(const SecretBytes secret, hkdf.Extract(shared.Expose(SecretAccess()), "secret", {}));
  Schedule schedule;
  KC_ASSIGN(schedule.key, hkdf.Expand(secret, "key", context, kKey));
  KC_ASSIGN(const SecretBytes nonce, hkdf.Expand(secret, "base_nonce", context, kNonce));
  schedule.nonce = ToBytes(nonce.Expose(SecretAccess()));
  return schedule;
}

wire::Mechanism Aead(const Schedule& schedule, ByteSpan aad) {
  wire::Mechanism mechanism;
  mechanism.type = CKM_AES_GCM;
  mechanism.gcm = wire::GcmParam{schedule.nonce, ToBytes(aad), kTag * 8};
  return mechanism;
}

Key AeadKey(Schedule& schedule) {
  return {CKO_SECRET_KEY, CKK_AES, EvpPkey(), std::move(schedule.key)};
}

}  // namespace

bool HpkeFits(HpkeKem kem, const Key& key) { return CheckCurve(kem, key.pkey()).ok(); }

Result<Bytes> HpkeSealWith(HpkeKem kem, EVP_PKEY* ephemeral, const Key& recipient, ByteSpan info,
                           ByteSpan aad, ByteSpan plaintext) {
  KC_CHECK_OK(CheckCurve(kem, recipient.pkey()));
  KC_ASSIGN(Bytes sealed, Serialize(kem, ephemeral));
  KC_ASSIGN(const Bytes public_key, Serialize(kem, recipient.pkey()));
  KC_ASSIGN(const SecretBytes shared,
            SharedSecret(kem, ephemeral, recipient.pkey(), sealed, public_key));
  KC_ASSIGN(Schedule schedule, MakeSchedule(kem, shared, info));
  const wire::Mechanism aead = Aead(schedule, aad);
  const Key key = AeadKey(schedule);
  KC_ASSIGN(const Bytes ciphertext, kAesGcmFamily.encrypt(key, aead, plaintext));
  sealed.insert(sealed.end(), ciphertext.begin(), ciphertext.end());
  return sealed;
}

Result<Bytes> HpkeSeal(HpkeKem kem, const Key& recipient, ByteSpan info, ByteSpan aad,
                       ByteSpan plaintext) {
  KC_ASSIGN(const EvpPkey ephemeral, NewEphemeral(kem));
  return HpkeSealWith(kem, ephemeral.get(), recipient, info, aad, plaintext);
}

Result<SecretBytes> HpkeOpen(HpkeKem kem, const Key& own, ByteSpan info, ByteSpan aad,
                             ByteSpan sealed) {
  KC_CHECK_OK(CheckCurve(kem, own.pkey()));
  if (own.object_class() != CKO_PRIVATE_KEY) return Fail(Code::kKeyFunctionNotPermitted);
  const size_t size = PublicKeySize(kem);
  if (sealed.size() < size + kTag) return Fail(Code::kEncryptedDataLenRange);
  const ByteSpan encapsulated = sealed.first(size);
  KC_ASSIGN(const EvpPkey peer, Deserialize(kem, encapsulated));
  KC_ASSIGN(const Bytes public_key, Serialize(kem, own.pkey()));
  const auto shared = SharedSecret(kem, own.pkey(), peer.get(), encapsulated, public_key);
  if (!shared.ok()) return Fail(Code::kEncryptedDataInvalid, "encapsulated key");
  KC_ASSIGN(Schedule schedule, MakeSchedule(kem, *shared, info));
  const wire::Mechanism aead = Aead(schedule, aad);
  const Key key = AeadKey(schedule);
  KC_ASSIGN(Bytes plaintext, kAesGcmFamily.decrypt(key, aead, sealed.subspan(size)));
  return SecretBytes::Take(plaintext);
}

}  // namespace keyclave::mech
