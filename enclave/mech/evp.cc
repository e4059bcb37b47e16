#include "enclave/mech/evp.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>

#include <cstdlib>

namespace keyclave::mech {
namespace {

OSSL_LIB_CTX* MakeLibrary() {
  // First of all calls into OpenSSL: afterwards nothing can make it read a configuration file.
  if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) != 1) std::abort();
  OSSL_LIB_CTX* library = OSSL_LIB_CTX_new();
  // Without a context there is no cryptography at all, and with the process's default one keys
  // might be handled by whatever the host configured.
  if (library == nullptr || OSSL_PROVIDER_load(library, "default") == nullptr) std::abort();
  return library;
}

}  // namespace

OSSL_LIB_CTX* Library() {
  static OSSL_LIB_CTX* const library = MakeLibrary();
  return library;
}

Error OpensslError(Code code, std::string_view where) {
  std::string detail(where);
  const unsigned long number = ERR_peek_last_error();
  if (const char* reason = ERR_reason_error_string(number); reason != nullptr) {
    detail.append(": ").append(reason);
  }
  ERR_clear_error();
  return Fail(code, std::move(detail));
}

Error OpensslError(std::string_view where) { return OpensslError(Code::kCryptoFailed, where); }

Bytes BigNumBytes(const BIGNUM* number) {
  Bytes bytes(static_cast<size_t>(BN_num_bytes(number)));
  BN_bn2bin(number, bytes.data());
  return bytes;
}

Bytes BigNumBytes(const BIGNUM* number, size_t width) {
  Bytes bytes(width);
  if (BN_bn2binpad(number, bytes.data(), static_cast<int>(width)) < 0) return BigNumBytes(number);
  return bytes;
}

Result<BigNum> ToBigNum(ByteSpan big_endian) {
  if (big_endian.size() > 4096) return Fail(Code::kTooLarge, "a big integer");
  BigNum number(BN_secure_new());
  if (number == nullptr ||
      BN_bin2bn(big_endian.data(), static_cast<int>(big_endian.size()), number.get()) == nullptr) {
    return OpensslError("big integer");
  }
  BN_set_flags(number.get(), BN_FLG_CONSTTIME);
  return number;
}

Result<BigNum> PkeyBigNum(const EVP_PKEY* pkey, const char* param) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(pkey, param, &number) != 1) return OpensslError(param);
  return BigNum(number);
}

Result<Bytes> PkeyOctets(const EVP_PKEY* pkey, const char* param) {
  size_t size = 0;
  if (EVP_PKEY_get_octet_string_param(pkey, param, nullptr, 0, &size) != 1) {
    return OpensslError(param);
  }
  Bytes octets(size);
  if (EVP_PKEY_get_octet_string_param(pkey, param, octets.data(), octets.size(), &size) != 1) {
    return OpensslError(param);
  }
  octets.resize(size);
  return octets;
}

Result<std::string> PkeyText(const EVP_PKEY* pkey, const char* param) {
  std::string text(80, '\0');
  size_t size = 0;
  if (EVP_PKEY_get_utf8_string_param(pkey, param, text.data(), text.size(), &size) != 1) {
    return OpensslError(param);
  }
  text.resize(size);
  return text;
}

bool HasKeyAlgorithm(const char* name) {
  EVP_KEYMGMT* found = EVP_KEYMGMT_fetch(Library(), name, nullptr);
  EVP_KEYMGMT_free(found);
  ERR_clear_error();
  return found != nullptr;
}

}  // namespace keyclave::mech
