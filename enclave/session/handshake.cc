#include "enclave/session/handshake.h"

#include "attest/peer_process.h"
#include "attest/rcar.h"
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

// What the evidence of an Attest has to be bound to, and what is bound with it.
struct Wanted {
  attest::ReportData report_data{};
  Presented presented;
};

Result<Wanted> WantedOfConnection(const HandshakeContext& context, const Connection& connection,
                                  const ByteArray<32>& nonce, const wire::AttestRequest& request) {
  Wanted wanted;
  KC_ASSIGN(wanted.presented.runtime, wire::ParseRuntimeClaims(request.runtime_claims));
  const attest::Binding binding{.role = attest::Role::kCaller,
                                .nonce = nonce,
                                .exporter = connection.exporter,
                                .client_spki = connection.peer.tls_key,
                                .server_spki = connection.server_spki,
                                .audience = context.enclave_id,
                                .runtime_claims = request.runtime_claims};
  wanted.report_data = ComputeReportData(binding);
  return wanted;
}

// Reports with 64 bytes of report data of their own, signed by a TEE. A bearer's token says nothing
// of this nonce, and `co-resident` is who relays.
bool MayBeRelayed(std::string_view type) {
  return type == "sev-snp" || type == "tdx" || type == "sgx" || type == "simulated";
}

Result<Wanted> WantedOfRcar(const ByteArray<32>& nonce, const wire::AttestRequest& request) {
  if (!MayBeRelayed(request.evidence_type))
    return Fail(Code::kEvidenceNotAccepted, request.evidence_type + " by RCAR");
  auto runtime = attest::ParseRcarRuntimeData(request.runtime_claims);
  if (!runtime.ok()) return Fail(Code::kEvidenceMalformed, runtime.error().Text());
  if (runtime->nonce != ToBase64(nonce))
    return Fail(Code::kEvidenceBinding, "the runtime data are for another nonce");
  Wanted wanted;
  KC_ASSIGN(wanted.report_data, attest::RcarReportData(request.runtime_claims));
  wanted.presented.runtime.release_keys = {{"tee-pubkey", std::move(runtime->recipient.spki)}};
  wanted.presented.is_relayed = true;
  return wanted;
}

Result<Wanted> WantedOf(const HandshakeContext& context, const Connection& connection,
                        const ByteArray<32>& nonce, const wire::AttestRequest& request) {
  if (!request.protocol) return WantedOfConnection(context, connection, nonce, request);
  if (*request.protocol == wire::kProtocolRcar) return WantedOfRcar(nonce, request);
  return Fail(Code::kBadMessage, "protocol " + std::to_string(*request.protocol));
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
  KC_ASSIGN(Wanted wanted, WantedOf(context, connection, nonce, request));
  KC_ASSIGN(const attest::Unverified unverified,
            attest::ParseEvidence(request.evidence_type, request.evidence));
  std::optional<attest::PeerProcess> process;
  if (request.evidence_type == "co-resident" && connection.socket >= 0) {
    KC_ASSIGN(process, attest::ReadPeerProcess(connection.socket));
  }
  attest::VerifyContext verify{.trust = context.trust,
                               .now = now,
                               .binding = wanted.report_data,
                               .peer = process ? &*process : nullptr};
  auto verified = attest::VerifyEvidence(unverified, verify);
  if (!verified.ok() && verified.code() == Code::kCollateralExpired && context.collateral_grace) {
    // Policies then say for themselves whether that will do.
    verify.collateral_grace = context.collateral_grace();
    verified = attest::VerifyEvidence(unverified, verify);
  }
  if (!verified.ok()) return std::move(verified).error();
  wanted.presented.evidence = Sha256(request.evidence);
  connection.session->SetEvidence(*verified, now + static_cast<int64_t>(context.evidence_max_age),
                                  std::move(wanted.presented));
  return wire::AttestReply{.session_seconds = context.evidence_max_age};
}

}  // namespace keyclave::session
