// An attestation service with keys of its own, which says whatever a test wants said.
#pragma once

#include "tests/fakes/fake_ca.h"
#include "tests/fakes/fake_tee.h"

namespace keyclave::test {

struct FakeTokenOptions {
  std::string family = "ita";       // ita, maa, google or trustee
  std::string algorithm = "ES256";  // also ES384, RS256, RS384, PS256, PS384
  std::string issuer = "https://attestation.test";
  std::string audience = {};   // `aud`; empty: none
  int64_t lifetime = 300;      // seconds; 0: no `exp`
  std::string payload = "{}";  // merged into the claims (RFC 7396: null removes)
  std::string header = "{}";   // merged into the header
};

class FakeToken final : public FakeTee {
 public:
  explicit FakeToken(FakeTokenOptions options = {});

  std::string_view type() const override { return "token"; }
  attest::Trust OwnTrust() const override;
  Bytes Evidence(const attest::ReportData& report_data, UnixTime issued, bool debug) const override;
  std::string Measurement() const override;
  Window ValidAt(UnixTime issued) const override;
  // A nonce of Google's has at most 74 characters.
  size_t CarriedBytes() const override { return options_.family == "google" ? 32 : 64; }
  std::vector<std::string> Claims() const override;

  FakeTokenOptions& options() { return options_; }
  // The configuration that believes this service: its key as a JWK set.
  attest::TokenIssuer Issuer() const;
  // A member of the set; `extra` is merged into it.
  std::string Jwk(const std::string& extra = "{}") const;
  // JWS over any header and payload; the algorithm is the key's, whatever the header says.
  Bytes Sign(const std::string& header, const std::string& payload) const;
  std::string Header() const;
  std::string Payload(const attest::ReportData& report_data, UnixTime issued, bool debug) const;
  const FakeAuthority& root() const { return root_; }
  const FakeAuthority& signer() const { return signer_; }

 private:
  FakeTokenOptions options_;
  FakeAuthority root_;
  FakeAuthority signer_;
  std::string kid_;
};

}  // namespace keyclave::test
