#include "attest/public_key.h"

#include "attest/gnutls_handles.h"

namespace keyclave::attest {
namespace {

using Handle = GnutlsHandle<gnutls_pubkey_t, gnutls_pubkey_deinit>;

struct SchemeRow {
  std::string_view name;
  KeyKind kind;
  gnutls_sign_algorithm_t algorithm;
  unsigned flags;
};

const SchemeRow& Row(SignatureScheme scheme) {
  static constexpr SchemeRow kRows[] = {
      {"ECDSA P-256 SHA-256", KeyKind::kEcP256, GNUTLS_SIGN_ECDSA_SHA256, 0},
      {"ECDSA P-384 SHA-384", KeyKind::kEcP384, GNUTLS_SIGN_ECDSA_SHA384, 0},
      {"ECDSA P-521 SHA-512", KeyKind::kEcP521, GNUTLS_SIGN_ECDSA_SHA512, 0},
      {"RSASSA-PKCS1-v1_5 SHA-1", KeyKind::kRsa, GNUTLS_SIGN_RSA_SHA1,
       GNUTLS_VERIFY_ALLOW_SIGN_WITH_SHA1},
      {"RSASSA-PKCS1-v1_5 SHA-256", KeyKind::kRsa, GNUTLS_SIGN_RSA_SHA256, 0},
      {"RSASSA-PKCS1-v1_5 SHA-384", KeyKind::kRsa, GNUTLS_SIGN_RSA_SHA384, 0},
      {"RSASSA-PKCS1-v1_5 SHA-512", KeyKind::kRsa, GNUTLS_SIGN_RSA_SHA512, 0},
      {"RSASSA-PSS SHA-256", KeyKind::kRsa, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256, 0},
      {"RSASSA-PSS SHA-384", KeyKind::kRsa, GNUTLS_SIGN_RSA_PSS_RSAE_SHA384, 0},
      {"RSASSA-PSS SHA-512", KeyKind::kRsa, GNUTLS_SIGN_RSA_PSS_RSAE_SHA512, 0},
      {"Ed25519", KeyKind::kEd25519, GNUTLS_SIGN_EDDSA_ED25519, 0},
  };
  return kRows[static_cast<size_t>(scheme)];
}

KeyKind KindOf(gnutls_pubkey_t key, unsigned* bits) {
  switch (gnutls_pubkey_get_pk_algorithm(key, bits)) {
    case GNUTLS_PK_RSA:
    case GNUTLS_PK_RSA_PSS: return KeyKind::kRsa;
    case GNUTLS_PK_EDDSA_ED25519: return KeyKind::kEd25519;
    case GNUTLS_PK_ECDSA: break;
    default: return KeyKind::kOther;
  }
  gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
  if (gnutls_pubkey_export_ecc_raw2(key, &curve, nullptr, nullptr, 0) != 0) return KeyKind::kOther;
  switch (curve) {
    case GNUTLS_ECC_CURVE_SECP256R1: return KeyKind::kEcP256;
    case GNUTLS_ECC_CURVE_SECP384R1: return KeyKind::kEcP384;
    case GNUTLS_ECC_CURVE_SECP521R1: return KeyKind::kEcP521;
    default: return KeyKind::kOther;
  }
}

bool IsEc(KeyKind kind) {
  return kind == KeyKind::kEcP256 || kind == KeyKind::kEcP384 || kind == KeyKind::kEcP521;
}

Result<gnutls_pubkey_t> NewKey() {
  gnutls_pubkey_t key = nullptr;
  if (const int code = gnutls_pubkey_init(&key); code != 0) return GnutlsError(code);
  return key;
}

Result<PublicKey> Import(ByteSpan encoded, gnutls_x509_crt_fmt_t format) {
  KC_ASSIGN(const gnutls_pubkey_t raw, NewKey());
  Handle key(raw);
  const gnutls_datum_t datum = AsDatum(encoded);
  if (const int code = gnutls_pubkey_import(raw, &datum, format); code != 0)
    return Fail(Code::kMalformed, std::string("no public key: ") + gnutls_strerror(code));
  return PublicKey::FromHandle(key.release());
}

// A number as the content of a DER INTEGER: positive, not longer than it must be.
Bytes DerInteger(ByteSpan number) {
  while (number.size() > 1 && number.front() == 0) number = number.subspan(1);
  Bytes integer;
  if (number.empty() || (number.front() & 0x80) != 0) integer.push_back(0);
  integer.insert(integer.end(), number.begin(), number.end());
  return integer;
}

}  // namespace

std::string_view SchemeName(SignatureScheme scheme) { return Row(scheme).name; }

Result<PublicKey> PublicKey::FromHandle(gnutls_pubkey_t raw) {
  PublicKey key;
  key.key_ = std::shared_ptr<std::remove_pointer_t<gnutls_pubkey_t>>(raw, gnutls_pubkey_deinit);
  key.kind_ = KindOf(raw, &key.bits_);
  // GnuTLS looks at a point only when it uses it; a key that is none should not get that far.
  if (IsEc(key.kind_) && gnutls_pubkey_verify_params(raw) != 0)
    return Fail(Code::kMalformed, "the point is not on its curve");
  OwnedDatum spki;
  if (const int code = gnutls_pubkey_export2(raw, GNUTLS_X509_FMT_DER, spki.get()); code != 0)
    return GnutlsError(code);
  key.spki_ = ToBytes(spki.bytes());
  return key;
}

Result<PublicKey> PublicKey::FromSpki(ByteSpan der) { return Import(der, GNUTLS_X509_FMT_DER); }
Result<PublicKey> PublicKey::FromPem(ByteSpan pem) { return Import(pem, GNUTLS_X509_FMT_PEM); }

Result<PublicKey> PublicKey::FromEcPoint(KeyKind kind, ByteSpan x, ByteSpan y) {
  gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
  if (kind == KeyKind::kEcP256) curve = GNUTLS_ECC_CURVE_SECP256R1;
  if (kind == KeyKind::kEcP384) curve = GNUTLS_ECC_CURVE_SECP384R1;
  if (kind == KeyKind::kEcP521) curve = GNUTLS_ECC_CURVE_SECP521R1;
  KC_ASSIGN(const gnutls_pubkey_t raw, NewKey());
  Handle key(raw);
  const gnutls_datum_t x_datum = AsDatum(x);
  const gnutls_datum_t y_datum = AsDatum(y);
  const int code = gnutls_pubkey_import_ecc_raw(raw, curve, &x_datum, &y_datum);
  if (code != 0) return Fail(Code::kMalformed, std::string("no EC key: ") + gnutls_strerror(code));
  return FromHandle(key.release());
}

Result<PublicKey> PublicKey::FromEd25519(ByteSpan point) {
  KC_ASSIGN(const gnutls_pubkey_t raw, NewKey());
  Handle key(raw);
  const gnutls_datum_t x = AsDatum(point);
  const int code = gnutls_pubkey_import_ecc_raw(raw, GNUTLS_ECC_CURVE_ED25519, &x, nullptr);
  if (code != 0)
    return Fail(Code::kMalformed, std::string("no Ed25519 key: ") + gnutls_strerror(code));
  return FromHandle(key.release());
}

Result<PublicKey> PublicKey::FromRsa(ByteSpan modulus, ByteSpan exponent) {
  KC_ASSIGN(const gnutls_pubkey_t raw, NewKey());
  Handle key(raw);
  const gnutls_datum_t n = AsDatum(modulus);
  const gnutls_datum_t e = AsDatum(exponent);
  if (const int code = gnutls_pubkey_import_rsa_raw(raw, &n, &e); code != 0)
    return Fail(Code::kMalformed, std::string("no RSA key: ") + gnutls_strerror(code));
  return FromHandle(key.release());
}

Status PublicKey::Verify(SignatureScheme scheme, ByteSpan message, ByteSpan signature) const {
  const SchemeRow& row = Row(scheme);
  if (kind_ != row.kind)
    return Fail(Code::kEvidenceSignature, "the key is not one for " + std::string(row.name));
  const gnutls_datum_t data = AsDatum(message);
  const gnutls_datum_t given = AsDatum(signature);
  const int code = gnutls_pubkey_verify_data2(key_.get(), row.algorithm, row.flags, &data, &given);
  if (code < 0) return Fail(Code::kEvidenceSignature, std::string(row.name));
  return Done{};
}

Status PublicKey::VerifyEcdsa(SignatureScheme scheme, ByteSpan message, ByteSpan r,
                              ByteSpan s) const {
  const Bytes r_integer = DerInteger(r);
  const Bytes s_integer = DerInteger(s);
  const gnutls_datum_t r_datum = AsDatum(r_integer);
  const gnutls_datum_t s_datum = AsDatum(s_integer);
  OwnedDatum der;
  if (gnutls_encode_rs_value(der.get(), &r_datum, &s_datum) != 0)
    return Fail(Code::kEvidenceSignature, "r or s is no number");
  return Verify(scheme, message, der.bytes());
}

}  // namespace keyclave::attest
