#include "tests/fakes/fake_ca.h"

#include <gnutls/crypto.h>
#include <gnutls/x509.h>

#include <atomic>
#include <cstdlib>
#include <map>

#include "attest/gnutls_handles.h"
#include "tests/fakes/must.h"

namespace keyclave::test {
namespace {

using attest::AsDatum;
using attest::GnutlsHandle;
using attest::OwnedDatum;
using attest::SignatureScheme;

void Check(int code) {
  if (code < 0) std::abort();
}

gnutls_sign_algorithm_t Algorithm(SignatureScheme scheme) {
  switch (scheme) {
    case SignatureScheme::kEcdsaP256Sha256: return GNUTLS_SIGN_ECDSA_SHA256;
    case SignatureScheme::kEcdsaP384Sha384: return GNUTLS_SIGN_ECDSA_SHA384;
    case SignatureScheme::kEcdsaP521Sha512: return GNUTLS_SIGN_ECDSA_SHA512;
    case SignatureScheme::kRsaPkcs1Sha1: return GNUTLS_SIGN_RSA_SHA1;
    case SignatureScheme::kRsaPkcs1Sha256: return GNUTLS_SIGN_RSA_SHA256;
    case SignatureScheme::kRsaPkcs1Sha384: return GNUTLS_SIGN_RSA_SHA384;
    case SignatureScheme::kRsaPkcs1Sha512: return GNUTLS_SIGN_RSA_SHA512;
    case SignatureScheme::kRsaPssSha256: return GNUTLS_SIGN_RSA_PSS_RSAE_SHA256;
    case SignatureScheme::kRsaPssSha384: return GNUTLS_SIGN_RSA_PSS_RSAE_SHA384;
    case SignatureScheme::kRsaPssSha512: return GNUTLS_SIGN_RSA_PSS_RSAE_SHA512;
    case SignatureScheme::kEd25519: return GNUTLS_SIGN_EDDSA_ED25519;
  }
  std::abort();
}

// A number with exactly this many bytes.
Bytes Padded(ByteSpan number, size_t size) {
  while (!number.empty() && number.front() == 0) number = number.subspan(1);
  if (number.size() > size) std::abort();
  Bytes padded(size - number.size(), 0);
  padded.insert(padded.end(), number.begin(), number.end());
  return padded;
}

size_t FieldSize(FakeKeyKind kind) { return kind == FakeKeyKind::kP384 ? 48 : 32; }

std::shared_ptr<std::remove_pointer_t<gnutls_privkey_t>> Generate(FakeKeyKind kind) {
  gnutls_privkey_t raw = nullptr;
  Check(gnutls_privkey_init(&raw));
  const bool rsa = kind == FakeKeyKind::kRsa2048 || kind == FakeKeyKind::kRsa4096;
  unsigned bits = kind == FakeKeyKind::kRsa2048 ? 2048 : 4096;
  if (kind == FakeKeyKind::kP256) bits = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1);
  if (kind == FakeKeyKind::kP384) bits = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1);
  Check(gnutls_privkey_generate(raw, rsa ? GNUTLS_PK_RSA : GNUTLS_PK_ECDSA, bits, 0));
  return {raw, gnutls_privkey_deinit};
}

gnutls_digest_algorithm_t DigestOf(const FakeKey& issuer, bool pss) {
  return issuer.kind() == FakeKeyKind::kP384 || pss ? GNUTLS_DIG_SHA384 : GNUTLS_DIG_SHA256;
}

ByteArray<8> NextSerial() {
  static std::atomic<uint64_t> last{0};
  const uint64_t serial = ++last;
  ByteArray<8> bytes{};
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes.at(bytes.size() - 1 - i) = static_cast<uint8_t>(serial >> (8 * i));
  return bytes;
}

// `issuer` is null for a root.
attest::Certificate MakeCertificate(const FakeKey& key, const FakeCertificateSpec& spec,
                                    const attest::Certificate* issuer, const FakeKey& issuer_key) {
  gnutls_x509_crt_t raw = nullptr;
  Check(gnutls_x509_crt_init(&raw));
  const GnutlsHandle<gnutls_x509_crt_t, gnutls_x509_crt_deinit> owned(raw);
  gnutls_pubkey_t public_key = nullptr;
  Check(gnutls_pubkey_init(&public_key));
  const GnutlsHandle<gnutls_pubkey_t, gnutls_pubkey_deinit> owned_key(public_key);
  Check(gnutls_pubkey_import_privkey(public_key, key.handle(), 0, 0));
  Check(gnutls_x509_crt_set_version(raw, 3));
  const ByteArray<8> serial = NextSerial();
  Check(gnutls_x509_crt_set_serial(raw, serial.data(), serial.size()));
  Check(gnutls_x509_crt_set_dn(raw, spec.name.c_str(), nullptr));
  Check(gnutls_x509_crt_set_activation_time(raw, spec.not_before));
  Check(gnutls_x509_crt_set_expiration_time(raw, spec.not_after));
  Check(gnutls_x509_crt_set_pubkey(raw, public_key));
  Check(gnutls_x509_crt_set_basic_constraints(raw, spec.authority ? 1 : 0, -1));
  Check(gnutls_x509_crt_set_key_usage(raw, spec.authority
                                               ? GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN
                                               : GNUTLS_KEY_DIGITAL_SIGNATURE));
  for (const FakeExtension& one : spec.extensions)
    Check(gnutls_x509_crt_set_extension_by_oid(raw, one.oid.c_str(), one.value.data(),
                                               one.value.size(), one.critical ? 1 : 0));
  const unsigned flags = spec.pss ? GNUTLS_PRIVKEY_SIGN_FLAG_RSA_PSS : 0;
  gnutls_x509_crt_t authority = issuer == nullptr ? raw : issuer->handle();
  Check(gnutls_x509_crt_privkey_sign(raw, authority, issuer_key.handle(),
                                     DigestOf(issuer_key, spec.pss), flags));
  OwnedDatum der;
  Check(gnutls_x509_crt_export2(raw, GNUTLS_X509_FMT_DER, der.get()));
  return Must(attest::Certificate::FromDer(der.bytes()));
}

}  // namespace

