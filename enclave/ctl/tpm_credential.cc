#include "enclave/ctl/tpm_credential.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "enclave/base/byte_reader.h"

namespace keyclave::ctl {
namespace {

using attest::KeyKind;
using attest::tpm::Credential;
using attest::tpm::EkKind;

template <auto free>
struct Freer {
  template <class T>
  void operator()(T* object) const {
    free(object);
  }
};
using Pkey = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using PkeyContext = std::unique_ptr<EVP_PKEY_CTX, Freer<EVP_PKEY_CTX_free>>;
using Kdf = std::unique_ptr<EVP_KDF, Freer<EVP_KDF_free>>;
using KdfContext = std::unique_ptr<EVP_KDF_CTX, Freer<EVP_KDF_CTX_free>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, Freer<EVP_CIPHER_CTX_free>>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, Freer<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Freer<OSSL_PARAM_free>>;

constexpr size_t kMaxSecret = 32;  // bytes: a digest of the weakest hash that is used
// The labels end with a NUL where they are bytes; KDFa puts one behind them by itself.
constexpr std::string_view kIdentity("IDENTITY\0", 9);

// What the template of an EK says of the algorithms that protect its credentials.
struct Suite {
  EkKind kind;
  KeyKind key;
  const char* digest;
  size_t digest_size;      // bytes
  size_t aes_key_size;     // bytes
  size_t coordinate_size;  // bytes; 0: RSA
};
constexpr Suite kSuites[] = {
    {EkKind::kRsa2048, KeyKind::kRsa, "SHA256", 32, 16, 0},
    {EkKind::kP256, KeyKind::kEcP256, "SHA256", 32, 16, 32},
    {EkKind::kP384, KeyKind::kEcP384, "SHA384", 48, 32, 48},
};

Error Failed(std::string_view what) { return Fail(Code::kCryptoFailed, std::string(what)); }

Result<const Suite*> SuiteOf(const attest::PublicKey& key) {
  for (const Suite& suite : kSuites) {
    if (suite.key == key.kind() && (key.kind() != KeyKind::kRsa || key.bits() == 2048))
      return &suite;
  }
  return Fail(Code::kUnsupported,
              "endorsement key: wanted RSA of 2048 bits, ECC P-256 or ECC P-384");
}

Result<Bytes> Derive(const char* algorithm, const OSSL_PARAM* params, size_t size) {
  const Kdf kdf(EVP_KDF_fetch(nullptr, algorithm, nullptr));
  const KdfContext context(kdf == nullptr ? nullptr : EVP_KDF_CTX_new(kdf.get()));
  Bytes key(size);
  if (context == nullptr || EVP_KDF_derive(context.get(), key.data(), size, params) != 1)
    return Failed(algorithm);
  return key;
}

bool Push(const ParamBuilder& builder, const char* name, ByteSpan bytes) {
  return OSSL_PARAM_BLD_push_octet_string(builder.get(), name, bytes.data(), bytes.size()) == 1;
}

bool Push(const ParamBuilder& builder, const char* name, const char* text) {
  return OSSL_PARAM_BLD_push_utf8_string(builder.get(), name, text, 0) == 1;
}

// Part 1 §11.4.10.2: SP 800-108 in counter mode with HMAC.
Result<Bytes> KdfA(const Suite& suite, ByteSpan key, std::string_view label, ByteSpan context,
                   size_t size) {
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (builder == nullptr || !Push(builder, OSSL_KDF_PARAM_MODE, "counter") ||
      !Push(builder, OSSL_KDF_PARAM_MAC, "HMAC") ||
      !Push(builder, OSSL_KDF_PARAM_DIGEST, suite.digest) ||
      !Push(builder, OSSL_KDF_PARAM_KEY, key) ||
      !Push(builder, OSSL_KDF_PARAM_SALT, AsBytes(label)) ||
      (!context.empty() && !Push(builder, OSSL_KDF_PARAM_INFO, context)))
    return Failed("KDFa");
  const Params params(OSSL_PARAM_BLD_to_param(builder.get()));
  return Derive("KBKDF", params.get(), size);
}

// Part 1 §11.4.10.3: the one-step derivation of SP 800-56A.
Result<Bytes> KdfE(const Suite& suite, ByteSpan shared, ByteSpan info) {
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (builder == nullptr || !Push(builder, OSSL_KDF_PARAM_DIGEST, suite.digest) ||
      !Push(builder, OSSL_KDF_PARAM_KEY, shared) || !Push(builder, OSSL_KDF_PARAM_INFO, info))
    return Failed("KDFe");
  const Params params(OSSL_PARAM_BLD_to_param(builder.get()));
  return Derive("SSKDF", params.get(), suite.digest_size);
}

// The seed that the credential's keys come from, and what tells it to the EK.
struct Seed {
  Bytes seed;
  Bytes encrypted;
};

Result<Seed> SeedForRsa(const Suite& suite, EVP_PKEY* ek) {
  Seed made{.seed = Bytes(suite.digest_size), .encrypted = {}};
  RandomFill(made.seed);
  const PkeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, ek, nullptr));
  Bytes label = ToBytes(kIdentity);
  std::string digest = suite.digest;
  std::string padding = OSSL_PKEY_RSA_PAD_MODE_OAEP;
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_PAD_MODE, padding.data(), 0),
      OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL, label.data(),
                                        label.size()),
      OSSL_PARAM_construct_end()};
  size_t size = 0;
  if (context == nullptr || EVP_PKEY_encrypt_init_ex(context.get(), params) != 1 ||
      EVP_PKEY_encrypt(context.get(), nullptr, &size, made.seed.data(), made.seed.size()) != 1)
    return Failed("RSA-OAEP");
  made.encrypted.resize(size);
  if (EVP_PKEY_encrypt(context.get(), made.encrypted.data(), &size, made.seed.data(),
                       made.seed.size()) != 1)
    return Failed("RSA-OAEP");
  made.encrypted.resize(size);
  return made;
}

