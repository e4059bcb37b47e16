// An Arm CCA platform with a key of its own, and a realm on it.
#pragma once

#include "tests/fakes/fake_ca.h"
#include "tests/fakes/fake_tee.h"

namespace keyclave::test {

struct FakeCcaOptions {
  bool cose_key = false;  // the edition with a realm profile
  uint64_t lifecycle = 0x3003;
  std::string platform_profile = "http://arm.com/CCA-SSD/1.0.0";
  std::string key_hash = "sha-256";
  bool another_challenge = false;  // the platform vouches for another realm key
};

class FakeCca final : public FakeTee {
 public:
  explicit FakeCca(FakeCcaOptions options = FakeCcaOptions()) : options_(std::move(options)) {}

  std::string_view type() const override { return "cca"; }
  attest::Trust OwnTrust() const override;
  Bytes Evidence(const attest::ReportData& report_data, UnixTime issued, bool debug) const override;
  std::string Measurement() const override { return ToHex(Bytes(32, 0x5a)); }
  Window ValidAt(UnixTime issued) const override { return {issued, issued}; }
  bool HasTime() const override { return false; }
  // Nothing in a token rates the platform.
  std::vector<std::string> Claims() const override { return {"tee", "measurement", "debug"}; }

  FakeCcaOptions& options() { return options_; }

 private:
  Bytes RealmKey() const;
  Bytes PlatformClaims(bool debug) const;
  Bytes RealmClaims(const attest::ReportData& report_data) const;

  FakeCcaOptions options_;
  FakeKey platform_key_ = FakeKey::Make(FakeKeyKind::kP384);
  FakeKey realm_key_ = FakeKey::Make(FakeKeyKind::kP384);
};

}  // namespace keyclave::test
