// Private keys of the types that GnuTLS does not read (SM2, ML-DSA, …), by OpenSSL's decoders.
#include "enclave/ctl/key_file_openssl.h"

#include <openssl/decoder.h>
#include <openssl/err.h>

#include <algorithm>

#include "enclave/mech/evp.h"
#include "enclave/mech/key_type.h"
#include "enclave/mech/openssl_handles.h"

namespace keyclave::ctl {
namespace {

using Decoder = mech::Owned<OSSL_DECODER_CTX, OSSL_DECODER_CTX_free>;

// pem_password_cb: the passphrase's size, -1 if there is none or it is too long for the buffer.
int GivePassphrase(char* out, int size, int /*writing*/, void* asked) {
  const Result<SecretBytes> secret = (*static_cast<const Passphrase*>(asked))();
  if (!secret.ok() || size < 0 || secret->size() > static_cast<size_t>(size)) return -1;
  const ByteSpan bytes = secret->Expose(SecretAccess());
  std::copy(bytes.begin(), bytes.end(), out);
  return static_cast<int>(bytes.size());
}

}  // namespace

Result<SecretBytes> ReadPrivateKeyByOpenssl(ByteSpan file, const Passphrase& passphrase) {
  EVP_PKEY* made = nullptr;
  const Decoder decoder(OSSL_DECODER_CTX_new_for_pkey(&made, nullptr, nullptr, nullptr,
                                                      EVP_PKEY_KEYPAIR, mech::Library(), nullptr));
  auto* asked = const_cast<Passphrase*>(&passphrase);  // NOLINT: handed back, and only called
  const unsigned char* next = file.data();
  size_t left = file.size();
  const bool read =
      decoder != nullptr &&
      OSSL_DECODER_CTX_set_pem_password_cb(decoder.get(), GivePassphrase, asked) == 1 &&
      OSSL_DECODER_from_data(decoder.get(), &next, &left) == 1;
  const mech::EvpPkey key(made);
  ERR_clear_error();
  if (!read || key == nullptr) return Fail(Code::kKeyFileInvalid, "no key that OpenSSL can read");
  KC_ASSIGN(mech::NewKey found, mech::NewKeyFromPkey(key.get()));
  const uint64_t type = found.attributes.Ulong(CKA_KEY_TYPE).value_or(CKK_RSA);
  if (type == CKK_RSA || type == CKK_EC) return Fail(Code::kKeyFileInvalid, "GnuTLS refused it");
  return std::move(found.material);
}

}  // namespace keyclave::ctl
