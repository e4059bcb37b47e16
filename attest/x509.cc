#include "attest/x509.h"

#include "attest/der.h"
#include "attest/gnutls_handles.h"

namespace keyclave::attest {
namespace {

constexpr size_t kMaxCertificates = 64;  // in one file
constexpr size_t kMaxCommonName = 256;   // bytes
constexpr std::string_view kPemBegin = "-----BEGIN ";
constexpr std::string_view kPemCertificate = "-----BEGIN CERTIFICATE-----";
constexpr std::string_view kPemCertificateEnd = "-----END CERTIFICATE-----";

using RawName = int (*)(gnutls_x509_crt_t, gnutls_datum_t*);

Result<Bytes> NameOf(gnutls_x509_crt_t certificate, RawName get) {
  OwnedDatum name;
  if (const int code = get(certificate, name.get()); code != 0)
    return Fail(Code::kMalformed, gnutls_strerror(code));
  return ToBytes(name.bytes());
}

// A Name (DER) as text, as RFC 4514 orders it: the last part first. The bytes in hexadecimal where
// GnuTLS cannot say it.
std::string NameText(const Bytes& der) {
  gnutls_x509_dn_t name = nullptr;
  if (gnutls_x509_dn_init(&name) != 0) return ToHex(der);
  const GnutlsHandle<gnutls_x509_dn_t, gnutls_x509_dn_deinit> owned(name);
  const gnutls_datum_t datum = AsDatum(der);
  OwnedDatum text;
  if (gnutls_x509_dn_import(name, &datum) != 0 || gnutls_x509_dn_get_str2(name, text.get(), 0) != 0)
    return ToHex(der);
  return std::string(AsText(text.bytes()));
}

// One block of PEM (RFC 7468).
std::string PemText(std::string_view label, const Bytes& der) {
  constexpr size_t kLine = 64;
  const std::string base64 = ToBase64(der);
  std::string text = "-----BEGIN " + std::string(label) + "-----\n";
  for (size_t at = 0; at < base64.size(); at += kLine) text += base64.substr(at, kLine) + "\n";
  return text + "-----END " + std::string(label) + "-----\n";
}

Result<PublicKey> KeyOf(gnutls_x509_crt_t certificate) {
  gnutls_pubkey_t raw = nullptr;
  if (const int code = gnutls_pubkey_init(&raw); code != 0) return GnutlsError(code);
  GnutlsHandle<gnutls_pubkey_t, gnutls_pubkey_deinit> key(raw);
  if (const int code = gnutls_pubkey_import_x509(raw, certificate, 0); code != 0)
    return Fail(Code::kMalformed, std::string("certificate key: ") + gnutls_strerror(code));
  return PublicKey::FromHandle(key.release());
}

Result<Bytes> PemToDer(std::string_view block) {
  const gnutls_datum_t pem = AsDatum(AsBytes(block));
  OwnedDatum der;
  if (const int code = gnutls_pem_base64_decode2("CERTIFICATE", &pem, der.get()); code != 0)
    return Fail(Code::kMalformed, std::string("PEM: ") + gnutls_strerror(code));
  return ToBytes(der.bytes());
}

}  // namespace

Result<Certificate> Certificate::FromDer(ByteSpan der) {
  gnutls_x509_crt_t raw = nullptr;
  if (const int code = gnutls_x509_crt_init(&raw); code != 0) return GnutlsError(code);
  const std::shared_ptr<std::remove_pointer_t<gnutls_x509_crt_t>> handle(raw,
                                                                         gnutls_x509_crt_deinit);
  const gnutls_datum_t datum = AsDatum(der);
  if (const int code = gnutls_x509_crt_import(raw, &datum, GNUTLS_X509_FMT_DER); code != 0)
    return Fail(Code::kMalformed, std::string("certificate: ") + gnutls_strerror(code));
  KC_ASSIGN(PublicKey key, KeyOf(raw));
  Certificate certificate(std::move(key));
  certificate.handle_ = handle;
  certificate.der_ = ToBytes(der);
  KC_ASSIGN(certificate.subject_, NameOf(raw, gnutls_x509_crt_get_raw_dn));
  KC_ASSIGN(certificate.issuer_, NameOf(raw, gnutls_x509_crt_get_raw_issuer_dn));
  certificate.not_before_ = gnutls_x509_crt_get_activation_time(raw);
  certificate.not_after_ = gnutls_x509_crt_get_expiration_time(raw);
  return certificate;
}

Result<std::vector<Certificate>> Certificate::ListFrom(ByteSpan der_or_pem) {
  std::vector<Certificate> list;
  std::string_view text = AsText(der_or_pem);
  if (text.find(kPemBegin) == std::string_view::npos) {
    KC_ASSIGN(Certificate certificate, FromDer(der_or_pem));
    list.push_back(std::move(certificate));
    return list;
  }
  while (true) {
    const size_t begin = text.find(kPemCertificate);
    if (begin == std::string_view::npos) return list;
    const size_t end = text.find(kPemCertificateEnd, begin);
    if (end == std::string_view::npos) return Fail(Code::kMalformed, "PEM: a block has no end");
    if (list.size() == kMaxCertificates) return Fail(Code::kTooLarge, "too many certificates");
    const size_t size = end + kPemCertificateEnd.size() - begin;
    KC_ASSIGN(const Bytes der, PemToDer(text.substr(begin, size)));
    KC_ASSIGN(Certificate certificate, FromDer(der));
    list.push_back(std::move(certificate));
    text.remove_prefix(begin + size);
  }
}

std::string Certificate::SubjectText() const { return NameText(subject_); }
std::string Certificate::IssuerText() const { return NameText(issuer_); }

std::string Certificate::CommonName() const {
  ByteArray<kMaxCommonName> name{};
  size_t size = name.size();
  if (gnutls_x509_crt_get_dn_by_oid(handle_.get(), GNUTLS_OID_X520_COMMON_NAME, 0, 0, name.data(),
                                    &size) != 0)
    return {};
  return std::string(AsText(ByteSpan(name).first(size)));
}

std::string Certificate::Pem() const { return PemText("CERTIFICATE", der_); }

std::string Certificate::SerialHex() const {
  ByteArray<64> serial{};
  size_t size = serial.size();
  if (gnutls_x509_crt_get_serial(handle_.get(), serial.data(), &size) != 0) return {};
  return ToHex(ByteSpan(serial).first(size));
}

std::optional<Bytes> Certificate::Extension(const std::string& oid) const {
  for (unsigned i = 0;; ++i) {
    ByteArray<128> name{};
    size_t size = name.size();
    const int code =
        gnutls_x509_crt_get_extension_info(handle_.get(), i, name.data(), &size, nullptr);
    if (code == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) return std::nullopt;
    // An identifier too long for the buffer is not the wanted one.
    if (code == GNUTLS_E_SHORT_MEMORY_BUFFER) continue;
    if (code != 0) return std::nullopt;
    const std::string_view found = AsText(ByteSpan(name).first(size));
    if (found.substr(0, found.find('\0')) != oid) continue;
    OwnedDatum value;
    if (gnutls_x509_crt_get_extension_data2(handle_.get(), i, value.get()) != 0)
      return std::nullopt;
    return ToBytes(value.bytes());
  }
}

Result<RevocationList> RevocationList::From(ByteSpan bytes) {
  RevocationList list;
  gnutls_x509_crl_t raw = nullptr;
  if (const int code = gnutls_x509_crl_init(&raw); code != 0) return GnutlsError(code);
  list.handle_ =
      std::shared_ptr<std::remove_pointer_t<gnutls_x509_crl_t>>(raw, gnutls_x509_crl_deinit);
  Bytes decoded = ToBytes(bytes);
  const bool pem = AsText(bytes).find(kPemBegin) != std::string_view::npos;
  if (auto hex = FromHex(AsText(bytes)); !pem && hex.ok() && !hex->empty())
    decoded = *std::move(hex);
  const gnutls_datum_t datum = AsDatum(decoded);
  int code = gnutls_x509_crl_import(raw, &datum, pem ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER);
  if (code != 0)
    return Fail(Code::kMalformed, std::string("revocation list: ") + gnutls_strerror(code));
  OwnedDatum der;
  OwnedDatum issuer;
  code = gnutls_x509_crl_export2(raw, GNUTLS_X509_FMT_DER, der.get());
  if (code == 0) code = gnutls_x509_crl_get_raw_issuer_dn(raw, issuer.get());
  if (code != 0) return Fail(Code::kMalformed, gnutls_strerror(code));
  list.der_ = ToBytes(der.bytes());
  list.issuer_ = ToBytes(issuer.bytes());
  list.this_update_ = gnutls_x509_crl_get_this_update(raw);
  list.next_update_ = gnutls_x509_crl_get_next_update(raw);
  // RFC 5280 §5.1.2.5 wants it. Without, an old list could be put in the place of the one that
  // revokes, and nobody could tell.
  if (list.next_update_ == static_cast<time_t>(-1))
    return Fail(Code::kCollateralInvalid, "revocation list of " + list.IssuerText() +
                                              ": it does not say when the next one comes "
                                              "(nextUpdate), so its age cannot be judged; get one "
                                              "that does from its issuer");
  return list;
}

std::string RevocationList::IssuerText() const { return NameText(issuer_); }

std::string RevocationList::IssuerCommonName() const {
  ByteArray<kMaxCommonName> name{};
  size_t size = name.size();
  if (gnutls_x509_crl_get_issuer_dn_by_oid(handle_.get(), GNUTLS_OID_X520_COMMON_NAME, 0, 0,
                                           name.data(), &size) != 0)
    return {};
  return std::string(AsText(ByteSpan(name).first(size)));
}

std::optional<uint64_t> RevocationList::Number() const {
  ByteArray<32> number{};
  size_t size = number.size();
  if (gnutls_x509_crl_get_number(handle_.get(), number.data(), &size, nullptr) != 0)
    return std::nullopt;
  uint64_t value = 0;
  for (const uint8_t byte : ByteSpan(number).first(size)) {
    if (value >> 56 != 0) return std::nullopt;
    value = value << 8 | byte;
  }
  return value;
}

std::string RevocationList::Pem() const { return PemText("X509 CRL", der_); }

size_t RevocationList::size() const {
  const int count = gnutls_x509_crl_get_crt_count(handle_.get());
  return count < 0 ? 0 : static_cast<size_t>(count);
}

namespace {

// GnuTLS says no more of a list whose signature algorithm it does not know than of one that is out
// of date by the machine's clock ("invalid"), and has then not looked at the signature. So it is
// looked at here, under an algorithm that is known and not weak.
bool IsSignedBy(const RevocationList& list, const Certificate& issuer) {
  const auto algorithm =
      static_cast<gnutls_sign_algorithm_t>(gnutls_x509_crl_get_signature_algorithm(list.handle()));
  if (gnutls_sign_is_secure2(algorithm, GNUTLS_SIGN_FLAG_SECURE_FOR_CERTS) == 0) return false;
  const auto whole = DerReader(list.der()).Take(DerTag::kSequence);
  if (!whole.ok()) return false;
  const auto to_be_signed = DerReader(whole->content).Take(DerTag::kSequence);
  size_t size = 0;  // GnuTLS tells it only to those whose buffer is too small
  if (!to_be_signed.ok() ||
      gnutls_x509_crl_get_signature(list.handle(), nullptr, &size) != GNUTLS_E_SHORT_MEMORY_BUFFER)
    return false;
  std::string bytes(size, '\0');
  if (gnutls_x509_crl_get_signature(list.handle(), bytes.data(), &size) != 0) return false;
  gnutls_pubkey_t raw = nullptr;
  if (gnutls_pubkey_init(&raw) != 0) return false;
  const GnutlsHandle<gnutls_pubkey_t, gnutls_pubkey_deinit> key(raw);
  const gnutls_datum_t data = AsDatum(to_be_signed->whole);
  const gnutls_datum_t signature = AsDatum(AsBytes(bytes));
  return gnutls_pubkey_import_x509(raw, issuer.handle(), 0) == 0 &&
         gnutls_pubkey_verify_data2(raw, algorithm, 0, &data, &signature) >= 0;
}

}  // namespace

Status RevocationList::VerifyUnder(const Certificate& issuer) const {
  if (good_->Has(issuer.der())) return Done{};
  gnutls_x509_crt_t authority = issuer.handle();
  unsigned verdict = GNUTLS_CERT_INVALID;
  const int code = gnutls_x509_crl_verify(
      handle_.get(), &authority, 1,
      GNUTLS_VERIFY_DISABLE_TIME_CHECKS | GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS, &verdict);
  // It compares the list's times with the machine's clock whatever the flags say; InTime
  // (x509_path.cc) compares them with the right one.
  constexpr unsigned kOfTime = GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED |
                               GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE | GNUTLS_CERT_INVALID;
  if (code != 0 || (verdict & ~kOfTime) != 0 || !IsSignedBy(*this, issuer))
    return Fail(Code::kCollateralInvalid, "signature of the revocation list of " + IssuerText());
  good_->Add(issuer.der());
  return Done{};
}

}  // namespace keyclave::attest
