// SM2 (GB/T 32918) as vendor mechanisms: signatures over SM3 with the signer's identity, as r and
// s; encryption, whose ciphertext is the DER of GM/T 0009. CKA_EC_PARAMS and CKA_EC_POINT are those
// of CKK_EC.

#include <openssl/core_names.h>
#include <openssl/err.h>

#include "enclave/mech/ec_curve.h"
#include "enclave/mech/ec_signature.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/families.h"
#include "enclave/mech/key_type.h"

namespace keyclave::mech {
namespace {

constexpr uint64_t kBits = 256;
constexpr size_t kHalf = 32;
constexpr MechRow kKeygenRows[] = {
    {kCkmSm2KeyPairGen, kBits, kBits, CKF_HW | CKF_GENERATE_KEY_PAIR | kFlagEc},
};
constexpr MechRow kSignRows[] = {
    {kCkmSm2Sm3, kBits, kBits, kFlagSign | kFlagEc, SignInput::kMessage},
};
constexpr MechRow kEncryptRows[] = {
    {kCkmSm2Encrypt, kBits, kBits, kFlagCipher | kFlagEc},
};

constexpr std::string_view kUsualIdentity = "1234567812345678";  // GM/T 0009 §10
constexpr size_t kMaxIdentity = 8191;                            // its length in bits has 16 bits

// A build of OpenSSL may leave SM2 out.
bool Available(const MechRow& /*row*/) {
  static const bool has = HasKeyAlgorithm("SM2");
  return has;
}

// The parameter is the signer's identity, which may be empty; without one it is the usual one.
Result<Bytes> IdentityOf(const wire::Mechanism& mechanism) {
  if (!mechanism.HasParameter()) return ToBytes(kUsualIdentity);
  KC_ASSIGN(const ByteSpan identity, ExpectBytes(mechanism));
  if (identity.size() > kMaxIdentity) {
    return Fail(Code::kMechanismParamInvalid, "the identity: at most 8191 bytes");
  }
  return ToBytes(identity);
}

Result<EvpMdCtx> Begin(const Key& key, const wire::Mechanism& mechanism, bool sign) {
  KC_ASSIGN(Bytes identity, IdentityOf(mechanism));
  EvpMdCtx context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* pkey_context = nullptr;  // the digest context's own
  const auto init = sign ? EVP_DigestSignInit_ex : EVP_DigestVerifyInit_ex;
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_DIST_ID, identity.data(), identity.size()),
      OSSL_PARAM_construct_end()};
  if (context == nullptr ||
      init(context.get(), &pkey_context, "SM3", Library(), nullptr, key.pkey(), nullptr) != 1 ||
      EVP_PKEY_CTX_set_params(pkey_context, params) != 1) {
    return OpensslError("SM2");
  }
  return context;
}

Result<Bytes> Sign(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_CHECK_OK(CheckPrivate(key, kCkkSm2));
  KC_ASSIGN(const EvpMdCtx context, Begin(key, mechanism, true));
  Bytes der(static_cast<size_t>(EVP_PKEY_get_size(key.pkey())));
  size_t size = der.size();
  if (EVP_DigestSignUpdate(context.get(), input.data(), input.size()) != 1 ||
      EVP_DigestSignFinal(context.get(), der.data(), &size) != 1) {
    return OpensslError("SM2");
  }
  return ToHalves(ByteSpan(der).first(size), kHalf);
}

Status Verify(const Key& key, const wire::Mechanism& mechanism, ByteSpan input,
              ByteSpan signature) {
  KC_CHECK_OK(CheckPublic(key, kCkkSm2));
  KC_ASSIGN(const EvpMdCtx context, Begin(key, mechanism, false));
  if (signature.size() != 2 * kHalf) return Fail(Code::kSignatureLenRange);
  KC_ASSIGN(const Bytes der, FromHalves(signature));
  if (EVP_DigestVerifyUpdate(context.get(), input.data(), input.size()) != 1) {
    return OpensslError("SM2");
  }
  if (EVP_DigestVerifyFinal(context.get(), der.data(), der.size()) != 1) {
    ERR_clear_error();
    return Fail(Code::kSignatureInvalid);
  }
  return Done{};
}

Result<Bytes> Encrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_CHECK_OK(CheckPublic(key, kCkkSm2));
  KC_CHECK_OK(ExpectNoParam(mechanism));
  if (input.empty()) return Fail(Code::kDataLenRange);
  KC_ASSIGN(const EvpPkeyCtx context, key.Begin({.verb = PkeyVerb::kEncrypt}));
  size_t size = 0;
  if (EVP_PKEY_encrypt(context.get(), nullptr, &size, input.data(), input.size()) != 1) {
    return OpensslError("SM2");
  }
  Bytes output(size);
  if (EVP_PKEY_encrypt(context.get(), output.data(), &size, input.data(), input.size()) != 1) {
    return OpensslError("SM2");
  }
  output.resize(size);
  return output;
}

Result<Bytes> Decrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_CHECK_OK(CheckPrivate(key, kCkkSm2));
  KC_CHECK_OK(ExpectNoParam(mechanism));
  KC_ASSIGN(const EvpPkeyCtx context, key.Begin({.verb = PkeyVerb::kDecrypt}));
  // The plaintext is shorter than the ciphertext, which has a point and a hash beside it.
  Bytes output(input.size());
  size_t size = output.size();
  if (input.empty() ||
      EVP_PKEY_decrypt(context.get(), output.data(), &size, input.data(), input.size()) != 1) {
    ERR_clear_error();
    return Fail(Code::kEncryptedDataInvalid);
  }
  output.resize(size);
  return output;
}

Result<NewKey> Generate(const wire::Mechanism& mechanism, const wire::AttributeList& attributes) {
  KC_CHECK_OK(ExpectNoParam(mechanism));
  KC_ASSIGN(const ByteSpan params, RequiredAttribute(attributes, CKA_EC_PARAMS, "CKA_EC_PARAMS"));
  KC_ASSIGN(const EcCurve* curve, ParseEcParams(params));
  if (curve->key_type != kCkkSm2)
    return Fail(Code::kCurveUnsupported, "CKA_EC_PARAMS is not SM2's");
  const EvpPkey pkey(EVP_PKEY_Q_keygen(Library(), nullptr, "SM2"));
  if (pkey == nullptr) return OpensslError("making an SM2 key");
  return NewKeyFromPkey(pkey.get());
}

}  // namespace

constinit const MechFamily kSm2KeygenFamily = {
    .name = "sm2-keygen",
    .rows = kKeygenRows,
    .available = Available,
    .generate = Generate,
};

constinit const MechFamily kSm2Family = {
    .name = "sm2",
    .rows = kSignRows,
    .available = Available,
    .sign = Sign,
    .verify = Verify,
};

constinit const MechFamily kSm2EncryptFamily = {
    .name = "sm2-encrypt",
    .rows = kEncryptRows,
    .available = Available,
    .encrypt = Encrypt,
    .decrypt = Decrypt,
};

}  // namespace keyclave::mech
