// The attestation handshake inside an established TLS connection: what the daemon answers to Hello
// and Attest (docs/wire.md).
//
// After HandleHello succeeded: the connection has a fresh nonce (an earlier one is void), and if
// the caller asked, the reply holds evidence of this enclave bound to the caller's nonce and this
// TLS connection.
// After HandleAttest succeeded: the caller's evidence was genuine, of an accepted type, and bound
// to this connection's last nonce, to this TLS connection and to this enclave; the attested session
// holds its claims. The nonce is used up whether it succeeded or not.
// Evidence that the caller relays (AttestRequest::protocol) is bound to that nonce and to the
// public key that its maker put into it, and to no channel: the session's identity then says so.
#pragma once

#include <functional>

#include "attest/tee_type.h"
#include "enclave/session/connection.h"

namespace keyclave::session {

inline constexpr int64_t kNonceSeconds = 60;

struct HandshakeContext {
  const attest::Trust& trust;              // for callers' evidence
  const attest::ProducerConfig& producer;  // for the enclave's own
  std::string evidence_type;               // the enclave's own
  std::string enclave_id;                  // the audience of callers' evidence
  std::string version;
  bool simulated = false;
  uint64_t evidence_max_age = 0;  // seconds that a session lives after its evidence was verified
  const Clock& clock;
  // The most that any policy in force lets late collateral count, in seconds: asked only when that
  // matters. Without it none does.
  std::function<uint64_t()> collateral_grace = {};
  // Whether callers that can move shall do so. Without it none shall.
  std::function<bool()> draining = {};
};

// kEvidenceUnavailable, kEvidenceUnknownType.
Result<wire::HelloReply> HandleHello(const HandshakeContext& context, Connection& connection,
                                     const wire::HelloRequest& request);
// kWrongState without a Hello whose nonce is unused and at most 60 s old; the codes of
// ParseEvidence and VerifyEvidence.
Result<wire::AttestReply> HandleAttest(const HandshakeContext& context, Connection& connection,
                                       const wire::AttestRequest& request);

}  // namespace keyclave::session