// 04 | x | y
Result<Bytes> PointOf(const Suite& suite, const EVP_PKEY* key) {
  Bytes point(1 + 2 * suite.coordinate_size);
  size_t size = 0;
  if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size(),
                                      &size) != 1 ||
      size != point.size())
    return Failed("point of an EC key");
  return point;
}

Result<Bytes> SharedSecret(EVP_PKEY* own, EVP_PKEY* other) {
  const PkeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, own, nullptr));
  size_t size = 0;
  if (context == nullptr || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), other) != 1 ||
      EVP_PKEY_derive(context.get(), nullptr, &size) != 1)
    return Failed("ECDH");
  Bytes shared(size);
  if (EVP_PKEY_derive(context.get(), shared.data(), &size) != 1) return Failed("ECDH");
  shared.resize(size);
  return shared;
}

Result<Seed> SeedForEc(const Suite& suite, EVP_PKEY* ek) {
  const PkeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, ek, nullptr));
  EVP_PKEY* generated = nullptr;
  if (context == nullptr || EVP_PKEY_keygen_init(context.get()) != 1 ||
      EVP_PKEY_generate(context.get(), &generated) != 1)
    return Failed("ephemeral EC key");
  const Pkey ephemeral(generated);
  KC_ASSIGN(const Bytes own, PointOf(suite, ephemeral.get()));
  KC_ASSIGN(const Bytes other, PointOf(suite, ek));
  KC_ASSIGN(const Bytes shared, SharedSecret(ephemeral.get(), ek));
  const ByteSpan own_x = ByteSpan(own).subspan(1, suite.coordinate_size);
  const ByteSpan own_y = ByteSpan(own).subspan(1 + suite.coordinate_size);
  ByteWriter info;
  info.Put(AsBytes(kIdentity));
  info.Put(own_x);
  info.Put(ByteSpan(other).subspan(1, suite.coordinate_size));
  Seed made;
  KC_ASSIGN(made.seed, KdfE(suite, shared, info.bytes()));
  ByteWriter point;  // TPMS_ECC_POINT
  for (const ByteSpan coordinate : {own_x, own_y}) {
    point.PutBe(static_cast<uint16_t>(coordinate.size()));
    point.Put(coordinate);
  }
  made.encrypted = std::move(point).Finish();
  return made;
}

