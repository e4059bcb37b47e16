#include "enclave/keys/seal.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <climits>
#include <cstdlib>

#include "enclave/base/byte_reader.h"
#include "enclave/base/hash.h"

namespace keyclave::keys {
namespace {

struct EvpFree {
  void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
  void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, EvpFree>;

// Fetched once: a fetch costs more than sealing a small record.
const EVP_CIPHER* Aes256Gcm() {
  static const std::unique_ptr<EVP_CIPHER, EvpFree> kCipher(
      EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr));
  return kCipher.get();
}

EVP_MAC* Hmac() {
  static const std::unique_ptr<EVP_MAC, EvpFree> kMac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  return kMac.get();
}

// One EVP_CipherUpdate over all of `in`; with `out` null it is associated data.
bool Update(EVP_CIPHER_CTX* context, uint8_t* out, ByteSpan in) {
  if (in.empty()) return true;
  if (in.size() > INT_MAX) return false;
  int written = 0;
  return EVP_CipherUpdate(context, out, &written, in.data(), static_cast<int>(in.size())) == 1 &&
         written == static_cast<int>(in.size());
}

// Sets up key and nonce and takes the associated data in; null if the library failed.
CipherContext Start(const SecretBytes& key, ByteSpan nonce, ByteSpan associated_data,
                    bool encrypt) {
  CipherContext context(EVP_CIPHER_CTX_new());
  const ByteSpan key_bytes = key.Expose(SecretAccess());
  if (context == nullptr || Aes256Gcm() == nullptr || key_bytes.size() != 32 ||
      nonce.size() != kNonceSize ||
      EVP_CipherInit_ex2(context.get(), Aes256Gcm(), key_bytes.data(), nonce.data(),
                         encrypt ? 1 : 0, nullptr) != 1 ||
      !Update(context.get(), nullptr, associated_data))
    return nullptr;
  return context;
}

}  // namespace

Result<Bytes> Seal(const SecretBytes& key, ByteSpan associated_data, ByteSpan plaintext) {
  const auto nonce = RandomArray<kNonceSize>();
  Bytes sealed(plaintext.size() + kSealOverhead);
  std::copy(nonce.begin(), nonce.end(), sealed.begin());
  const std::span<uint8_t> ciphertext = std::span(sealed).subspan(kNonceSize, plaintext.size());
  const std::span<uint8_t> tag = std::span(sealed).last(kTagSize);
  const CipherContext context = Start(key, nonce, associated_data, true);
  int rest = 0;
  if (context == nullptr || !Update(context.get(), ciphertext.data(), plaintext) ||
      EVP_CipherFinal_ex(context.get(), tag.data(), &rest) != 1 || rest != 0 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(tag.size()),
                          tag.data()) != 1)
    return Fail(Code::kCryptoFailed, "AES-256-GCM");
  return sealed;
}

Result<Bytes> Unseal(const SecretBytes& key, ByteSpan associated_data, ByteSpan sealed) {
  if (sealed.size() < kSealOverhead) return Fail(Code::kSealFailed, "too short");
  ByteReader in(sealed);
  KC_ASSIGN(const ByteSpan nonce, in.Take(kNonceSize));
  KC_ASSIGN(const ByteSpan ciphertext, in.Take(in.remaining() - kTagSize));
  KC_ASSIGN(auto tag, in.TakeArray<kTagSize>());
  Bytes plaintext(ciphertext.size());
  const CipherContext context = Start(key, nonce, associated_data, false);
  int rest = 0;
  ByteArray<kTagSize> none{};  // GCM's final call gives no bytes, but wants a place for them
  if (context == nullptr || !Update(context.get(), plaintext.data(), ciphertext) ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag.size()),
                          tag.data()) != 1)
    return Fail(Code::kCryptoFailed, "AES-256-GCM");
  if (EVP_CipherFinal_ex(context.get(), none.data(), &rest) != 1) return Fail(Code::kSealFailed);
  return plaintext;
}

ByteArray<32> Authenticate(const SecretBytes& key, ByteSpan message) {
  ByteArray<32> tag{};
  const std::unique_ptr<EVP_MAC_CTX, EvpFree> context(EVP_MAC_CTX_new(Hmac()));
  std::string digest = "SHA256";
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_end()};
  const ByteSpan key_bytes = key.Expose(SecretAccess());
  size_t written = 0;
  // Cannot fail but by a broken library; a tag of zeros must never be taken for a real one.
  if (context == nullptr ||
      EVP_MAC_init(context.get(), key_bytes.data(), key_bytes.size(), params) != 1 ||
      EVP_MAC_update(context.get(), message.data(), message.size()) != 1 ||
      EVP_MAC_final(context.get(), tag.data(), &written, tag.size()) != 1 || written != tag.size())
    std::abort();
  return tag;
}

}  // namespace keyclave::keys
