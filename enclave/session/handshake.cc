#include "enclave/session/handshake.h"

#include "attest/peer_process.h"
#include "enclave/base/hash.h"

namespace keyclave::session {
namespace {

Result<Bytes> ProduceEvidence(const HandshakeContext& context, const Connection& connection,
                              const ByteArray<32>& nonce) {
  const attest::TeeType* type = attest::FindTeeType(context.evidence_type);
  if (type == nullptr) return Fail(Code::kEvidenceUnknownType, context.evidence_type);
  // The audience is empty: the caller does not know this enclave's id yet, its nonce stands for it.
  const attest::Binding binding{.role = attest::Role::kEnclave,
                                .nonce = nonce,
                                .exporter = connection.exporter,
                                .client_spki = connection.peer.tls_key,
                                .server_spki = connection.server_spki,
                                .audience = {},
                                .runtime_claims = {}};
  return type->produce(attest::ComputeReportData(binding), context.producer, context.clock.Now());
}

uint64_t SecondsLeft(const Session& session, UnixTime now) {
  const auto identity = session.identity();
  if (!identity->attested || identity->expires_at <= now) return 0;
  return static_cast<uint64_t>(identity->expires_at - now);
}

// Takes the connection's nonce: whatever comes of it, it is used up.
Result<ByteArray<32>> UseNonce(Connection& connection, UnixTime now) {
  const std::optional<Connection::Nonce> nonce = std::exchange(connection.nonce, std::nullopt);
  if (!nonce.has_value()) return Fail(Code::kWrongState, "Attest without a Hello before it");
  const int64_t age = now - nonce->made;
  if (age < 0 || age > kNonceSeconds) return Fail(Code::kWrongState, "the Hello is too old");
  return nonce->value;
}

}  // namespace

Result<wire::HelloReply> HandleHello(const HandshakeContext& context, Connection& connection,
                                     const wire::HelloRequest& request) {
  const UnixTime now = context.clock.Now();
  connection.nonce.reset();
  wire::HelloReply reply;
  reply.nonce = RandomArray<32>();
  reply.enclave_id = context.enclave_id;
  reply.version = context.version;
  reply.simulated = context.simulated;
  reply.session_seconds = SecondsLeft(*connection.session, now);
  reply.session = connection.session->id();
  if (request.want_evidence) {
    KC_ASSIGN(reply.evidence, ProduceEvidence(context, connection, request.nonce));
    reply.evidence_type = context.evidence_type;
    reply.runtime_claims = Bytes();
  }
  connection.nonce = Connection::Nonce{.value = reply.nonce, .made = now};
  connection.hello_done = true;
  connection.can_move = request.can_move.value_or(false);
  if (connection.can_move && context.draining && context.draining()) reply.draining = true;
  return reply;
}

Result<wire::AttestReply> HandleAttest(const HandshakeContext& context, Connection& connection,
                                       const wire::AttestRequest& request) {
  const UnixTime now = context.clock.Now();
  KC_ASSIGN(const ByteArray<32> nonce, UseNonce(connection, now));
  KC_ASSIGN(wire::RuntimeClaims runtime, wire::ParseRuntimeClaims(request.runtime_claims));
  KC_ASSIGN(const attest::Unverified unverified,
            attest::ParseEvidence(request.evidence_type, request.evidence));
  const attest::Binding binding{.role = attest::Role::kCaller,
                                .nonce = nonce,
                                .exporter = connection.exporter,
                                .client_spki = connection.peer.tls_key,
                                .server_spki = connection.server_spki,
                                .audience = context.enclave_id,
                                .runtime_claims = request.runtime_claims};
  std::optional<attest::PeerProcess> process;
  if (request.evidence_type == "co-resident" && connection.socket >= 0) {
    KC_ASSIGN(process, attest::ReadPeerProcess(connection.socket));
  }
  attest::VerifyContext verify{.trust = context.trust,
                               .now = now,
                               .binding = ComputeReportData(binding),
                               .peer = process ? &*process : nullptr};
  auto verified = attest::VerifyEvidence(unverified, verify);
  if (!verified.ok() && verified.code() == Code::kCollateralExpired && context.collateral_grace) {
    // Policies then say for themselves whether that will do.
    verify.collateral_grace = context.collateral_grace();
    verified = attest::VerifyEvidence(unverified, verify);
  }
  if (!verified.ok()) return std::move(verified).error();
  connection.session->SetEvidence(
      *verified, now + static_cast<int64_t>(context.evidence_max_age),
      {.evidence = Sha256(request.evidence), .runtime = std::move(runtime)});
  return wire::AttestReply{.session_seconds = context.evidence_max_age};
}

}  // namespace keyclave::session
