#include "enclave/wire/tls_identity.h"

#include <ctime>

#include "enclave/base/hash.h"
#include "enclave/wire/tls_handles.h"

namespace keyclave::wire {
namespace {

// TLS 1.3 alone; AEAD ciphers; ephemeral X25519 or P-256; certificates on P-256 alone.
constexpr const char* kPriority =
    "NONE:+VERS-TLS1.3:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:+AEAD:+ECDHE-ECDSA:"
    "+SIGN-ECDSA-SECP256R1-SHA256:+GROUP-X25519:+GROUP-SECP256R1:+CTYPE-X509";

// RFC 5280 §4.1.2.5: a certificate that never expires has this date. Nobody reads it here.
constexpr std::time_t kNotBefore = 946684800;  // 2000-01-01

Status SignCertificate(gnutls_x509_crt_t certificate, gnutls_x509_privkey_t key) {
  const auto serial = RandomArray<16>();
  constexpr std::string_view kName = "keyclave";
  KC_CHECK_OK(CheckTls(gnutls_x509_crt_set_version(certificate, 3), "certificate version"));
  KC_CHECK_OK(CheckTls(gnutls_x509_crt_set_serial(certificate, serial.data(), serial.size()),
                       "certificate serial"));
  KC_CHECK_OK(CheckTls(gnutls_x509_crt_set_activation_time(certificate, kNotBefore), "start time"));
  KC_CHECK_OK(CheckTls(
      gnutls_x509_crt_set_expiration_time(certificate, GNUTLS_X509_NO_WELL_DEFINED_EXPIRATION),
      "end time"));
  KC_CHECK_OK(CheckTls(gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0,
                                                     kName.data(), kName.size()),
                       "certificate name"));
  KC_CHECK_OK(CheckTls(gnutls_x509_crt_set_key(certificate, key), "certificate key"));
  return CheckTls(gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0),
                  "certificate signature");
}

}  // namespace

Status CheckTls(int result, std::string_view what) {
  if (result >= 0) return Done{};
  return Fail(Code::kTlsFailed, std::string(what) + ": " + gnutls_strerror(result));
}

Result<ByteArray<32>> SpkiHash(gnutls_x509_crt_t certificate) {
  TlsPublicKey key;
  KC_CHECK_OK(CheckTls(gnutls_pubkey_init(key.out()), "public key"));
  KC_CHECK_OK(CheckTls(gnutls_pubkey_import_x509(key.get(), certificate, 0), "public key"));
  gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
  if (gnutls_pubkey_get_pk_algorithm(key.get(), nullptr) != GNUTLS_PK_ECDSA ||
      gnutls_pubkey_export_ecc_raw2(key.get(), &curve, nullptr, nullptr, 0) < 0 ||
      curve != GNUTLS_ECC_CURVE_SECP256R1) {
    return Fail(Code::kTlsFailed, "the certificate's key is not on P-256");
  }
  gnutls_datum_t der{};
  KC_CHECK_OK(CheckTls(gnutls_pubkey_export2(key.get(), GNUTLS_X509_FMT_DER, &der), "public key"));
  const ByteArray<32> hash = Sha256({der.data, der.size});
  gnutls_free(der.data);
  return hash;
}

TlsIdentity::TlsIdentity() : handles_(std::make_unique<Handles>()) {}
TlsIdentity::~TlsIdentity() = default;

Result<std::shared_ptr<const TlsIdentity>> TlsIdentity::Create() {
  const std::shared_ptr<TlsIdentity> identity(new TlsIdentity());
  TlsPrivateKey key;
  KC_CHECK_OK(CheckTls(gnutls_x509_privkey_init(key.out()), "TLS key"));
  KC_CHECK_OK(
      CheckTls(gnutls_x509_privkey_generate(
                   key.get(), GNUTLS_PK_ECDSA,
                   static_cast<unsigned>(GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)), 0),
               "TLS key"));
  TlsCertificate certificate;
  KC_CHECK_OK(CheckTls(gnutls_x509_crt_init(certificate.out()), "certificate"));
  KC_CHECK_OK(SignCertificate(certificate.get(), key.get()));
  KC_ASSIGN(identity->spki_, SpkiHash(certificate.get()));

  Handles& handles = *identity->handles_;
  KC_CHECK_OK(
      CheckTls(gnutls_certificate_allocate_credentials(handles.credentials.out()), "credentials"));
  gnutls_x509_crt_t chain = certificate.get();
  KC_CHECK_OK(
      CheckTls(gnutls_certificate_set_x509_key(handles.credentials.get(), &chain, 1, key.get()),
               "credentials"));
  KC_CHECK_OK(
      CheckTls(gnutls_priority_init(handles.priority.out(), kPriority, nullptr), "TLS priority"));
  return std::shared_ptr<const TlsIdentity>(identity);
}

}  // namespace keyclave::wire
