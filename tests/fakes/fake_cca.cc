#include "tests/fakes/fake_cca.h"

#include "enclave/base/cbor.h"
#include "tests/fakes/must.h"

namespace keyclave::test {
namespace {

Bytes Sign(const FakeKey& key, ByteSpan payload) {
  CborWriter header;
  header.Map(1);
  header.Uint(1);
  header.Int(-35);
  CborWriter to_be_signed;
  to_be_signed.Array(4);
  to_be_signed.Text("Signature1");
  to_be_signed.ByteString(header.bytes());
  to_be_signed.ByteString({});
  to_be_signed.ByteString(payload);
  const auto raw = key.SignRaw(attest::SignatureScheme::kEcdsaP384Sha384, to_be_signed.bytes());
  Bytes signature = raw.r;
  signature.insert(signature.end(), raw.s.begin(), raw.s.end());
  CborWriter message;
  message.Raw(Bytes{0xd2});
  message.Array(4);
  message.ByteString(header.bytes());
  message.Map(0);
  message.ByteString(payload);
  message.ByteString(signature);
  return std::move(message).Finish();
}

void PutBytes(CborWriter& writer, uint64_t key, ByteSpan bytes) {
  writer.Uint(key);
  writer.ByteString(bytes);
}

void PutText(CborWriter& writer, uint64_t key, std::string_view text) {
  writer.Uint(key);
  writer.Text(text);
}

}  // namespace

attest::Trust FakeCca::OwnTrust() const {
  attest::Trust trust;
  trust.accepted_types = {"cca"};
  trust.keys["cca"] = {platform_key_.Public().spki()};
  return trust;
}

Bytes FakeCca::RealmKey() const {
  const auto point = realm_key_.PublicPoint();
  if (options_.cose_key) {
    CborWriter key;
    key.Map(4);
    key.Int(1);
    key.Int(2);
    key.Int(-1);
    key.Int(2);
    key.Int(-2);
    key.ByteString(point.x);
    key.Int(-3);
    key.ByteString(point.y);
    return std::move(key).Finish();
  }
  Bytes key = {4};
  key.insert(key.end(), point.x.begin(), point.x.end());
  key.insert(key.end(), point.y.begin(), point.y.end());
  return key;
}

Bytes FakeCca::PlatformClaims(bool debug) const {
  Bytes challenge =
      Must(Hash(options_.key_hash == "sha-512" ? HashAlgorithm::kSha512 : HashAlgorithm::kSha256,
                RealmKey()));
  if (options_.another_challenge) challenge[0] ^= 1;
  CborWriter claims;
  claims.Map(8);
  PutText(claims, 265, options_.platform_profile);
  PutBytes(claims, 10, challenge);
  PutBytes(claims, 2396, Bytes(32, 0x1a));
  PutBytes(claims, 256, Bytes(33, 0x01));
  PutBytes(claims, 2401, Bytes(4, 0xcf));
  claims.Uint(2395);
  claims.Uint(debug ? 0x5000 : options_.lifecycle);
  PutText(claims, 2402, "sha-256");
  claims.Uint(2399);
  claims.Array(1);
  claims.Map(3);
  PutText(claims, 1, "RMM");
  PutBytes(claims, 2, Bytes(32, 0x22));
  PutBytes(claims, 5, Bytes(32, 0x55));
  return std::move(claims).Finish();
}

Bytes FakeCca::RealmClaims(const attest::ReportData& report_data) const {
  CborWriter claims;
  claims.Map(options_.cose_key ? 8 : 7);
  if (options_.cose_key) PutText(claims, 265, "tag:arm.com,2023:realm#1.0.0");
  PutBytes(claims, 10, report_data);
  PutBytes(claims, 44235, Bytes(64, 0x0d));
  PutText(claims, 44236, "sha-256");
  PutBytes(claims, 44237, RealmKey());
  PutBytes(claims, 44238, Bytes(32, 0x5a));
  claims.Uint(44239);
  claims.Array(4);
  for (uint8_t i = 0; i < 4; ++i) claims.ByteString(Bytes(32, i));
  PutText(claims, 44240, options_.key_hash);
  return std::move(claims).Finish();
}

Bytes FakeCca::Evidence(const attest::ReportData& report_data, UnixTime /*issued*/,
                        bool debug) const {
  CborWriter token;
  token.Raw(Bytes{0xd9, 0x01, 0x8f});
  token.Map(2);
  PutBytes(token, 44234, Sign(platform_key_, PlatformClaims(debug)));
  PutBytes(token, 44241, Sign(realm_key_, RealmClaims(report_data)));
  return std::move(token).Finish();
}

std::unique_ptr<FakeTee> MakeFakeCca() { return std::make_unique<FakeCca>(); }

}  // namespace keyclave::test
