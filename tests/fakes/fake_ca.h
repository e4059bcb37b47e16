// A certificate authority for tests: keys, certificates with any extensions, revocation lists.
#pragma once

#include <gnutls/abstract.h>

#include "attest/x509.h"

namespace keyclave::test {

enum class FakeKeyKind { kP256, kP384, kRsa2048, kRsa4096 };

// A private key of a signer that a test plays. RSA keys are made once per process and kind.
class FakeKey {
 public:
  static FakeKey Make(FakeKeyKind kind);

  // ECDSA-Sig-Value or the RSA signature; the scheme fits the kind.
  Bytes Sign(attest::SignatureScheme scheme, ByteSpan message) const;
  // r and s of ECDSA, big-endian, each as long as the curve's field.
  struct RawSignature {
    Bytes r;
    Bytes s;
  };
  RawSignature SignRaw(attest::SignatureScheme scheme, ByteSpan message) const;
  // The public point's coordinates, big-endian, each as long as the curve's field.
  struct Point {
    Bytes x;
    Bytes y;
  };
  Point PublicPoint() const;
  attest::PublicKey Public() const;
  gnutls_privkey_t handle() const { return key_.get(); }
  FakeKeyKind kind() const { return kind_; }

 private:
  FakeKeyKind kind_ = FakeKeyKind::kP256;
  std::shared_ptr<std::remove_pointer_t<gnutls_privkey_t>> key_;
};

struct FakeExtension {
  std::string oid;
  Bytes value;  // content of extnValue
  bool critical = false;
};

struct FakeCertificateSpec {
  std::string name;  // RFC 4514, as "CN=Test PCK,O=Test"
  bool authority = false;
  UnixTime not_before = 1'577'836'800;  // 2020-01-01
  UnixTime not_after = 2'524'608'000;   // 2050-01-01
  std::vector<FakeExtension> extensions = {};
  bool pss = false;  // signed with RSA-PSS SHA-384 (AMD) instead of the issuer's usual scheme
};

// A certificate and its key, which may issue others.
class FakeAuthority {
 public:
  static FakeAuthority Root(FakeKeyKind kind, FakeCertificateSpec spec);
  FakeAuthority Issue(FakeKeyKind kind, FakeCertificateSpec spec) const;
  FakeAuthority IssueFor(const FakeKey& key, FakeCertificateSpec spec) const;

  const attest::Certificate& certificate() const { return certificate_; }
  const FakeKey& key() const { return key_; }
  std::string Pem() const;
  // A list of the serial numbers of these certificates (DER); next_update 0: it says none.
  Bytes RevocationList(const std::vector<attest::Certificate>& revoked, UnixTime this_update,
                       UnixTime next_update) const;

 private:
  FakeAuthority(FakeKey key, attest::Certificate certificate)
      : key_(std::move(key)), certificate_(std::move(certificate)) {}
  FakeKey key_;
  attest::Certificate certificate_;
};

}  // namespace keyclave::test
