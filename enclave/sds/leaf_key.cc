#include "enclave/sds/leaf_key.h"

#include <openssl/pem.h>

#include "enclave/mech/certificate_parts.h"

namespace keyclave::sds {
namespace {

using mech::Library;

mech::EvpPkey Generate(LeafKeyType type) {
  switch (type) {
    case LeafKeyType::kEcP256:
      return mech::EvpPkey(EVP_PKEY_Q_keygen(Library(), nullptr, "EC", "P-256"));
    case LeafKeyType::kEcP384:
      return mech::EvpPkey(EVP_PKEY_Q_keygen(Library(), nullptr, "EC", "P-384"));
    case LeafKeyType::kRsa2048:
      return mech::EvpPkey(EVP_PKEY_Q_keygen(Library(), nullptr, "RSA", size_t{2048}));
    case LeafKeyType::kRsa3072:
      return mech::EvpPkey(EVP_PKEY_Q_keygen(Library(), nullptr, "RSA", size_t{3072}));
  }
  return nullptr;
}

}  // namespace

Result<LeafKey> LeafKey::Make(LeafKeyType type) {
  mech::EvpPkey key = Generate(type);
  if (key == nullptr) return mech::OpensslError("making a leaf's key");
  return LeafKey(std::move(key));
}

Result<Bytes> LeafKey::Request() const {
  const mech::X509Request request(X509_REQ_new_ex(Library(), nullptr));
  if (!request || X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) != 1 ||
      X509_REQ_set_pubkey(request.get(), key_.get()) != 1 ||
      X509_REQ_sign(request.get(), key_.get(), EVP_sha256()) <= 0) {
    return mech::OpensslError("making a certificate request");
  }
  return mech::EncodeDer<X509_REQ>(request.get(), i2d_X509_REQ);
}

// A BIO of secure memory wipes what it held.
Result<SecretBytes> LeafKey::Pem() const {
  const mech::Owned<BIO, BIO_free> out(BIO_new(BIO_s_secmem()));
  if (!out || PEM_write_bio_PKCS8PrivateKey(out.get(), key_.get(), nullptr, nullptr, 0, nullptr,
                                            nullptr) != 1) {
    return mech::OpensslError("writing a leaf's key");
  }
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return SecretBytes::CopyOf(AsBytes({text, static_cast<size_t>(size)}));
}

}  // namespace keyclave::sds
