// Evidence in three states of trust, three types:
//   ParseEvidence   well formed?                          -> Unverified
//   VerifyEvidence  genuine, at this time, for this        -> Verified
//                   channel (report data)?
//   Appraise        what this policy wants? (appraise.h)   -> Appraised
// Only these functions can make those types. Time, roots and collateral are arguments; nothing in
// here fetches.
#pragma once

#include <any>
#include <memory>

#include "attest/binding.h"
#include "attest/claims.h"
#include "enclave/base/clock.h"

namespace keyclave::attest {

struct TeeType;

// Well formed, and nothing more: no field may be believed.
class Unverified {
 public:
  const TeeType& type() const { return *type_; }
  const std::any& parsed() const { return parsed_; }  // what the type's Parse made

 private:
  friend Result<Unverified> ParseEvidence(std::string_view type, ByteSpan bytes);
  Unverified(const TeeType* type, std::any parsed) : type_(type), parsed_(std::move(parsed)) {}
  const TeeType* type_;
  std::any parsed_;
};

// Genuine: signed by its TEE under a pinned root, valid at the given time, and bound to the given
// report data.
class Verified {
 public:
  const ClaimSet& claims() const { return claims_; }
  const std::string& type() const { return type_; }
  UnixTime verified_at() const { return verified_at_; }

 private:
  friend Result<Verified> VerifyEvidence(const Unverified& evidence,
                                         const struct VerifyContext& context);
  Verified(std::string type, ClaimSet claims, UnixTime at)
      : type_(std::move(type)), claims_(std::move(claims)), verified_at_(at) {}
  std::string type_;
  ClaimSet claims_;
  UnixTime verified_at_;
};

// What a verifier believes in before it sees evidence.
struct Trust {
  // Types that are accepted at all; `simulated` is never in it unless the configuration says
  // simulated.
  std::vector<std::string> accepted_types;
  // SubjectPublicKeyInfo (DER) of the development roots, for `simulated`.
  std::vector<Bytes> simulated_roots;
};

struct VerifyContext {
  const Trust& trust;
  UnixTime now;
  ReportData report_data;  // what the evidence must carry, whole and exact
};

inline constexpr size_t kMaxEvidence = size_t{64} << 10;  // bytes

// kEvidenceUnknownType, kEvidenceMalformed.
Result<Unverified> ParseEvidence(std::string_view type, ByteSpan bytes);
// kEvidenceNotAccepted, kEvidenceSignature, kEvidenceChain, kEvidenceBinding, kEvidenceTime.
Result<Verified> VerifyEvidence(const Unverified& evidence, const VerifyContext& context);

}  // namespace keyclave::attest
