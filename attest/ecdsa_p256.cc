#include "attest/ecdsa_p256.h"

#include "attest/gnutls_handles.h"

namespace keyclave::attest {
namespace {

constexpr size_t kHalf = 32;

Error NotP256(std::string_view what) {
  return Fail(Code::kKeyFileInvalid, "wanted a P-256 " + std::string(what));
}

// DER integers have neither a fixed length nor more zeros than they need.
Status CopyPadded(ByteSpan number, std::span<uint8_t> field) {
  while (!number.empty() && number.front() == 0) number = number.subspan(1);
  if (number.size() > field.size()) return Fail(Code::kCryptoFailed, "ECDSA signature too long");
  std::copy(number.begin(), number.end(), field.last(number.size()).begin());
  return Done{};
}

template <class Key, class Export>
Result<Bytes> Exported(Key key, gnutls_x509_crt_fmt_t format, Export export_key) {
  OwnedDatum out;
  if (const int code = export_key(key, format, out.get()); code != 0) return GnutlsError(code);
  return ToBytes(out.bytes());
}

}  // namespace

Result<P256PrivateKey> P256PrivateKey::Generate() {
  gnutls_privkey_t raw = nullptr;
  if (const int code = gnutls_privkey_init(&raw); code != 0) return GnutlsError(code);
  Handle key(raw);
  const unsigned bits = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1);
  if (const int code = gnutls_privkey_generate(raw, GNUTLS_PK_ECDSA, bits, 0); code != 0)
    return GnutlsError(code);
  return P256PrivateKey(std::move(key));
}

Result<P256PrivateKey> P256PrivateKey::FromPem(ByteSpan pem) {
  gnutls_privkey_t raw = nullptr;
  if (const int code = gnutls_privkey_init(&raw); code != 0) return GnutlsError(code);
  Handle key(raw);
  const gnutls_datum_t datum = AsDatum(pem);
  const int imported = gnutls_privkey_import_x509_raw(raw, &datum, GNUTLS_X509_FMT_PEM, nullptr, 0);
  gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
  if (imported != 0 ||
      gnutls_privkey_export_ecc_raw2(raw, &curve, nullptr, nullptr, nullptr, 0) != 0 ||
      curve != GNUTLS_ECC_CURVE_SECP256R1) {
    return NotP256("private key (PEM)");
  }
  return P256PrivateKey(std::move(key));
}

Result<Bytes> P256PrivateKey::ToPem() const {
  gnutls_x509_privkey_t raw = nullptr;
  if (const int code = gnutls_privkey_export_x509(key_.get(), &raw); code != 0)
    return GnutlsError(code);
  const std::unique_ptr<std::remove_pointer_t<gnutls_x509_privkey_t>,
                        decltype(&gnutls_x509_privkey_deinit)>
      key(raw, &gnutls_x509_privkey_deinit);
  OwnedDatum out;
  const int code = gnutls_x509_privkey_export2_pkcs8(raw, GNUTLS_X509_FMT_PEM, nullptr,
                                                     GNUTLS_PKCS_PLAIN, out.get());
  if (code != 0) return GnutlsError(code);
  return ToBytes(out.bytes());
}

Result<P256PublicKey> P256PrivateKey::Public() const {
  gnutls_pubkey_t raw = nullptr;
  if (const int code = gnutls_pubkey_init(&raw); code != 0) return GnutlsError(code);
  P256PublicKey::Handle key(raw);
  if (const int code = gnutls_pubkey_import_privkey(raw, key_.get(), 0, 0); code != 0)
    return GnutlsError(code);
  return P256PublicKey(std::move(key));
}

Result<P256Signature> P256PrivateKey::Sign(ByteSpan message) const {
  const gnutls_datum_t data = AsDatum(message);
  OwnedDatum der;
  int code = gnutls_privkey_sign_data2(key_.get(), GNUTLS_SIGN_ECDSA_SHA256, 0, &data, der.get());
  if (code != 0) return GnutlsError(code);
  OwnedDatum r;
  OwnedDatum s;
  code = gnutls_decode_rs_value(der.get(), r.get(), s.get());
  if (code != 0) return GnutlsError(code);
  P256Signature signature{};
  KC_CHECK_OK(CopyPadded(r.bytes(), std::span(signature).first(kHalf)));
  KC_CHECK_OK(CopyPadded(s.bytes(), std::span(signature).last(kHalf)));
  return signature;
}

Result<P256PublicKey> P256PublicKey::Import(ByteSpan encoded, gnutls_x509_crt_fmt_t format) {
  gnutls_pubkey_t raw = nullptr;
  if (const int code = gnutls_pubkey_init(&raw); code != 0) return GnutlsError(code);
  Handle key(raw);
  const gnutls_datum_t datum = AsDatum(encoded);
  gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
  if (gnutls_pubkey_import(raw, &datum, format) != 0 ||
      gnutls_pubkey_export_ecc_raw2(raw, &curve, nullptr, nullptr, 0) != 0 ||
      curve != GNUTLS_ECC_CURVE_SECP256R1) {
    return NotP256("public key");
  }
  return P256PublicKey(std::move(key));
}

Result<P256PublicKey> P256PublicKey::FromPem(ByteSpan pem) {
  return Import(pem, GNUTLS_X509_FMT_PEM);
}
Result<P256PublicKey> P256PublicKey::FromSpki(ByteSpan der) {
  return Import(der, GNUTLS_X509_FMT_DER);
}

Result<Bytes> P256PublicKey::ToPem() const {
  return Exported(key_.get(), GNUTLS_X509_FMT_PEM, gnutls_pubkey_export2);
}
Result<Bytes> P256PublicKey::ToSpki() const {
  return Exported(key_.get(), GNUTLS_X509_FMT_DER, gnutls_pubkey_export2);
}

bool P256PublicKey::Verify(ByteSpan message, const P256Signature& signature) const {
  // GnuTLS takes the two numbers as DER integers: a leading zero keeps them positive.
  ByteArray<kHalf + 1> r{};
  ByteArray<kHalf + 1> s{};
  std::copy_n(signature.begin(), kHalf, r.begin() + 1);
  std::copy_n(signature.begin() + kHalf, kHalf, s.begin() + 1);
  const gnutls_datum_t r_datum = AsDatum(r);
  const gnutls_datum_t s_datum = AsDatum(s);
  OwnedDatum der;
  if (gnutls_encode_rs_value(der.get(), &r_datum, &s_datum) != 0) return false;
  const gnutls_datum_t data = AsDatum(message);
  return gnutls_pubkey_verify_data2(key_.get(), GNUTLS_SIGN_ECDSA_SHA256, 0, &data, der.get()) >= 0;
}

}  // namespace keyclave::attest
