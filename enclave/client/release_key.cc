#include "enclave/client/release_key.h"

#include <gnutls/gnutls.h>

#include "enclave/base/file.h"

namespace keyclave::client {
namespace {

constexpr size_t kMaxFile = size_t{64} << 10;  // bytes
constexpr const char* kPemLabel = "PUBLIC KEY";
constexpr uint8_t kSequence = 0x30;  // what DER of a SubjectPublicKeyInfo begins with

// Whether the first element within the outer SEQUENCE is a SEQUENCE, the algorithm.
bool LooksLikePublicKey(ByteSpan der) {
  if (der.size() < 4 || der.front() != kSequence) return false;
  const size_t length_bytes = der[1] < 0x80 ? 0 : der[1] & 0x7fU;
  return der.size() > 2 + length_bytes && der[2 + length_bytes] == kSequence;
}

Result<Bytes> DerOf(ByteSpan file) {
  if (LooksLikePublicKey(file)) return ToBytes(file);
  Bytes copy = ToBytes(file);
  const gnutls_datum_t pem{copy.data(), static_cast<unsigned int>(copy.size())};
  gnutls_datum_t der{nullptr, 0};
  if (gnutls_pem_base64_decode2(kPemLabel, &pem, &der) < 0)
    return Fail(Code::kConfigBadValue, "holds no public key (-----BEGIN PUBLIC KEY-----)");
  Bytes out(der.data, der.data + der.size);
  gnutls_free(der.data);
  if (!LooksLikePublicKey(out)) return Fail(Code::kConfigBadValue, "is no SubjectPublicKeyInfo");
  return out;
}

}  // namespace

Result<wire::ReleaseKey> ReadReleaseKey(const std::string& name, const std::string& path) {
  if (!wire::IsReleaseKeyName(name)) {
    return Fail(Code::kConfigBadValue,
                "the name of a release key has at most 64 letters, digits, '.', '_', '-'");
  }
  KC_ASSIGN(const Bytes file, ReadFile(path, kMaxFile));
  auto der = DerOf(file);
  if (!der.ok()) return der.error().In(path);
  if (der->size() > wire::kMaxReleaseKeySize)
    return Fail(Code::kConfigBadValue, path + ": the key is larger than 4096 bytes");
  return wire::ReleaseKey{.name = name, .spki = *std::move(der)};
}

}  // namespace keyclave::client
