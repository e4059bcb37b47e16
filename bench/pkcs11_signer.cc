// A signer behind any PKCS#11 module: one session per thread, C_SignInit and C_Sign per signature.
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include <algorithm>
#include <stdexcept>
#include <string_view>

#include "bench/pkcs11_token.h"
#include "bench/signer.h"

namespace keyclave::bench {
namespace {

// SHA-256's DigestInfo up to the digest (RFC 8017 §9.2, note 1).
constexpr std::array<uint8_t, 19> kDigestInfo{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60,
                                              0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
                                              0x01, 0x05, 0x00, 0x04, 0x20};

// r and s side by side -> the DER SEQUENCE that OpenSSL verifies.
Signature ToDer(const Signature& raw) {
  const int half = static_cast<int>(raw.size() / 2);
  ECDSA_SIG* pair = ECDSA_SIG_new();
  ECDSA_SIG_set0(pair, BN_bin2bn(raw.data(), half, nullptr),
                 BN_bin2bn(raw.data() + half, half, nullptr));
  Signature der(static_cast<size_t>(i2d_ECDSA_SIG(pair, nullptr)));
  uint8_t* out = der.data();
  i2d_ECDSA_SIG(pair, &out);
  ECDSA_SIG_free(pair);
  return der;
}

class Pkcs11Signer : public Signer {
 public:
  explicit Pkcs11Signer(const Pkcs11Options& options)
      : options_(options),
        token_(options.module, options.token),
        p11_(token_.api()),
        session_(token_.OpenSession()) {
    if (!options.pin.empty()) {
      std::vector<uint8_t> pin(options.pin.begin(), options.pin.end());
      Ok(p11_->C_Login(session_, CKU_USER, pin.data(), pin.size()), "C_Login");
    }
    key_ = FindKey(session_, CKO_PRIVATE_KEY);
    CK_ATTRIBUTE type{CKA_KEY_TYPE, &key_type_, sizeof key_type_};
    Ok(p11_->C_GetAttributeValue(session_, key_, &type, 1), "CKA_KEY_TYPE");
  }

  std::function<Signature(Digest&)> ForThread() override {
    return [this, session = token_.OpenSession()](const Digest& digest) {
      return Sign(session, digest);
    };
  }

  bool Verify(const Digest& digest, const Signature& signature) override {
    return VerifyWith(PublicKeyInfo(), digest, key_type_ == CKK_EC ? ToDer(signature) : signature);
  }

 private:
  Signature Sign(CK_SESSION_HANDLE session, const Digest& digest) const {
    CK_MECHANISM mechanism{key_type_ == CKK_EC ? CKM_ECDSA : CKM_RSA_PKCS, nullptr, 0};
    const size_t prefix = key_type_ == CKK_RSA ? kDigestInfo.size() : 0;
    std::vector<uint8_t> input(prefix + digest.size());
    std::copy_n(kDigestInfo.begin(), prefix, input.begin());
    std::copy(digest.begin(), digest.end(), input.begin() + static_cast<std::ptrdiff_t>(prefix));
    Signature signature(512);
    CK_ULONG size = signature.size();
    Ok(p11_->C_SignInit(session, &mechanism, key_), "C_SignInit");
    Ok(p11_->C_Sign(session, input.data(), input.size(), signature.data(), &size), "C_Sign");
    signature.resize(size);
    return signature;
  }

  CK_OBJECT_HANDLE FindKey(CK_SESSION_HANDLE session, CK_OBJECT_CLASS object_class) const {
    std::string label = options_.label;
    std::array<CK_ATTRIBUTE, 2> match{
        {{CKA_CLASS, &object_class, sizeof object_class}, {CKA_LABEL, label.data(), label.size()}}};
    CK_OBJECT_HANDLE found = 0;
    CK_ULONG count = 0;
    Ok(p11_->C_FindObjectsInit(session, match.data(), match.size()), "C_FindObjectsInit");
    Ok(p11_->C_FindObjects(session, &found, 1, &count), "C_FindObjects");
    Ok(p11_->C_FindObjectsFinal(session), "C_FindObjectsFinal");
    if (count != 1) throw std::runtime_error("no key " + label);
    return found;
  }

  std::vector<uint8_t> Attribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) const {
    std::vector<uint8_t> value(1024);
    CK_ATTRIBUTE attribute{type, value.data(), value.size()};
    Ok(p11_->C_GetAttributeValue(session_, object, &attribute, 1), "C_GetAttributeValue");
    value.resize(attribute.ulValueLen);
    return value;
  }

  // SubjectPublicKeyInfo from the public key object, by OpenSSL.
  std::vector<uint8_t> PublicKeyInfo() const {
    const CK_OBJECT_HANDLE object = FindKey(session_, CKO_PUBLIC_KEY);
    OSSL_PARAM_BLD* build = OSSL_PARAM_BLD_new();
    BIGNUM* modulus = nullptr;
    BIGNUM* exponent = nullptr;
    std::vector<uint8_t> point;
    if (key_type_ == CKK_RSA) {
      const auto n = Attribute(object, CKA_MODULUS);
      const auto e = Attribute(object, CKA_PUBLIC_EXPONENT);
      modulus = BN_bin2bn(n.data(), static_cast<int>(n.size()), nullptr);
      exponent = BN_bin2bn(e.data(), static_cast<int>(e.size()), nullptr);
      OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus);
      OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent);
    } else {
      point = Attribute(object, CKA_EC_POINT);  // an OCTET STRING around the point
      OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
      OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.data() + 2,
                                       point.size() - 2);
    }
    OSSL_PARAM* params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX* context =
        EVP_PKEY_CTX_new_from_name(nullptr, key_type_ == CKK_RSA ? "RSA" : "EC", nullptr);
    EVP_PKEY* key = nullptr;
    EVP_PKEY_fromdata_init(context);
    const bool made = EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) == 1;
    std::vector<uint8_t> der(made ? static_cast<size_t>(i2d_PUBKEY(key, nullptr)) : 0);
    uint8_t* out = der.data();
    if (made) i2d_PUBKEY(key, &out);
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(modulus);
    BN_free(exponent);
    if (!made) throw std::runtime_error("the public key object makes no key");
    return der;
  }

  const Pkcs11Options options_;
  const Pkcs11Token token_;
  CK_FUNCTION_LIST* const p11_;
  const CK_SESSION_HANDLE session_;
  CK_OBJECT_HANDLE key_ = 0;
  CK_KEY_TYPE key_type_ = 0;
};

}  // namespace

std::unique_ptr<Signer> MakePkcs11Signer(const Pkcs11Options& options) {
  return std::make_unique<Pkcs11Signer>(options);
}

}  // namespace keyclave::bench
