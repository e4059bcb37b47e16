// A TPM with an authority of its own, which quotes whatever a test wants quoted.
#pragma once

#include "attest/tpm/evidence.h"
#include "tests/fakes/fake_ca.h"
#include "tests/fakes/fake_tee.h"

namespace keyclave::test {

inline constexpr uint16_t kTpmSha1 = 0x0004;
inline constexpr uint16_t kTpmSha256 = 0x000b;
inline constexpr uint16_t kTpmSha384 = 0x000c;

struct FakeTpmOptions {
  FakeKeyKind key = FakeKeyKind::kP256;
  bool pss = false;                  // for RSA keys
  uint16_t hash = kTpmSha256;        // of the signature, for RSA keys; P-384 signs with SHA-384
  bool certified = true;             // else the key is enrolled
  attest::tpm::PcrValues pcrs = {};  // what is quoted; empty: registers 0, 4 and 7 of SHA-256
  bool tell_values = true;           // whether the evidence brings the values
  uint64_t clock = 123'456;
  uint32_t reset_count = 7;
  uint32_t restart_count = 2;
  uint8_t safe = 1;
  uint64_t firmware_version = 0x2019'1023'0016'3636;
  FakeCertificateSpec certificate = {.name = "CN=Test AK,O=Test"};
};

class FakeTpm final : public FakeTee {
 public:
  explicit FakeTpm(FakeTpmOptions options = {});

  std::string_view type() const override { return "tpm"; }
  attest::Trust OwnTrust() const override;
  Bytes Evidence(const attest::ReportData& report_data, UnixTime issued, bool debug) const override;
  std::string Measurement() const override;
  Window ValidAt(UnixTime issued) const override;
  size_t CarriedBytes() const override { return 32; }  // qualifying data of common TPMs
  bool HasDebugMode() const override { return false; }
  std::vector<std::string> Claims() const override;

  // The parts of evidence, for tests that change one.
  attest::tpm::Evidence Parts(ByteSpan qualifying_data) const;
  // TPMS_ATTEST of a quote.
  Bytes Attest(ByteSpan qualifying_data) const;
  // TPMT_SIGNATURE over any bytes, as only a key that is not restricted would make it.
  Bytes Sign(ByteSpan message) const;
  const FakeAuthority& root() const { return root_; }
  const FakeAuthority& middle() const { return middle_; }
  const FakeAuthority& ak() const { return ak_; }

 private:
  attest::SignatureScheme Scheme() const;
  HashAlgorithm DigestAlgorithm() const;
  Bytes QuoteInfo() const;

  FakeTpmOptions options_;
  FakeAuthority root_;
  FakeAuthority middle_;
  FakeAuthority ak_;
};

}  // namespace keyclave::test
