// What is the same for every type of evidence.
#include <gtest/gtest.h>

#include "enclave/base/hash.h"
#include "tests/e2e/tee_lab.h"
#include "tests/fakes/must.h"
#include "tests/fakes/raw_peer.h"

namespace keyclave::test {
namespace {

using attest::ClaimSet;
using attest::ClaimValue;
using wire::Op;

constexpr Code kSuccess{};

// What this library's verifier makes of the evidence, in this process.
ClaimSet ClaimsHere(const TeeLab& lab, const std::string& type, const Signer& sign) {
  const attest::ReportData report_data{1, 2, 3};
  attest::Trust trust = lab.trust();
  trust.accepted_types = {type};
  const auto verified = attest::VerifyEvidence(Must(attest::ParseEvidence(type, sign(report_data))),
                                               {trust, SystemClock().Now(), report_data});
  EXPECT_TRUE(verified.ok()) << verified.error().Text();
  return verified.ok() ? verified->claims() : ClaimSet();
}

// As YAML has it.
struct Operand {
  std::string operator()(bool value) const { return value ? "is: true" : "is: false"; }
  std::string operator()(int64_t value) const { return "is: " + std::to_string(value); }
  std::string operator()(const std::string& value) const { return "is: \"" + value + "\""; }
  std::string operator()(const std::vector<std::string>& values) const {
    std::string list;
    for (const std::string& value : values) list += (list.empty() ? "\"" : ", \"") + value + "\"";
    return "in: [" + list + "]";
  }
};

std::string TextIn(const ClaimSet& claims, const std::string& name) {
  const attest::Claim* claim = claims.Find(name);
  return claim == nullptr ? "absent" : attest::ToText(claim->value);
}

std::set<std::string> Names(const ClaimSet& claims) {
  std::set<std::string> names;
  for (const auto& [name, claim] : claims) names.insert(name);
  return names;
}

// The claims in which two callers differ.
std::set<std::string> Difference(const ClaimSet& a, const ClaimSet& b, const Gallery& gallery) {
  std::set<std::string> names = Names(a);
  names.merge(Names(b));
  std::erase_if(names, [&](const std::string& name) {
    return gallery.fixed.contains(name) || TextIn(a, name) == TextIn(b, name);
  });
  return names;
}

// The daemon saw the claims that the evidence makes, and all of them as attested.
void CheckClaims(const std::vector<wire::ClaimText>& seen, const ClaimSet& wanted,
                 const Gallery& gallery) {
  std::set<std::string> names;
  for (const wire::ClaimText& claim : seen) {
    if (claim.name.starts_with("peer.") || claim.name.starts_with("tls.")) continue;
    EXPECT_TRUE(claim.attested) << claim.name;
    names.insert(claim.name);
    if (gallery.fixed.contains(claim.name)) continue;
    EXPECT_EQ(claim.value, TextIn(wanted, claim.name)) << claim.name;
  }
  EXPECT_EQ(names, Names(wanted));
}

// A key that wants this one value, and this type and workload as every policy should.
TeeLab::Key KeyThatWants(TeeLab& lab, const std::string& claim, const ClaimSet& good) {
  std::string when = "{all: [";
  const auto add = [&](const std::string& name) {
    when += "{" + name + ": {" + std::visit(Operand(), good.Find(name)->value) + "}}";
  };
  add(claim);
  for (const char* always : {"tee", "measurement"}) {
    if (claim == always) continue;
    when += ", ";
    add(always);
  }
  return lab.MakeKey(when + "]}");
}

class Gate {
 public:
  Gate(TeeLab& lab, const Gallery& gallery)
      : lab_(lab),
        gallery_(gallery),
        good_claims_(ClaimsHere(lab, gallery.type, gallery.good)),
        good_(lab.daemon(), gallery.type, gallery.good) {}

  const ClaimSet& good_claims() const { return good_claims_; }

  void Decides(const std::string& claim, client::Client& bad, const ClaimSet& bad_claims) {
    SCOPED_TRACE(claim);
    ASSERT_NE(good_claims_.Find(claim), nullptr);
    const TeeLab::Key key = KeyThatWants(lab_, claim, good_claims_);
    const Status signed_by_good = TeeLab::Sign(good_.caller(), key);
    EXPECT_TRUE(signed_by_good.ok()) << signed_by_good.error().Text();
    const Status refused = TeeLab::Sign(bad, key);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.code(), Code::kDenied) << refused.error().Text();

