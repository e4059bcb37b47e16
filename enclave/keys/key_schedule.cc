#include "enclave/keys/key_schedule.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <cstdlib>

#include "enclave/base/byte_reader.h"

namespace keyclave::keys {
namespace {

constexpr std::string_view kSalt = "keyclave/vault/1";
constexpr size_t kKeySize = 32;  // bytes

struct KdfFree {
  void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};

// Fetched once: a fetch costs more than a derivation.
EVP_KDF* Hkdf() {
  static const std::unique_ptr<EVP_KDF, KdfFree> kHkdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  return kHkdf.get();
}

OSSL_PARAM Octets(const char* name, ByteSpan bytes) {
  // OSSL_PARAM takes a pointer to mutable bytes for reading too.
  return OSSL_PARAM_construct_octet_string(name, const_cast<uint8_t*>(bytes.data()), bytes.size());
}

SecretBytes Derive(int mode, ByteSpan key, const char* input_name, ByteSpan input, size_t size) {
  SecretBytes out(size);
  const std::unique_ptr<EVP_KDF_CTX, KdfFree> context(EVP_KDF_CTX_new(Hkdf()));
  std::string digest = "SHA256";
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode), Octets(OSSL_KDF_PARAM_KEY, key),
      Octets(input_name, input), OSSL_PARAM_construct_end()};
  const std::span<uint8_t> bytes = out.ExposeMutable(SecretAccess());
  if (context == nullptr || EVP_KDF_derive(context.get(), bytes.data(), bytes.size(), params) != 1)
    std::abort();
  return out;
}

SecretBytes Expand(const SecretBytes& key, std::string_view label,
                   std::initializer_list<ByteSpan> context, size_t size) {
  ByteWriter info;
  info.PutPrefixed(AsBytes(label));
  for (const ByteSpan part : context) info.PutPrefixed(part);
  return Derive(EVP_KDF_HKDF_MODE_EXPAND_ONLY, key.Expose(SecretAccess()), OSSL_KDF_PARAM_INFO,
                info.bytes(), size);
}

Bytes BigEndian(uint64_t value) {
  ByteWriter out;
  out.PutBe(value);
  return std::move(out).Finish();
}

}  // namespace

KeySchedule::KeySchedule(const SecretBytes& root_secret)
    : pseudorandom_key_(Derive(EVP_KDF_HKDF_MODE_EXTRACT_ONLY, root_secret.Expose(SecretAccess()),
                               OSSL_KDF_PARAM_SALT, AsBytes(kSalt), kKeySize)) {}

ByteArray<16> KeySchedule::EnclaveId() const {
  ByteArray<16> id;
  const SecretBytes derived = Expand(pseudorandom_key_, "enclave id", {}, id.size());
  const ByteSpan bytes = derived.Expose(SecretAccess());
  std::copy(bytes.begin(), bytes.end(), id.begin());
  return id;
}

SecretBytes KeySchedule::RowIdKey() const {
  return Expand(pseudorandom_key_, "row id", {}, kKeySize);
}

SecretBytes KeySchedule::RowHeaderKey(const store::RowId& row) const {
  return Expand(pseudorandom_key_, "row header", {row}, kKeySize);
}

SecretBytes KeySchedule::TokenKey(const ByteArray<16>& token) const {
  return Expand(pseudorandom_key_, "token", {token}, kKeySize);
}

SecretBytes KeySchedule::HeadKey(uint64_t epoch) const {
  return Expand(pseudorandom_key_, "head", {BigEndian(epoch)}, kKeySize);
}

SecretBytes KeySchedule::WitnessKey() const {
  return Expand(pseudorandom_key_, "witness", {}, kKeySize);
}

SecretBytes KeySchedule::PurposeKey(std::string_view label, size_t size) const {
  return Expand(pseudorandom_key_, "purpose/" + std::string(label), {}, size);
}

SecretBytes KeySchedule::RecordKey(const SecretBytes& token_key, const store::RowId& row,
                                   uint64_t version) {
  return Expand(token_key, "record", {row, BigEndian(version)}, kKeySize);
}

KeyGenerations::KeyGenerations(const RootKeyring& keyring)
    : first_(std::make_shared<const Generation>(Generation{0, KeySchedule(keyring.first())})),
      oldest_(keyring.oldest) {
  for (const auto& [number, secret] : keyring.secrets) {
    if (number != kFirstGeneration) Add(number, secret);
  }
}

// The first one, which most enclaves have alone, is asked for without a lock.
std::shared_ptr<const KeyGenerations::Generation> KeyGenerations::Find(uint32_t number) const {
  if (number == kFirstGeneration) return first_;
  const ReaderLock lock(mutex_);
  const auto found = later_.find(number);
  return found == later_.end() ? nullptr : found->second;
}

void KeyGenerations::Add(uint32_t number, const SecretBytes& secret) {
  KeySchedule keys(secret);
  const WriterLock lock(mutex_);
  later_[number] = std::make_shared<const Generation>(Generation{++last_serial_, std::move(keys)});
}

void KeyGenerations::Remove(uint32_t number) {
  const WriterLock lock(mutex_);
  later_.erase(number);
}

}  // namespace keyclave::keys
