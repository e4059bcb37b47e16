#include "enclave/mech/aes.h"

#include <cstdlib>

#include "enclave/mech/checks.h"
#include "enclave/mech/evp.h"

namespace keyclave::mech {
namespace {

constexpr const char* kNames[][3] = {
    {"AES-128-ECB", "AES-192-ECB", "AES-256-ECB"},
    {"AES-128-CBC", "AES-192-CBC", "AES-256-CBC"},
    {"AES-128-CTR", "AES-192-CTR", "AES-256-CTR"},
    {"AES-128-GCM", "AES-192-GCM", "AES-256-GCM"},
    {"AES-128-CCM", "AES-192-CCM", "AES-256-CCM"},
    {"AES-128-WRAP", "AES-192-WRAP", "AES-256-WRAP"},
    {"AES-128-WRAP-PAD", "AES-192-WRAP-PAD", "AES-256-WRAP-PAD"},
};
constexpr size_t kModes = std::size(kNames);
using Fetched = std::array<std::array<const EVP_CIPHER*, 3>, kModes>;

Fetched FetchAll() {
  Fetched fetched{};
  for (size_t mode = 0; mode < kModes; ++mode) {
    for (size_t size = 0; size < 3; ++size) {
      fetched[mode][size] = EVP_CIPHER_fetch(Library(), kNames[mode][size], nullptr);
      // The default provider of every OpenSSL 3 has them all.
      if (fetched[mode][size] == nullptr) std::abort();
    }
  }
  return fetched;
}

constexpr size_t kMaxGcmIv = 128;                                  // bytes; OpenSSL's limit
constexpr uint64_t kGcmTags[] = {32, 64, 96, 104, 112, 120, 128};  // NIST SP 800-38D §5.2.1.2

}  // namespace

Result<const wire::GcmParam*> ExpectGcm(const wire::Mechanism& mechanism) {
  KC_ASSIGN(const wire::GcmParam* param, ExpectShape(mechanism, &wire::Mechanism::gcm));
  if (param->iv.empty() || param->iv.size() > kMaxGcmIv) {
    return Fail(Code::kMechanismParamInvalid, "ulIvLen");
  }
  if (std::find(std::begin(kGcmTags), std::end(kGcmTags), param->tag_bits) == std::end(kGcmTags)) {
    return Fail(Code::kMechanismParamInvalid, "ulTagBits");
  }
  return param;
}

const EVP_CIPHER* AesCipher(AesMode mode, size_t key_size) {
  static const Fetched fetched = FetchAll();
  return fetched[static_cast<size_t>(mode)][key_size / 8 - 2];
}

Result<ByteSpan> AesKey(const Key& key) {
  KC_CHECK_OK(CheckSecret(key, CKK_AES));
  return key.secret().Expose(SecretAccess());
}

Bytes FillBlocks(ByteSpan value) {
  Bytes filled = ToBytes(value);
  filled.resize((value.size() + kAesBlock - 1) / kAesBlock * kAesBlock);
  return filled;
}

Result<Bytes> CipherTransform(const EVP_CIPHER* cipher, bool encrypt, ByteSpan key, ByteSpan iv,
                              ByteSpan input, bool padding) {
  const EvpCipherCtx context(EVP_CIPHER_CTX_new());
  if (context == nullptr) return OpensslError("cipher");
  if (EVP_CIPHER_get_mode(cipher) == EVP_CIPH_WRAP_MODE) {
    EVP_CIPHER_CTX_set_flags(context.get(), EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
  }
  if (EVP_CipherInit_ex2(context.get(), cipher, key.data(), iv.empty() ? nullptr : iv.data(),
                         encrypt ? 1 : 0, nullptr) != 1 ||
      EVP_CIPHER_CTX_set_padding(context.get(), padding ? 1 : 0) != 1) {
    return OpensslError("cipher");
  }
  // Key wrapping adds at most two half blocks, padding at most one block.
  Bytes output(input.size() + 2 * kAesBlock);
  int updated = 0;
  int finished = 0;
  if (EVP_CipherUpdate(context.get(), output.data(), &updated, input.data(),
                       static_cast<int>(input.size())) != 1 ||
      EVP_CipherFinal_ex(context.get(), output.data() + updated, &finished) != 1) {
    return OpensslError("cipher");
  }
  output.resize(static_cast<size_t>(updated + finished));
  return output;
}

Result<Bytes> AesTransform(AesMode mode, bool encrypt, ByteSpan key, ByteSpan iv, ByteSpan input,
                           bool padding) {
  return CipherTransform(AesCipher(mode, key.size()), encrypt, key, iv, input, padding);
}

}  // namespace keyclave::mech