FakeKey FakeKey::Make(FakeKeyKind kind) {
  FakeKey key;
  key.kind_ = kind;
  if (kind == FakeKeyKind::kP256 || kind == FakeKeyKind::kP384) {
    key.key_ = Generate(kind);
    return key;
  }
  // Two of each, so that the keys of neighbours in a chain differ.
  static auto& kept = *new std::map<FakeKeyKind, std::vector<decltype(key.key_)>>;
  static auto& turn = *new std::map<FakeKeyKind, size_t>;
  auto& pool = kept[kind];
  if (pool.size() < 4) pool.push_back(Generate(kind));
  key.key_ = pool[turn[kind]++ % 4 % pool.size()];
  return key;
}

Bytes FakeKey::Sign(SignatureScheme scheme, ByteSpan message) const {
  const gnutls_datum_t data = AsDatum(message);
  OwnedDatum signature;
  Check(gnutls_privkey_sign_data2(key_.get(), Algorithm(scheme), 0, &data, signature.get()));
  return ToBytes(signature.bytes());
}

FakeKey::RawSignature FakeKey::SignRaw(SignatureScheme scheme, ByteSpan message) const {
  const Bytes der = Sign(scheme, message);
  const gnutls_datum_t datum = AsDatum(der);
  OwnedDatum r;
  OwnedDatum s;
  Check(gnutls_decode_rs_value(&datum, r.get(), s.get()));
  return {Padded(r.bytes(), FieldSize(kind_)), Padded(s.bytes(), FieldSize(kind_))};
}

FakeKey::Point FakeKey::PublicPoint() const {
  OwnedDatum x;
  OwnedDatum y;
  gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
  Check(gnutls_privkey_export_ecc_raw2(key_.get(), &curve, x.get(), y.get(), nullptr, 0));
  return {Padded(x.bytes(), FieldSize(kind_)), Padded(y.bytes(), FieldSize(kind_))};
}

attest::PublicKey FakeKey::Public() const {
  gnutls_pubkey_t raw = nullptr;
  Check(gnutls_pubkey_init(&raw));
  Check(gnutls_pubkey_import_privkey(raw, key_.get(), 0, 0));
  return Must(attest::PublicKey::FromHandle(raw));
}

FakeAuthority FakeAuthority::Root(FakeKeyKind kind, FakeCertificateSpec spec) {
  const FakeKey key = FakeKey::Make(kind);
  spec.authority = true;
  return {key, MakeCertificate(key, spec, nullptr, key)};
}

FakeAuthority FakeAuthority::Issue(FakeKeyKind kind, FakeCertificateSpec spec) const {
  return IssueFor(FakeKey::Make(kind), std::move(spec));
}

FakeAuthority FakeAuthority::IssueFor(const FakeKey& key, FakeCertificateSpec spec) const {
  return {key, MakeCertificate(key, spec, &certificate_, key_)};
}

std::string FakeAuthority::Pem() const {
  const gnutls_datum_t der = AsDatum(certificate_.der());
  OwnedDatum pem;
  Check(gnutls_pem_base64_encode2("CERTIFICATE", &der, pem.get()));
  return std::string(AsText(pem.bytes()));
}

Bytes FakeAuthority::RevocationList(const std::vector<attest::Certificate>& revoked,
                                    UnixTime this_update, UnixTime next_update) const {
  gnutls_x509_crl_t raw = nullptr;
  Check(gnutls_x509_crl_init(&raw));
  const GnutlsHandle<gnutls_x509_crl_t, gnutls_x509_crl_deinit> owned(raw);
  Check(gnutls_x509_crl_set_version(raw, 2));
  Check(gnutls_x509_crl_set_this_update(raw, this_update));
  if (next_update != 0) Check(gnutls_x509_crl_set_next_update(raw, next_update));
  for (const attest::Certificate& one : revoked)
    Check(gnutls_x509_crl_set_crt(raw, one.handle(), this_update));
  const ByteArray<8> number = NextSerial();
  Check(gnutls_x509_crl_set_number(raw, number.data(), number.size()));
  Check(gnutls_x509_crl_privkey_sign(raw, certificate_.handle(), key_.handle(),
                                     DigestOf(key_, false), 0));
  OwnedDatum der;
  Check(gnutls_x509_crl_export2(raw, GNUTLS_X509_FMT_DER, der.get()));
  return ToBytes(der.bytes());
}

}  // namespace keyclave::test
