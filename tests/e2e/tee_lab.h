// A real keyclaved that believes a fake vendor's roots, callers on that vendor's machines, and keys
// under policies of the test's.
#pragma once

#include <set>

#include "enclave/wire/pkcs11_extra.h"
#include "tests/e2e/real_daemon.h"
#include "tests/fakes/fake_enclaves.h"
#include "tests/fakes/fake_guests.h"

namespace keyclave::test {

// Makes the evidence of one machine, of the form that its type's verifier parses.
using Signer = std::function<Bytes(const attest::ReportData&)>;

// A caller's machine. The product's own client and producer run above its devices, and what these
// give is signed by the test's vendor.
class Machine {
 public:
  Machine(const RealDaemon& daemon, const std::string& type, Signer sign);
  client::Client& caller() { return *caller_; }

 private:
  void AddDevices(const std::string& type, const Signer& sign);

  fakes::FakeHost host_;
  fakes::FakeGramine gramine_;
  fakes::FakeTsm tsm_;
  fakes::FakeNsm nsm_;
  std::unique_ptr<client::Client> caller_;
};

class TeeLab {
 public:
  // The daemon accepts these types beside simulated evidence; `trust` goes into its configuration
  // as files.
  TeeLab(const std::vector<std::string>& types, attest::Trust trust);

  struct Key {
    wire::ObjectRef ref;
    attest::PublicKey public_key;
  };
  // A P-256 key whose policy permits `sign` when this holds (YAML).
  Key MakeKey(const std::string& when);
  // One that wants this workload of this type and no more.
  Key MakeKey(const std::string& type, const std::string& measurement);
  // With this line beside the policy's permit (on_verifier_trouble: use_cached(1h)).
  Key MakeKeyOf(const std::string& when, const std::string& line);
  // Signs a message, and verifies the signature.
  static Status Sign(client::Client& caller, const Key& key);
  // The latest refusal of the key.
  wire::ExplainReply Explain(const Key& key);
  // What the daemon's verifier refuses such evidence with, in its own words.
  std::string Refusal(const std::string& type, const Signer& sign);

  const RealDaemon& daemon() const { return *daemon_; }
  const attest::Trust& trust() const { return trust_; }
  client::Client& administrator() { return *administrator_; }

 private:
  std::string TrustBlock(const std::vector<std::string>& types) const;
  std::string NewFile(const std::string& name, ByteSpan bytes) const;

  const fakes::TemporaryDirectory folder_;
  const attest::Trust trust_;
  std::unique_ptr<RealDaemon> daemon_;
  std::unique_ptr<client::Client> administrator_;
  wire::TokenId token_{};
  unsigned keys_ = 0;
};

// A machine that differs from the good one in these claims and in no other.
struct Variation {
  std::vector<std::string> claims;
  Signer sign;
  std::vector<std::string> only_here = {};  // claims that the good one does not make
};

struct Gallery {
  std::string type;
  Signer good;
  std::vector<Variation> variations;
  // Claims that no policy can compare, or that no genuine evidence can have otherwise, and why.
  std::map<std::string, std::string> fixed;
};

// For every claim of the good evidence: a key whose policy wants just that value signs for the good
// caller, refuses the caller who differs in it, and says so: the claim, wanted and got. Every claim
// has its variation, or its reason in `fixed`.
void CheckThatEveryClaimDecides(TeeLab& lab, const Gallery& gallery);

// Genuine evidence of another connection of the same key, of another nonce and of another caller.
void CheckThatEvidenceIsOfThisSession(TeeLab& lab, const std::string& type, const Signer& sign);

// Whether it is refused for this reason, and `words` are in what the daemon says.
void CheckRefusal(TeeLab& lab, const std::string& type, const Signer& sign, Code code,
                  const std::vector<std::string>& words);

}  // namespace keyclave::test
