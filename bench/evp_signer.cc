// A signer behind OpenSSL's EVP interface: a key in memory, or a provider's.
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/store.h>
#include <openssl/x509.h>

#include <stdexcept>

#include "bench/evp_jobs.h"

namespace keyclave::bench {
namespace {

[[noreturn]] void Throw(const std::string& what) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_peek_last_error(), text.data(), text.size());
  throw std::runtime_error(what + ": " + text.data());
}

struct PkeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct ContextFree {
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
};
using Pkey = std::unique_ptr<EVP_PKEY, PkeyFree>;
using Context = std::unique_ptr<EVP_PKEY_CTX, ContextFree>;
struct DigestFree {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using DigestContext = std::unique_ptr<EVP_MD_CTX, DigestFree>;

Pkey LoadPrivateKey(const std::string& uri) {
  OSSL_STORE_CTX* store = OSSL_STORE_open(uri.c_str(), nullptr, nullptr, nullptr, nullptr);
  if (store == nullptr) Throw("cannot open " + uri);
  Pkey key;
  while (!key && OSSL_STORE_eof(store) == 0) {
    OSSL_STORE_INFO* info = OSSL_STORE_load(store);
    if (info == nullptr) continue;
    if (OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
      key.reset(OSSL_STORE_INFO_get1_PKEY(info));
    OSSL_STORE_INFO_free(info);
  }
  OSSL_STORE_close(store);
  if (!key) Throw("no private key in " + uri);
  return key;
}

// A context that is ready to sign or verify SHA-256 digests.
Context NewContext(EVP_PKEY* key, bool sign) {
  Context context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  if (!context) Throw("EVP_PKEY_CTX_new_from_pkey");
  const int ready = sign ? EVP_PKEY_sign_init(context.get()) : EVP_PKEY_verify_init(context.get());
  if (ready <= 0) Throw("init");
  if (EVP_PKEY_is_a(key, "RSA") != 0 &&
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) <= 0) {
    Throw("padding");
  }
  if (EVP_PKEY_CTX_set_signature_md(context.get(), EVP_sha256()) <= 0) Throw("digest");
  return context;
}

// Ed25519 signs messages: the digest is one.
bool IsOfMessages(EVP_PKEY* key) { return EVP_PKEY_is_a(key, "ED25519") != 0; }

bool Check(EVP_PKEY* key, const Digest& digest, const Signature& signature) {
  if (IsOfMessages(key)) {
    const DigestContext context(EVP_MD_CTX_new());
    return EVP_DigestVerifyInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr, key,
                                   nullptr) == 1 &&
           EVP_DigestVerify(context.get(), signature.data(), signature.size(), digest.data(),
                            digest.size()) == 1;
  }
  const Context context = NewContext(key, false);
  return EVP_PKEY_verify(context.get(), signature.data(), signature.size(), digest.data(),
                         digest.size()) == 1;
}

Signature SignMessage(EVP_PKEY* key, const Digest& message) {
  const DigestContext context(EVP_MD_CTX_new());
  Signature signature(static_cast<size_t>(EVP_PKEY_get_size(key)));
  size_t size = signature.size();
  if (EVP_DigestSignInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr, key, nullptr) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) != 1)
    Throw("sign");
  signature.resize(size);
  return signature;
}

Signature SignOnce(EVP_PKEY* key, const Digest& digest) {
  if (IsOfMessages(key)) return SignMessage(key, digest);
  // A context per signature, as libssl makes one per handshake and PKCS#11 one C_SignInit per
  // C_Sign.
  const Context context = NewContext(key, true);
  Signature signature(static_cast<size_t>(EVP_PKEY_get_size(key)));
  size_t size = signature.size();
  if (EVP_PKEY_sign(context.get(), signature.data(), &size, digest.data(), digest.size()) <= 0)
    Throw("sign");
  signature.resize(size);
  return signature;
}

class EvpSigner : public Signer {
 public:
  EvpSigner(const std::string& uri, unsigned jobs) : key_(LoadPrivateKey(uri)), jobs_(jobs) {}

  std::function<Signature(Digest&)> ForThread() override {
    const auto sign = [key = key_.get()](const Digest& digest) { return SignOnce(key, digest); };
    if (jobs_ == 0) return sign;
    return [jobs = std::make_shared<SignJobs>(jobs_, sign)](Digest& digest) {
      return jobs->Next(digest);
    };
  }

  bool Verify(const Digest& digest, const Signature& signature) override {
    const int size = i2d_PUBKEY(key_.get(), nullptr);
    if (size <= 0) Throw("no public key of this private key");
    std::vector<uint8_t> der(static_cast<size_t>(size));
    uint8_t* out = der.data();
    i2d_PUBKEY(key_.get(), &out);
    return VerifyWith(der, digest, signature);
  }

 private:
  Pkey key_;
  const unsigned jobs_;
};

}  // namespace

std::unique_ptr<Signer> MakeEvpSigner(const std::string& uri, unsigned jobs) {
  return std::make_unique<EvpSigner>(uri, jobs);
}

bool VerifyWith(const std::vector<uint8_t>& public_key_info, const Digest& digest,
                const Signature& signature) {
  const uint8_t* in = public_key_info.data();
  const Pkey key(d2i_PUBKEY(nullptr, &in, static_cast<long>(public_key_info.size())));
  if (!key) Throw("public key");
  return Check(key.get(), digest, signature);
}

}  // namespace keyclave::bench
