// Certificates and requests that OpenSSL makes, and the parts of them that are signed.
#pragma once

#include "enclave/guard/x509.h"
#include "enclave/mech/evp.h"
#include "tests/unit/guard/guard_testing.h"

namespace keyclave::guard {

inline mech::EvpPkey NewKey(const char* type = "EC", const char* group = "P-256") {
  if (std::string_view(type) == "EC")
    return mech::EvpPkey(EVP_PKEY_Q_keygen(nullptr, nullptr, type, group));
  if (std::string_view(type) == "RSA")
    return mech::EvpPkey(EVP_PKEY_Q_keygen(nullptr, nullptr, type, size_t{2048}));
  return mech::EvpPkey(EVP_PKEY_Q_keygen(nullptr, nullptr, type));
}

template <class Thing, class Encode>
Bytes Der(Thing* thing, Encode encode) {
  uint8_t* der = nullptr;
  const int size = encode(thing, &der);
  const mech::Owned<uint8_t, mech::OpensslFree> owned(der);
  EXPECT_GT(size, 0);
  return ToBytes(FromC(der, static_cast<size_t>(size)));
}

struct NamePart {
  const char* type;
  std::string text;
  int encoding = MBSTRING_UTF8;
};

inline mech::X509Name MakeName(const std::vector<NamePart>& parts) {
  mech::X509Name name(X509_NAME_new());
  for (const NamePart& part : parts) {
    EXPECT_EQ(
        X509_NAME_add_entry_by_txt(name.get(), part.type, part.encoding, AsBytes(part.text).data(),
                                   static_cast<int>(part.text.size()), -1, 0),
        1)
        << part.text;
  }
  return name;
}

// An extension by OpenSSL's name ("subjectAltName", "1.2.3.4") and its configuration text.
struct Extension {
  std::string name;
  std::string value;
};

struct Certificate {
  long version = X509_VERSION_3;
  Bytes serial = {0x11, 0x22};
  std::vector<NamePart> issuer = {{"O", "Example"}, {"CN", "Example CA"}};
  std::vector<NamePart> subject = {{"CN", "www.example.com"}};
  UnixTime begin = kNow - 60;
  UnixTime end = kNow + 30 * 86400;
  std::vector<Extension> extensions = {{"basicConstraints", "critical,CA:FALSE"},
                                       {"keyUsage", "critical,digitalSignature"},
                                       {"extendedKeyUsage", "serverAuth,clientAuth"},
                                       {"subjectAltName", "DNS:www.example.com"}};
};

inline void AddExtension(X509* certificate, const Extension& extension) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const mech::Owned<X509_EXTENSION, X509_EXTENSION_free> made(
      X509V3_EXT_conf(nullptr, &context, extension.name.c_str(), extension.value.c_str()));
  ASSERT_NE(made, nullptr) << extension.name << "=" << extension.value;
  ASSERT_EQ(X509_add_ext(certificate, made.get(), -1), 1);
}

// The certificate signed by `ca`; its public key is the CA's own, which nothing here asks for.
inline mech::X509Cert Make(const Certificate& what, EVP_PKEY* ca,
                           const EVP_MD* digest = EVP_sha256()) {
  mech::X509Cert certificate(X509_new());
  X509* const x509 = certificate.get();
  X509_set_version(x509, what.version);
  ASN1_STRING_set(X509_get_serialNumber(x509), what.serial.data(),
                  static_cast<int>(what.serial.size()));
  X509_set_issuer_name(x509, MakeName(what.issuer).get());
  X509_set_subject_name(x509, MakeName(what.subject).get());
  ASN1_TIME_set(X509_getm_notBefore(x509), what.begin);
  ASN1_TIME_set(X509_getm_notAfter(x509), what.end);
  X509_set_pubkey(x509, ca);
  for (const Extension& extension : what.extensions) AddExtension(x509, extension);
  EXPECT_GT(X509_sign(x509, ca, digest), 0);
  return certificate;
}

inline Bytes Tbs(X509* certificate) { return Der(certificate, i2d_re_X509_tbs); }
inline Bytes SpkiOf(EVP_PKEY* key) { return Der(key, i2d_PUBKEY); }

// The CA of the tests, what its policy permits, and the verdict over a certificate under it.
inline EVP_PKEY* CaKey() {
  static EVP_PKEY* const key = NewKey().release();
  return key;
}

inline authz::X509Constraints Permitted() {
  return {.dns = {"www.example.com", ".inner.example", "*.wild.example"},
          .ip = {{{10, 1, 0, 0}, 16}, {Bytes(16), 127}},
          .email = {"example.com"},
          .uri = {"example.com", ".inner.example"},
          .max_days = 90};
}

inline authz::InputRule Rule(authz::X509Constraints constraints) {
  return {.forms = {authz::InputForm::kX509Tbs}, .x509 = std::move(constraints)};
}

inline Status Judge(const Certificate& certificate,
                    authz::X509Constraints constraints = Permitted(), Scene scene = {}) {
  scene.public_key_info = SpkiOf(CaKey());
  return Check(Rule(std::move(constraints)), Tbs(Make(certificate, CaKey()).get()), scene);
}

inline void ExpectAccepted(const Status& status, const char* file = __builtin_FILE(),
                           int line = __builtin_LINE()) {
  if (!status.ok()) ADD_FAILURE_AT(file, line) << status.error().Text();
}

}  // namespace keyclave::guard
