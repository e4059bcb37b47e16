// Machines of a fake Intel, which differ in one thing each, and the collateral about all of them.
#pragma once

#include "tests/e2e/tee_lab.h"
#include "tests/fakes/fake_intel.h"

namespace keyclave::test {

class IntelMachines {
 public:
  explicit IntelMachines(attest::dcap::Tee tee);

  const std::string& type() const { return type_; }
  attest::Trust Trust() const;

  using ChangeQuote = std::function<void(FakeQuote&)>;
  using ChangePlatform = std::function<void(FakePlatform&)>;
  // The sample workload on the good machine; and with something changed before it is signed.
  Signer Good() const;
  Signer With(ChangeQuote change) const;
  // On another machine of the same maker.
  Signer On(const ChangePlatform& change) const;
  // On a machine of somebody who calls himself Intel.
  Signer OfStranger() const;
  // On machines of which TCB info says just this: that level is Revoked, none fits, it has expired
  // long ago or an hour ago, nothing at all.
  Signer OnRevokedLevel() const { return Of(revoked_level_); }
  Signer OnNoLevel() const { return Of(no_level_); }
  Signer OnExpired() const { return Of(expired_); }
  Signer OnLate() const { return Of(late_); }
  Signer OnUnknown() const { return Of(unknown_); }
  // On one whose PCK certificate was revoked.
  Signer OnRevoked() const { return Of(revoked_); }

  UnixTime late_since() const { return late_since_; }

  // What is claimed of the platform and its TCB, for both types.
  std::vector<Variation> PlatformVariations() const;

 private:
  Signer Of(const FakeIntel& intel, ChangeQuote change = nullptr) const;
  FakeTcbInfo GoodTcbInfo() const;
  std::string Own(const std::string& name) const { return type_ + "." + name; }

  attest::dcap::Tee tee_;
  std::string type_;
  const UnixTime late_since_;  // nextUpdate of OnLate's TCB info
  FakeIntel good_;
  FakeIntel other_fmspc_;
  FakeIntel other_pceid_;
  FakeIntel one_package_;
  FakeIntel revoked_level_;
  FakeIntel no_level_;
  FakeIntel expired_;
  FakeIntel late_;
  FakeIntel unknown_;
  FakeIntel revoked_;
};

// Every way in which a quote is not genuine, or what vouches for it is not there.
void CheckThatOnlyGenuineQuotesAreAccepted(TeeLab& lab, const IntelMachines& machines);

}  // namespace keyclave::test
