#include "enclave/mech/mac_run.h"

#include <openssl/core_names.h>

#include <cstdlib>

#include "enclave/mech/evp.h"

namespace keyclave::mech {

EVP_MAC* FetchMac(const char* name) {
  EVP_MAC* mac = EVP_MAC_fetch(Library(), name, nullptr);
  // The default provider of every OpenSSL 3 has those that are asked for.
  if (mac == nullptr) std::abort();
  return mac;
}

EvpMacCtx NewMac(EVP_MAC* mac, const char* param, const char* algorithm) {
  EvpMacCtx context(EVP_MAC_CTX_new(mac));
  std::string name = algorithm;
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(param, name.data(), name.size()),
                               OSSL_PARAM_construct_end()};
  if (context == nullptr || EVP_MAC_CTX_set_params(context.get(), params) != 1) return nullptr;
  return context;
}

Result<Bytes> RunMac(EvpMacCtx context, ByteSpan key, ByteSpan iv, ByteSpan input, size_t size) {
  Bytes iv_copy = ToBytes(iv);
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_IV, iv_copy.data(), iv_copy.size()),
      OSSL_PARAM_construct_end()};
  Bytes tag(size);
  size_t written = 0;
  if (context == nullptr ||
      EVP_MAC_init(context.get(), key.data(), key.size(), iv.empty() ? nullptr : params) != 1 ||
      EVP_MAC_update(context.get(), input.data(), input.size()) != 1 ||
      EVP_MAC_final(context.get(), tag.data(), &written, tag.size()) != 1 || written != size) {
    return OpensslError("MAC");
  }
  return tag;
}

}  // namespace keyclave::mech
