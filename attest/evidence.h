// Evidence in three states of trust, three types:
//   ParseEvidence   well formed?                          -> Unverified
//   VerifyEvidence  genuine, at this time, for this        -> Verified
//                   channel (report data)?
//   Appraise        what this policy wants? (appraise.h)   -> Appraised
// Only these functions can make those types. Time, roots and collateral are arguments; nothing in
// here fetches.
#pragma once

#include <any>
#include <map>
#include <memory>

#include "attest/binding.h"
#include "attest/claims.h"
#include "attest/collateral.h"
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

// Who may issue a token, and for whom (type `token`).
struct TokenIssuer {
  std::string issuer;  // the `iss` that it must have; empty: any (only for files under examination)
  std::string audience;            // one of its `aud`; empty: not checked
  Bytes keys;                      // RFC 7517: a JWK or JWK set
  std::vector<Certificate> roots;  // where x5c chains of its keys or header must end; may be empty
  int64_t skew = 60;               // seconds that its clock may differ from ours
  // Whether its tokens may come without anything of the session in them: bearers' tokens, which
  // whoever saw one can show. A policy must want them, too (appraise.h, FailedBinding).
  bool unbound = false;
};

// What a verifier believes in before it sees evidence. The vendors' roots are built in
// (vendor_roots.h) and need not be named.
struct Trust {
  // Types that are accepted at all; `simulated` is never in it unless the configuration says
  // simulated.
  std::vector<std::string> accepted_types;
  // SubjectPublicKeyInfo (DER) of the development roots, for `simulated`.
  std::vector<Bytes> simulated_roots;
  // Roots that count beside the vendor's, by type: certificates that chains may end in. For `tpm`
  // there is no built-in one.
  std::map<std::string, std::vector<Certificate>, std::less<>> roots = {};
  // Attestation keys that were enrolled, by type (`tpm`): SubjectPublicKeyInfo, DER.
  std::map<std::string, std::vector<Bytes>, std::less<>> keys = {};
  std::vector<TokenIssuer> token_issuers = {};
  std::shared_ptr<const Collateral> collateral = std::make_shared<const Collateral>();

  // The vendor's roots and the operator's for this type.
  std::vector<Certificate> RootsFor(std::string_view type) const;
};

// What evidence must be bound to.
class ExpectedBinding {
 public:
  // A session: the field holds the report data, as many bytes of it as the format carries.
  ExpectedBinding(const ReportData& report_data)  // NOLINT(google-explicit-constructor)
      : wanted_(ToBytes(report_data)), session_(true) {}
  // A file under examination, with the nonce that its maker was asked to put in.
  static ExpectedBinding Nonce(Bytes nonce) { return ExpectedBinding(std::move(nonce)); }
  // A file under examination; whatever it is bound to, it cannot be used on a session.
  static ExpectedBinding None() { return ExpectedBinding(); }

  // Whether evidence is for a session, so that what cannot be bound to one is refused.
  bool for_session() const { return session_; }
  // `field` is the format's own: 64 bytes of report data, 32 of qualifying data, a nonce. For a
  // session it must be the first field.size() bytes (32 to 64) of the report data, for a file the
  // nonce, with nothing but zeros behind it. kEvidenceBinding.
  Status Check(ByteSpan field) const;

 private:
  ExpectedBinding() = default;
  explicit ExpectedBinding(Bytes nonce) : wanted_(std::move(nonce)) {}
  std::optional<Bytes> wanted_;
  bool session_ = false;
};

// What the verification of evidence needs beside it, and whether it is there.
struct CollateralNeed {
  std::string what;              // "SGX TCB info of FMSPC 00A06F050000, PCE-ID 0000"
  std::string where;             // where its issuer hands it out
  std::optional<Error> problem;  // it is missing, expired or bad; nullopt: it is there and good
};

// No policy can have collateral count for longer after its nextUpdate: 30 days, in seconds.
inline constexpr uint64_t kMaxCollateralGrace = uint64_t{30} * 86400;

struct VerifyContext {
  const Trust& trust;
  UnixTime now;
  ExpectedBinding binding;
  // Who is at the other end of the unix socket, for `co-resident`; null elsewhere.
  const struct PeerProcess* peer = nullptr;
  // For so many seconds after its nextUpdate, collateral (TCB info, identities, revocation lists)
  // is used all the same where there is none that is current; at most kMaxCollateralGrace. What
  // verified so has the claim kCollateralExpiredAt, and is worth nothing to whoever does not ask
  // for that by FailedCollateral (appraise.h).
  uint64_t collateral_grace = 0;
  // Set by VerifyEvidence, for the types.
  std::optional<UnixTime>* collateral_expired_at = nullptr;

  CollateralTime CollateralAt() const { return {now, collateral_grace, collateral_expired_at}; }
};

// The earliest nextUpdate of what was used though that had passed, as a time; absent if all was
// current. Policies cannot name it.
inline constexpr std::string_view kCollateralExpiredAt = "collateral_expired_at";

inline constexpr size_t kMaxEvidence = size_t{64} << 10;  // bytes

// kEvidenceUnknownType, kEvidenceMalformed.
Result<Unverified> ParseEvidence(std::string_view type, ByteSpan bytes);
// Bound to a session: context.binding must be a session's. kEvidenceNotAccepted,
// kEvidenceSignature, kEvidenceChain, kEvidenceBinding, kEvidenceTime, kEvidenceRevoked,
// kEvidenceTcb, kEvidenceIdentity, kEvidenceUnbound, kCollateral….
Result<Verified> VerifyEvidence(const Unverified& evidence, const VerifyContext& context);
// All collateral that verification needs, whether or not it is in context.trust.collateral; empty
// where a type needs none. Evidence that is bad itself may need more than can be told.
std::vector<CollateralNeed> CollateralNeeds(const Unverified& evidence,
                                            const VerifyContext& context);
// Genuine, whatever it is bound to: what a file says. Nothing but people may act on it, and so it
// is no Verified. Errors as above, without kEvidenceNotAccepted.
Result<ClaimSet> ExamineEvidence(const Unverified& evidence, const VerifyContext& context);

}  // namespace keyclave::attest
