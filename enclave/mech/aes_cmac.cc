// CKM_AES_CMAC and CKM_AES_CMAC_GENERAL (pkcs11-curr-v3.0 §2.11): the tag is a block, or as much of
// its beginning as the parameter says.

#include <openssl/core_names.h>

#include "enclave/mech/aes.h"
#include "enclave/mech/families.h"
#include "enclave/mech/mac_run.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {CKM_AES_CMAC, 16, 32, kFlagSign, SignInput::kMessage},
    {CKM_AES_CMAC_GENERAL, 16, 32, kFlagSign, SignInput::kMessage},
};

EvpMacCtx NewContext(size_t key_size) {
  static EVP_MAC* const mac = FetchMac("CMAC");
  const char* cipher = key_size == 16   ? "AES-128-CBC"
                       : key_size == 24 ? "AES-192-CBC"
                                        : "AES-256-CBC";
  return NewMac(mac, OSSL_MAC_PARAM_CIPHER, cipher);
}

Result<Bytes> Sign(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const ByteSpan secret, AesKey(key));
  size_t size = kAesBlock;
  if (mechanism.type == CKM_AES_CMAC) {
    KC_CHECK_OK(ExpectNoParam(mechanism));
  } else {
    KC_ASSIGN(size, ExpectTagSize(mechanism, kAesBlock));
  }
  KC_ASSIGN(Bytes tag, RunMac(NewContext(secret.size()), secret, {}, input, kAesBlock));
  tag.resize(size);
  return tag;
}

}  // namespace

constinit const MechFamily kAesCmacFamily = {
    .name = "aes-cmac",
    .rows = kRows,
    .sign = Sign,
    .verify = VerifyMac<Sign>,
};

}  // namespace keyclave::mech