Result<Bytes> EncryptCfb(const Suite& suite, ByteSpan key, ByteSpan text) {
  const EVP_CIPHER* cipher = suite.aes_key_size == 16 ? EVP_aes_128_cfb128() : EVP_aes_256_cfb128();
  const ByteArray<16> zero{};
  const CipherContext context(EVP_CIPHER_CTX_new());
  Bytes encrypted(text.size());
  int size = 0;
  if (context == nullptr ||
      EVP_EncryptInit_ex2(context.get(), cipher, key.data(), zero.data(), nullptr) != 1 ||
      EVP_EncryptUpdate(context.get(), encrypted.data(), &size, text.data(),
                        static_cast<int>(text.size())) != 1 ||
      static_cast<size_t>(size) != text.size())
    return Failed("AES-CFB");
  return encrypted;
}

Result<Bytes> Hmac(const Suite& suite, ByteSpan key, ByteSpan text) {
  Bytes mac(suite.digest_size);
  size_t size = 0;
  if (EVP_Q_mac(nullptr, "HMAC", nullptr, suite.digest, nullptr, key.data(), key.size(),
                text.data(), text.size(), mac.data(), mac.size(), &size) == nullptr ||
      size != mac.size())
    return Failed("HMAC");
  return mac;
}

// Part 1 §24.4: the secret encrypted and, with the object's name, authenticated.
Result<Bytes> Protect(const Suite& suite, ByteSpan seed, ByteSpan name, const SecretBytes& secret) {
  ByteWriter plain;  // TPM2B_DIGEST
  plain.PutBe(static_cast<uint16_t>(secret.size()));
  plain.Put(secret.Expose(SecretAccess{}));
  KC_ASSIGN(const Bytes cipher_key, KdfA(suite, seed, "STORAGE", name, suite.aes_key_size));
  KC_ASSIGN(const Bytes encrypted, EncryptCfb(suite, cipher_key, plain.bytes()));
  KC_ASSIGN(const Bytes mac_key, KdfA(suite, seed, "INTEGRITY", {}, suite.digest_size));
  ByteWriter authenticated;
  authenticated.Put(encrypted);
  authenticated.Put(name);
  KC_ASSIGN(const Bytes mac, Hmac(suite, mac_key, authenticated.bytes()));
  ByteWriter identity;  // TPMS_ID_OBJECT
  identity.PutBe(static_cast<uint16_t>(mac.size()));
  identity.Put(mac);
  identity.Put(encrypted);
  return std::move(identity).Finish();
}

}  // namespace

Result<EkKind> EkKindOf(const attest::PublicKey& key) {
  KC_ASSIGN(const Suite* const suite, SuiteOf(key));
  return suite->kind;
}

Result<Credential> MakeCredential(const attest::PublicKey& ek, ByteSpan name,
                                  const SecretBytes& secret) {
  if (secret.empty() || secret.size() > kMaxSecret)
    return Fail(Code::kInvalidArgument, "secret of a credential: 1 to 32 bytes");
  KC_ASSIGN(const Suite* const suite, SuiteOf(ek));
  const uint8_t* at = ek.spki().data();
  const Pkey key(d2i_PUBKEY(nullptr, &at, static_cast<long>(ek.spki().size())));
  if (key == nullptr) return Failed("endorsement key");
  KC_ASSIGN(Seed seed, suite->coordinate_size == 0 ? SeedForRsa(*suite, key.get())
                                                   : SeedForEc(*suite, key.get()));
  Credential made;
  KC_ASSIGN(made.identity, Protect(*suite, seed.seed, name, secret));
  made.secret = std::move(seed.encrypted);
  return made;
}

}  // namespace keyclave::ctl
