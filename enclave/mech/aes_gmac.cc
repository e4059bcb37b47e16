// CKM_AES_GMAC (pkcs11-curr-v3.0 §2.10.4): GCM over associated data alone, which is the message.
// The parameter is GCM's, with nothing in pAAD. The caller chooses the IV and must never choose one
// twice.

#include <openssl/core_names.h>

#include "enclave/mech/aes.h"
#include "enclave/mech/families.h"
#include "enclave/mech/mac_run.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {CKM_AES_GMAC, 16, 32, kFlagSign, SignInput::kMessage},
};

EvpMacCtx NewContext(size_t key_size) {
  static EVP_MAC* const mac = FetchMac("GMAC");
  const char* cipher = key_size == 16   ? "AES-128-GCM"
                       : key_size == 24 ? "AES-192-GCM"
                                        : "AES-256-GCM";
  return NewMac(mac, OSSL_MAC_PARAM_CIPHER, cipher);
}

Result<Bytes> Sign(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const ByteSpan secret, AesKey(key));
  KC_ASSIGN(const wire::GcmParam* param, ExpectGcm(mechanism));
  if (!param->aad.empty()) {
    return Fail(Code::kMechanismParamInvalid, "pAAD: the message is what is authenticated");
  }
  KC_ASSIGN(Bytes tag, RunMac(NewContext(secret.size()), secret, param->iv, input, kAesBlock));
  tag.resize(param->tag_bits / 8);
  return tag;
}

}  // namespace

constinit const MechFamily kAesGmacFamily = {
    .name = "aes-gmac",
    .rows = kRows,
    .sign = Sign,
    .verify = VerifyMac<Sign>,
};

}  // namespace keyclave::mech
