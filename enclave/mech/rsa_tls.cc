// kCkmRsaPkcsTls: a TLS server's decryption of a pre-master secret (RFC 5246 §7.4.7.1). The result
// is 48 bytes whatever the ciphertext was: where it was not well formed they are random, so that
// the caller learns nothing (RFC 5246 §7.4.7.1, "implicit rejection"). The whole check runs here,
// in constant time, because a caller that saw the padding could be a Bleichenbacher oracle.

#include <openssl/prov_ssl.h>
#include <openssl/rsa.h>

#include "enclave/base/hash.h"
#include "enclave/mech/families.h"
#include "enclave/mech/pkey_run.h"
#include "enclave/mech/rsa.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {kCkmRsaPkcsTls, kRsaMinBits, kRsaMaxBits, CKF_HW | CKF_DECRYPT},
};

constexpr uint64_t kOldest = 0x0300;  // SSL 3.0: a ClientHello may still say it
constexpr uint64_t kNewest = 0x03ff;

bool IsTlsVersion(uint64_t version) { return version >= kOldest && version <= kNewest; }

Result<Bytes> Decrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_ASSIGN(const size_t size, RsaForPrivate(key));
  KC_ASSIGN(const wire::TlsVersionParam* param, ExpectShape(mechanism, &wire::Mechanism::tls));
  if (!IsTlsVersion(param->client_version)) {
    return Fail(Code::kMechanismParamInvalid, "the client's TLS version");
  }
  if (param->negotiated_version != 0 && !IsTlsVersion(param->negotiated_version)) {
    return Fail(Code::kMechanismParamInvalid, "the negotiated TLS version");
  }
  if (input.size() != size) return Fail(Code::kEncryptedDataLenRange);
  const PkeyUse use = {.verb = PkeyVerb::kDecrypt,
                       .rsa_padding = RSA_PKCS1_WITH_TLS_PADDING,
                       .tls_client_version = static_cast<unsigned>(param->client_version),
                       .tls_negotiated_version = static_cast<unsigned>(param->negotiated_version)};
  Result<Bytes> secret = RunDecrypt(key, use, input);
  // A number above the modulus: OpenSSL refuses it before it looks at any padding.
  if (!secret.ok() && secret.code() == Code::kEncryptedDataInvalid)
    return ToBytes(RandomArray<SSL_MAX_MASTER_KEY_LENGTH>());
  if (secret.ok() && secret->size() != SSL_MAX_MASTER_KEY_LENGTH) {
    return Fail(Code::kCryptoFailed, "a pre-master secret of another length");
  }
  return secret;
}

}  // namespace

constinit const MechFamily kRsaTlsFamily = {
    .name = "rsa-tls",
    .rows = kRows,
    .decrypt = Decrypt,
};

}  // namespace keyclave::mech
