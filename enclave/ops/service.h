// What the daemon's operations work with: one Service for the whole process, one Call for each
// request.
#pragma once

#include "enclave/audit/audit_log.h"
#include "enclave/config/daemon_config.h"
#include "enclave/keys/object_store.h"
#include "enclave/mech/sign_batch.h"
#include "enclave/ops/backup_desk.h"
#include "enclave/ops/denial_log.h"
#include "enclave/ops/fleet_view.h"
#include "enclave/ops/limits.h"
#include "enclave/ops/mark_desk.h"
#include "enclave/ops/policy_cache.h"
#include "enclave/ops/rules_cache.h"
#include "enclave/ops/use_ledger.h"
#include "enclave/server/handler.h"
#include "enclave/session/handshake.h"

namespace keyclave::ops {

// How often each operation was answered since start, and how often anything was denied.
struct OperationCounts {
  std::array<std::atomic<uint64_t>, 128> by_op{};
  std::atomic<uint64_t> denied{0};
};

struct Service {
  Service(const config::DaemonConfig& settings, const Clock& time, keys::ObjectStore& objects,
          session::SessionMap& callers, const session::HandshakeContext& proofs,
          audit::AuditLog& log)
      : config(settings),
        clock(time),
        store(objects),
        sessions(callers),
        handshake(proofs),
        audit(log),
        limits(objects, time),
        backups(objects, time),
        marks(settings, objects) {}

  const config::DaemonConfig& config;
  const Clock& clock;
  keys::ObjectStore& store;
  session::SessionMap& sessions;
  const session::HandshakeContext& handshake;
  audit::AuditLog& audit;
  UnixTime started = 0;
  std::vector<std::string>
      warnings;  // what an operator should know: simulated mode, unlocked memory
  std::vector<wire::ClaimText> claims;                // the enclave's own
  Bytes audit_key;                                    // SubjectPublicKeyInfo
  const server::ServerStats* server_stats = nullptr;  // set before the server starts
  PolicyCache policies;
  RulesCache rules;
  DenialLog denials;
  UseLedger uses;
  Limits limits;
  BackupDesk backups;
  MarkDesk marks;
  OperationCounts counts;
  const mech::MultiBuffer* multi_buffer = nullptr;  // set before the server starts; null: none
  const FleetView* fleet = nullptr;                 // the same
};

// Who signed the request that is being carried out.
struct Authority {
  wire::TokenId token{};
  std::set<std::string, std::less<>> owners;  // distinct; auditors are not among them
  wire::AdministerRequest signed_request;
};

struct Call {
  Service& service;
  session::Connection& connection;
  session::Session& session;
  wire::Op op{};
  UnixTime now = 0;
  bool is_operator = false;
  // Whose request it is, from its beginning to its end: evidence that another connection of the
  // session presents meanwhile is for other requests.
  session::Session::IdentityPtr identity = session.identity();
  std::optional<Authority> authority = {};
  std::optional<wire::Owner> signer = {};  // the first of those who signed, auditors too
  std::vector<audit::Field> audit_fields =
      {};  // what a change's audit record says beside operation and caller
  mech::SignBatch* batch = nullptr;   // what this request may join; null: it is answered at once
  std::optional<size_t> joined = {};  // it did, at this place: its reply comes out of the batch
};

}  // namespace keyclave::ops
