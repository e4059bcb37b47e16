// Operations about the connection and the enclave itself.

#include <openssl/rand.h>

#include "enclave/base/hash.h"
#include "enclave/ops/handlers.h"

namespace keyclave::ops {
namespace {

constexpr uint64_t kMaxRandom = 64 * 1024;  // bytes

}  // namespace

ReplyOf<Op::kHello> Hello(Call& call, const wire::HelloRequest& request,
                          const Anyone::Proof& /*proof*/) {
  return session::HandleHello(call.service.handshake, call.connection, request);
}

ReplyOf<Op::kAttest> Attest(Call& call, const wire::AttestRequest& request,
                            const Anyone::Proof& /*proof*/) {
  auto reply = session::HandleAttest(call.service.handshake, call.connection, request);
  if (!reply.ok()) {
    const Status written =
        call.service.audit.Write("evidence-refused", {{"type", request.evidence_type},
                                                      {"code", std::string(CodeName(reply.code()))},
                                                      {"caller", CallerName(call)}});
    if (!written.ok()) return written.error();
  }
  return reply;
}

void ReportSigning(const Service& service, wire::StatusReply& reply) {
  const mech::MultiBuffer* library = service.multi_buffer;
  reply.signing = library == nullptr ? "OpenSSL" : "OpenSSL, and in groups " + library->Describe();
  if (library == nullptr) return;
  for (size_t size = 1; size <= mech::kLanes; ++size) {
    if (const uint64_t count = library->groups(size); count != 0)
      reply.groups.push_back({std::to_string(size), count});
  }
  if (library->faults() != 0)
    reply.warnings.push_back(
        "signatures that crypto_mb made did not verify, and were made again by OpenSSL: " +
        std::to_string(library->faults()) + "; replace the library or the machine");
}

// Health in full for operators; to others only what the handshake tells anyway.
ReplyOf<Op::kStatus> ReportStatus(Call& call, const wire::StatusRequest& /*request*/,
                                  const Anyone::Proof& /*proof*/) {
  const Service& service = call.service;
  wire::StatusReply reply;
  reply.version = KEYCLAVE_VERSION;
  reply.enclave_id = service.store.enclave_id();
  reply.tee = service.config.tee;
  reply.simulated = service.config.IsSimulated();
  reply.warnings = service.warnings;
  // Operators learn how it is now.
  if (call.is_operator) static_cast<void>(service.audit.EnsureRoom().ok());
  if (const std::string trouble = service.audit.trouble(); !trouble.empty()) {
    reply.warnings.push_back(
        "nothing can be recorded, so changes and releases are refused (signatures go on)" +
        (call.is_operator ? ": " + trouble : ""));
  }
  reply.audit_key = service.audit_key;
  reply.recovery = RecoveryOf(service.store);  // together they could have every key: not a secret
  if (!call.is_operator) return reply;
  reply.started = service.started;
  reply.tokens = service.store.Tokens().size();
  reply.objects = service.store.object_count();
  reply.connections = service.server_stats->connections.load(std::memory_order_relaxed);
  reply.sessions = service.sessions.size();
  reply.epoch = service.store.epoch();
  reply.evidence = service.claims;
  reply.sealing = config::SealingName(service.config.sealing.by);
  ReportSigning(service, reply);
  if (service.fleet != nullptr) reply.fleet = service.fleet->Status();
  const session::Drain& drain = service.sessions.drain();
  if (drain.round() != 0) reply.draining = drain.movable.load();
  for (size_t op = 0; op < service.counts.by_op.size(); ++op) {
    const uint64_t count = service.counts.by_op[op].load(std::memory_order_relaxed);
    if (count != 0)
      reply.operations.push_back({std::string(wire::OpName(static_cast<wire::Op>(op))), count});
  }
  reply.operations.push_back({"denied", service.counts.denied.load(std::memory_order_relaxed)});
  return reply;
}

ReplyOf<Op::kDrain> SetDrain(Call& call, const wire::DrainRequest& request,
                             const OperatorOnly::Proof& /*proof*/) {
  session::Drain& drain = call.service.sessions.drain();
  request.on ? drain.Begin() : drain.End();
  call.audit_fields = {{"drain", request.on ? "on" : "off"}};
  return wire::DrainReply{.movable = drain.movable.load(),
                          .connections = call.service.server_stats->connections.load()};
}

ReplyOf<Op::kRandom> Random(Call& /*call*/, const wire::RandomRequest& request,
                            const Anyone::Proof& /*proof*/) {
  if (request.size > kMaxRandom) return Fail(Code::kTooLarge, "at most 65536 random bytes at once");
  // Into the generator that keys are made with. Callers choose it, so it counts as no entropy.
  if (request.seed) RAND_add(request.seed->data(), static_cast<int>(request.seed->size()), 0);
  wire::OutputReply reply;
  reply.output.resize(request.size);
  RandomFill(reply.output);
  return reply;
}

ReplyOf<Op::kListMechanisms> ListMechanisms(Call& /*call*/, const wire::Empty& /*request*/,
                                            const Anyone::Proof& /*proof*/) {
  wire::ListMechanismsReply reply;
  for (const mech::MechEntry& entry : mech::AllMechanisms()) {
    reply.mechanisms.push_back(
        {entry.row->type, entry.row->min_key_size, entry.row->max_key_size, entry.row->flags});
  }
  return reply;
}

}  // namespace keyclave::ops
