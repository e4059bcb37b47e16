#include "tests/fakes/fake_token.h"

#include <gnutls/x509.h>

#include <nlohmann/json.hpp>

#include "attest/gnutls_handles.h"
#include "enclave/base/hash.h"

namespace keyclave::test {
namespace {

using attest::SignatureScheme;
using Json = nlohmann::json;

struct AlgorithmRow {
  std::string_view name;
  SignatureScheme scheme;
  FakeKeyKind kind;
};
constexpr AlgorithmRow kAlgorithms[] = {
    {"ES256", SignatureScheme::kEcdsaP256Sha256, FakeKeyKind::kP256},
    {"ES384", SignatureScheme::kEcdsaP384Sha384, FakeKeyKind::kP384},
    {"RS256", SignatureScheme::kRsaPkcs1Sha256, FakeKeyKind::kRsa2048},
    {"RS384", SignatureScheme::kRsaPkcs1Sha384, FakeKeyKind::kRsa2048},
    {"PS256", SignatureScheme::kRsaPssSha256, FakeKeyKind::kRsa2048},
    {"PS384", SignatureScheme::kRsaPssSha384, FakeKeyKind::kRsa2048},
};

const AlgorithmRow& Algorithm(std::string_view name) {
  for (const AlgorithmRow& row : kAlgorithms) {
    if (row.name == name) return row;
  }
  std::abort();
}

std::string Encode(const std::string& text) { return ToBase64Url(AsBytes(text)); }

// A number without leading zeros, as RFC 7518 §2 wants it.
std::string Number(ByteSpan number) {
  while (number.size() > 1 && number.front() == 0) number = number.subspan(1);
  return ToBase64Url(number);
}

Json KeyMembers(const FakeKey& key) {
  if (key.kind() == FakeKeyKind::kP256 || key.kind() == FakeKeyKind::kP384) {
    const FakeKey::Point point = key.PublicPoint();
    return {{"kty", "EC"},
            {"crv", key.kind() == FakeKeyKind::kP256 ? "P-256" : "P-384"},
            {"x", ToBase64Url(point.x)},
            {"y", ToBase64Url(point.y)}};
  }
  attest::OwnedDatum n;
  attest::OwnedDatum e;
  if (gnutls_privkey_export_rsa_raw(key.handle(), n.get(), e.get(), nullptr, nullptr, nullptr,
                                    nullptr, nullptr, nullptr) != 0)
    std::abort();
  return {{"kty", "RSA"}, {"n", Number(n.bytes())}, {"e", Number(e.bytes())}};
}

Json ItaClaims(const std::string& report_data, bool debug) {
  return {{"eat_profile", "https://portal.trustauthority.intel.com/eat_profile"},
          {"attester_type", "TDX"},
          {"tdx_mrtd", std::string(96, '5')},
          {"tdx_rtmr0", std::string(96, '0')},
          {"tdx_rtmr3", std::string(96, '3')},
          {"tdx_report_data", report_data},
          {"tdx_is_debuggable", debug},
          {"tdx_seamsvn", 3},
          {"attester_tcb_status", "UpToDate"},
          {"attester_tcb_date", "2026-02-15T00:00:00Z"},
          {"attester_advisory_ids", Json::array({"INTEL-SA-00837"})},
          {"dbgstat", debug ? "enabled" : "disabled"},
          {"ver", "1.0.0"}};
}

Json MaaClaims(const std::string& report_data, bool debug) {
  return {{"x-ms-attestation-type", "sgx"},
          {"x-ms-ver", "1.0"},
          {"x-ms-policy-hash", "bROrN897ZfWmWY2V0FLUlu3uwk5xatGnKYHn3zBbSlw"},
          {"x-ms-sgx-mrenclave", std::string(64, '5')},
          {"x-ms-sgx-mrsigner", std::string(64, '6')},
          {"x-ms-sgx-product-id", 7},
          {"x-ms-sgx-svn", 3},
          {"x-ms-sgx-is-debuggable", debug},
          {"x-ms-sgx-report-data", report_data},
          // What an instance's policy may say; nothing of it counts.
          {"is-debuggable", false},
          {"sgx-mrenclave", std::string(64, 'f')}};
}

Json GoogleClaims(const std::string& report_data, bool debug) {
  return {{"hwmodel", "GCP_INTEL_TDX"},
          {"swname", "CONFIDENTIAL_SPACE"},
          {"swversion", Json::array({"251001"})},
          {"secboot", true},
          {"dbgstat", debug ? "enabled" : "disabled-since-boot"},
          {"eat_nonce", report_data.substr(0, 64)},
          {"submods",
           {{"container",
             {{"image_digest", "sha256:" + std::string(64, '5')},
              {"image_reference", "registry.test/sample:latest"}}},
            {"gce", {{"project_id", "sample"}, {"zone", "nowhere"}}}}}};
}

Json TrusteeClaims(const std::string& report_data, bool debug) {
  return {{"eat_profile", "tag:github.com,2024:confidential-containers/Trustee"},
          {"eat_nonce", report_data},
          {"submods",
           {{"cpu0",
             {{"ear.status", "affirming"},
              {"ear.appraisal-policy-id", "default"},
              {"ear.veraison.annotated-evidence",
               {{"snp",
                 {{"measurement", std::string(96, '5')}, {"policy_debug_allowed", debug}}}}}}}}}};
}

}  // namespace

FakeToken::FakeToken(FakeTokenOptions options)
    : options_(std::move(options)),
      root_(FakeAuthority::Root(FakeKeyKind::kP256, {.name = "CN=Test Service Root,O=Test"})),
      signer_(root_.Issue(Algorithm(options_.algorithm).kind, {.name = "CN=Signer,O=Test"})),
      kid_(ToHex(Sha256(signer_.key().Public().spki())).substr(0, 16)) {}

std::string FakeToken::Jwk(const std::string& extra) const {
  Json key = KeyMembers(signer_.key());
  key["kid"] = kid_;
  key.merge_patch(Json::parse(extra));
  return key.dump();
}

attest::TokenIssuer FakeToken::Issuer() const {
  return {.issuer = options_.issuer,
          .audience = options_.audience,
          .keys = ToBytes(R"({"keys":[)" + Jwk() + "]}"),
          .roots = {}};
}

attest::Trust FakeToken::OwnTrust() const {
  attest::Trust trust;
  trust.accepted_types = {"token"};
  trust.token_issuers = {Issuer()};
  return trust;
}

std::string FakeToken::Header() const {
  Json header = {{"alg", options_.algorithm}, {"typ", "JWT"}, {"kid", kid_}};
  header.merge_patch(Json::parse(options_.header));
  return header.dump();
}

std::string FakeToken::Payload(const attest::ReportData& report_data, UnixTime issued,
                               bool debug) const {
  const std::string hex = ToHex(report_data);
  Json payload = options_.family == "maa"      ? MaaClaims(hex, debug)
                 : options_.family == "google" ? GoogleClaims(hex, debug)
                 : options_.family == "ita"    ? ItaClaims(hex, debug)
                                               : TrusteeClaims(hex, debug);
  payload["iss"] = options_.issuer;
  payload["iat"] = issued;
  payload["nbf"] = issued;
  if (options_.lifetime != 0) payload["exp"] = issued + options_.lifetime;
  if (!options_.audience.empty()) payload["aud"] = options_.audience;
  payload.merge_patch(Json::parse(options_.payload));
  return payload.dump();
}

Bytes FakeToken::Sign(const std::string& header, const std::string& payload) const {
  const std::string input = Encode(header) + "." + Encode(payload);
  const AlgorithmRow& row = Algorithm(options_.algorithm);
  Bytes signature;
  if (options_.algorithm.starts_with("ES")) {
    const FakeKey::RawSignature raw = signer_.key().SignRaw(row.scheme, AsBytes(input));
    signature = raw.r;
    signature.insert(signature.end(), raw.s.begin(), raw.s.end());
  } else {
    signature = signer_.key().Sign(row.scheme, AsBytes(input));
  }
  return ToBytes(input + "." + ToBase64Url(signature));
}

Bytes FakeToken::Evidence(const attest::ReportData& report_data, UnixTime issued,
                          bool debug) const {
  return Sign(Header(), Payload(report_data, issued, debug));
}

std::string FakeToken::Measurement() const {
  const bool short_one = options_.family == "maa" || options_.family == "google";
  return std::string(short_one ? 64 : 96, '5');
}

FakeTee::Window FakeToken::ValidAt(UnixTime issued) const {
  const int64_t skew = Issuer().skew;
  return {issued - skew, issued + options_.lifetime + skew - 1};
}

std::vector<std::string> FakeToken::Claims() const {
  return {"tee",          "measurement", "debug",         "tcb_status",   "token.issuer",
          "token.family", "token.tee",   "token.expires", "token.expired"};
}

std::unique_ptr<FakeTee> MakeFakeToken() { return std::make_unique<FakeToken>(); }

}  // namespace keyclave::test