    const wire::ExplainReply why = lab_.Explain(key);
    ASSERT_EQ(why.permits.size(), 1U);
    const wire::PermitText& permit = why.permits.front();
    EXPECT_TRUE(permit.term.starts_with(claim + ": {")) << permit.term;
    const std::string good_text = TextIn(good_claims_, claim);
    EXPECT_NE(permit.wanted.find(good_text), std::string::npos) << permit.wanted;
    EXPECT_EQ(permit.got, TextIn(bad_claims, claim));
    if (claim != "tee") CheckClaims(why.claims, bad_claims, gallery_);
  }

 private:
  TeeLab& lab_;
  const Gallery& gallery_;
  const ClaimSet good_claims_;
  Machine good_;
};

// A caller who drives the protocol by hand.
class HandMade {
 public:
  explicit HandMade(const RealDaemon& daemon, std::shared_ptr<const wire::TlsIdentity> identity =
                                                  Must(wire::TlsIdentity::Create()))
      : identity_(std::move(identity)),
        peer_(wire::TlsEnd::kClient, ConnectUnix(daemon.Socket()), identity_) {
    EXPECT_TRUE(peer_.Handshake());
  }
  // The report data that this session wants, over a new nonce.
  attest::ReportData Hello() {
    EXPECT_TRUE(peer_.Ask<Op::kHello>(++id_, {RandomArray<32>(), false}));
    const auto hello = peer_.Answer<Op::kHello>();
    EXPECT_TRUE(hello.has_value());
    if (!hello.has_value()) return {};
    return ComputeReportData(attest::Binding{.role = attest::Role::kCaller,
                                             .nonce = hello->nonce,
                                             .exporter = peer_.binding().exporter,
                                             .client_spki = peer_.own_spki(),
                                             .server_spki = peer_.binding().peer_spki,
                                             .audience = hello->enclave_id,
                                             .runtime_claims = {}});
  }
  Code Attest(const std::string& type, const Bytes& evidence) {
    return peer_.Ask<Op::kAttest>(++id_, {type, evidence, {}}) ? peer_.AnswerCode()
                                                               : Code::kInternal;
  }
  const std::shared_ptr<const wire::TlsIdentity>& identity() const { return identity_; }

 private:
  std::shared_ptr<const wire::TlsIdentity> identity_;
  RawPeer peer_;
  uint64_t id_ = 0;
};

}  // namespace

// lesson 9: every caller here has genuine evidence, and only what it says lets him in.
void CheckThatEveryClaimDecides(TeeLab& lab, const Gallery& gallery) {
  Gate gate(lab, gallery);
  std::set<std::string> left = Names(gate.good_claims());
  for (const auto& [name, reason] : gallery.fixed)
    EXPECT_EQ(left.erase(name), 1U) << name << " is no claim; its reason was: " << reason;
  for (const Variation& variation : gallery.variations) {
    ASSERT_FALSE(variation.claims.empty());
    SCOPED_TRACE("the variation of " + variation.claims.front());
    const ClaimSet bad_claims = ClaimsHere(lab, gallery.type, variation.sign);
    std::set<std::string> wanted(variation.claims.begin(), variation.claims.end());
    wanted.insert(variation.only_here.begin(), variation.only_here.end());
    EXPECT_EQ(Difference(gate.good_claims(), bad_claims, gallery), wanted);
    Machine bad(lab.daemon(), gallery.type, variation.sign);
    for (const std::string& claim : variation.claims) {
      gate.Decides(claim, bad.caller(), bad_claims);
      left.erase(claim);
    }
  }
  ClaimSet simulated;
  simulated.Set("tee", std::string("simulated"));
  gate.Decides("tee", lab.administrator(), simulated);
  left.erase("tee");
  EXPECT_EQ(left, std::set<std::string>()) << "claims without a variation";
}

// lesson 1: no captured evidence works again. lesson 2: nor does evidence that is bound to the
// caller's key alone, for here even the same key on its next connection needs other evidence.
void CheckThatEvidenceIsOfThisSession(TeeLab& lab, const std::string& type, const Signer& sign) {
  HandMade victim(lab.daemon());
  const Bytes captured = sign(victim.Hello());
  EXPECT_EQ(victim.Attest(type, captured), kSuccess);
  victim.Hello();
  EXPECT_EQ(victim.Attest(type, captured), Code::kEvidenceBinding) << "over another nonce";
  HandMade again(lab.daemon(), victim.identity());
  again.Hello();
  EXPECT_EQ(again.Attest(type, captured), Code::kEvidenceBinding) << "on another connection";
  HandMade thief(lab.daemon());
  thief.Hello();
  EXPECT_EQ(thief.Attest(type, captured), Code::kEvidenceBinding) << "by another caller";
  EXPECT_EQ(thief.Attest(type, sign(thief.Hello())), kSuccess);
}

}  // namespace keyclave::test
