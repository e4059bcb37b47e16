#include "enclave/ctl/ca_key.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/store.h>

#include <cstdlib>
#include <filesystem>

#include "enclave/base/file.h"
#include "enclave/client/key_reference.h"
#include "enclave/ctl/installation.h"
#include "enclave/ctl/key_file.h"
#include "enclave/ctl/key_line.h"
#include "enclave/mech/evp.h"

namespace keyclave::ctl {
namespace {

constexpr size_t kMaxCrl = size_t{16} << 20;  // bytes

using Store = mech::Owned<OSSL_STORE_CTX, OSSL_STORE_close>;
using StoreInfo = mech::Owned<OSSL_STORE_INFO, OSSL_STORE_INFO_free>;
using Bio = mech::Owned<BIO, BIO_free_all>;

// RFC 7512: a path as the value of pin-source.
std::string Quoted(const std::string& path) {
  std::string text;
  for (const char one : path) {
    const bool plain = (one >= 'a' && one <= 'z') || (one >= 'A' && one <= 'Z') ||
                       (one >= '0' && one <= '9') || one == '/' || one == '.' || one == '_';
    if (plain) {
      text += one;
    } else {
      text += "%" + ToHex(AsBytes(std::string_view(&one, 1)));
    }
  }
  return text;
}

Result<std::string> UriOf(const KeyLine& line, const std::string& pin_file) {
  wire::ObjectRef ref;
  ref.token_label = line.token.label;
  ref.object_class = CKO_PRIVATE_KEY;
  ref.label = line.label;
  if (const Bytes* id = line.InService().attributes.Find(CKA_ID); id != nullptr && !id->empty())
    ref.cka_id = *id;
  auto uri = client::MakeUri(ref);
  if (!uri.ok() || pin_file.empty()) return uri;
  const std::string path = std::filesystem::absolute(pin_file);
  return *uri + "?pin-source=file:" + Quoted(path);
}

Result<mech::X509Cert> FindCertificate(Enclave& enclave, const wire::ObjectInfo& key) {
  wire::AttributeList match;
  match.SetUlong(CKA_CLASS, CKO_CERTIFICATE);
  if (const Bytes* id = key.attributes.Find(CKA_ID)) match.Set(CKA_ID, *id);
  const Bytes* spki = key.attributes.Find(CKA_PUBLIC_KEY_INFO);
  KC_ASSIGN(const auto found, enclave.Objects(key.token, match));
  for (const wire::ObjectInfo& object : found) {
    const Bytes* der = object.attributes.Find(CKA_VALUE);
    if (der == nullptr || spki == nullptr) continue;
    KC_ASSIGN(const Certificate parsed, ParseCertificate(*der));
    if (parsed.public_key_info != *spki) continue;
    const uint8_t* next = der->data();
    mech::X509Cert certificate(d2i_X509(nullptr, &next, static_cast<long>(der->size())));
    if (certificate != nullptr) return certificate;
  }
  return Fail(Code::kIssuerUnfit,
              "the token has no certificate of this key: keyclave cert self-sign --ca --import, or "
              "keyclave cert import");
}

}  // namespace

Error SigningFailed(std::string_view what) {
  return mech::OpensslError(Code::kDenied, std::string(what)).In("the enclave did not sign");
}

Status CaKey::LoadPrivateKey(const Globals& globals, const std::string& uri) {
  const Installation installation = FindInstallation();
  if (installation.provider.empty())
    return Fail(Code::kNotFound,
                "keyclave.so is not in " + installation.programs + "/../lib/ossl-modules");
  if (!globals.config.empty())
    setenv("KEYCLAVE_CONFIG", globals.config.c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
  library_.reset(OSSL_LIB_CTX_new());
  OSSL_LIB_CTX* const library = library_.get();
  const std::string folder = std::filesystem::path(installation.provider).parent_path();
  const bool loaded = library != nullptr &&
                      OSSL_PROVIDER_set_default_search_path(library, folder.c_str()) == 1 &&
                      OSSL_PROVIDER_load(library, "default") != nullptr &&
                      OSSL_PROVIDER_load(library, "keyclave") != nullptr;
  if (!loaded) return mech::OpensslError(Code::kNotFound, installation.provider);
  const Store store(OSSL_STORE_open_ex(uri.c_str(), library, "provider=keyclave", nullptr, nullptr,
                                       nullptr, nullptr, nullptr));
  while (store != nullptr && private_key_ == nullptr && OSSL_STORE_eof(store.get()) == 0) {
    const StoreInfo info(OSSL_STORE_load(store.get()));
    if (info == nullptr) break;
    if (OSSL_STORE_INFO_get_type(info.get()) == OSSL_STORE_INFO_PKEY)
      private_key_.reset(OSSL_STORE_INFO_get1_PKEY(info.get()));
  }
  if (private_key_ != nullptr) return Done{};
  return mech::OpensslError(Code::kObjectNotFound, "the key through the provider");
}

Result<CaKey> CaKey::Open(const Globals& globals, const TokenChoice& token,
                          const std::string& key) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, token));
  KC_ASSIGN(const KeyLine line, FindLine(*enclave, key, token.label));
  CaKey made;
  made.label_ = line.label;
  KC_ASSIGN(made.certificate_, FindCertificate(*enclave, line.InService()));
  KC_ASSIGN(const std::string uri, UriOf(line, token.pin_file));
  KC_CHECK_OK(made.LoadPrivateKey(globals, uri));
  return made;
}

// As strong as the curve (RFC 5480 §4); Edwards keys hash for themselves.
Result<mech::EvpMdCtx> CaKey::BeginSignature() const {
  const EVP_PKEY* const key = X509_get0_pubkey(certificate_.get());
  const int bits = EVP_PKEY_get_bits(key);
  const bool is_ec = EVP_PKEY_is_a(key, "EC") == 1;
  const char* digest = !is_ec || bits <= 256 ? "SHA256" : bits <= 384 ? "SHA384" : "SHA512";
  if (EVP_PKEY_is_a(key, "ED25519") == 1 || EVP_PKEY_is_a(key, "ED448") == 1) digest = nullptr;
  mech::EvpMdCtx context(EVP_MD_CTX_new());
  if (context == nullptr || EVP_DigestSignInit_ex(context.get(), nullptr, digest, library_.get(),
                                                  nullptr, private_key_.get(), nullptr) != 1)
    return SigningFailed("beginning a signature");
  return context;
}

Result<mech::X509Crl> ReadCrl(const std::string& path, X509* issuer) {
  KC_ASSIGN(const Bytes file, ReadFile(path, kMaxCrl));
  const Bio bio(BIO_new_mem_buf(file.data(), static_cast<int>(file.size())));
  mech::X509Crl list;
  if (AsText(file).find("-----BEGIN") != std::string_view::npos) {
    list.reset(PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr));
  } else {
    list.reset(d2i_X509_CRL_bio(bio.get(), nullptr));
  }
  ERR_clear_error();
  if (list == nullptr) return Fail(Code::kMalformed, path + ": no certificate revocation list");
  const bool is_its =
      X509_NAME_cmp(X509_CRL_get_issuer(list.get()), X509_get_subject_name(issuer)) == 0 &&
      X509_CRL_verify(list.get(), X509_get0_pubkey(issuer)) == 1;
  ERR_clear_error();
  if (is_its) return list;
  return Fail(Code::kCertificateMismatch, path + ": it is not signed by this CA");
}

}  // namespace keyclave::ctl
