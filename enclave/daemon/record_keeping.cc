#include "enclave/daemon/record_keeping.h"

#include "enclave/base/log.h"
#include "enclave/daemon/audit_key.h"
#include "enclave/daemon/fleet_keeper.h"
#include "enclave/daemon/state.h"
#include "enclave/ops/audit_fields.h"

namespace keyclave::daemon {
namespace {

constexpr std::chrono::seconds kUsageInterval{60};  // usage totals and checkpoints
// A mark is a commit, and a commit may count a TPM's counter on, which wears.
constexpr std::chrono::minutes kMarkInterval{15};

std::string Directory(const std::string& state) { return state + "/audit"; }

std::optional<audit::Mark> Remembered(const keys::ObjectStore& store) {
  const std::optional<keys::AuditMark> mark = store.audit_mark();
  if (!mark.has_value()) return std::nullopt;
  return audit::Mark{mark->sequence, mark->hash};
}

Status Remember(keys::ObjectStore& store, const audit::AuditLog& log) {
  const std::optional<audit::Mark> head = log.head();
  if (!head.has_value() || head == Remembered(store)) return Done{};
  return store.SetAuditMark({head->sequence, head->hash});
}

void LogFailure(const Status& status) {
  if (!status.ok()) Log(LogLevel::kError, status.error().Text());
}

}  // namespace

Result<std::unique_ptr<audit::AuditLog>> OpenAudit(const std::string& state,
                                                   keys::ObjectStore& store, const Clock& clock,
                                                   audit::AuditLog::Sign sign) {
  auto log = audit::AuditLog::Open(Directory(state), clock, std::move(sign), Remembered(store));
  if (!log.ok() && log.code() == Code::kAuditBroken)
    return Fail(
        Code::kAuditBroken,
        log.error().detail() +
            ". Put the log's files back; if they are lost, keyclaved --accept-audit records "
            "the break and goes on");
  return log;
}

Status AcceptAudit(const config::DaemonConfig& config, const keys::RootSealer& sealer,
                   const Clock& clock) {
  std::unique_ptr<FleetKeeper> fleet;
  keys::OpenOptions options;
  if (config.fleet.has_value()) {
    KC_ASSIGN(fleet, FleetKeeper::Create(*config.fleet, config.state, clock));
    options = fleet->Options({});
  }
  KC_ASSIGN(const auto store,
            keys::ObjectStore::Open(config.state, sealer, WitnessOf(config), options));
  KC_ASSIGN(AuditKey key, DeriveAuditKey(*store));
  KC_ASSIGN(const auto log, audit::AuditLog::OpenBroken(Directory(config.state), clock,
                                                        std::move(key.sign), Remembered(*store)));
  KC_CHECK_OK(log->Checkpoint());
  return Remember(*store, *log);
}

Status RecordRestore(const config::DaemonConfig& config, keys::ObjectStore& store,
                     const Clock& clock, const std::vector<audit::Field>& fields) {
  KC_ASSIGN(AuditKey key, DeriveAuditKey(store));
  KC_ASSIGN(const auto log, audit::AuditLog::OpenBroken(Directory(config.state), clock,
                                                        std::move(key.sign), Remembered(store)));
  KC_CHECK_OK(log->Write("restore", fields));
  KC_CHECK_OK(log->Checkpoint());
  return Remember(store, *log);
}

RecordKeeping::RecordKeeping(ops::Service& service, const Clock& clock)
    : service_(service),
      clock_(clock),
      watch_(clock),
      next_usage_(clock.Steady() + kUsageInterval),
      next_mark_(clock.Steady() + kMarkInterval),
      usage_since_(clock.Now()),
      marked_file_(service.audit.file_number()) {
  LogFailure(service_.audit.Checkpoint());
  LogFailure(KeepMark());
}

void RecordKeeping::Tick() {
  WatchClock();
  service_.backups.EndIdle();
  const auto now = clock_.Steady();
  if (now >= next_usage_) {
    WriteUsage();
    LogFailure(service_.audit.Checkpoint());
    next_usage_ = now + kUsageInterval;
  }
  // Before older files may go, the mark is in the newest.
  if (now < next_mark_ && service_.audit.file_number() == marked_file_) return;
  marked_file_ = service_.audit.file_number();
  LogFailure(KeepMark());
  next_mark_ = now + kMarkInterval;
}

Status RecordKeeping::Finish() {
  WriteUsage();
  KC_CHECK_OK(service_.audit.Write("stop", {}));
  KC_CHECK_OK(service_.audit.Checkpoint());
  const Status kept = KeepMark();
  // The fleet's store is away, or has no place for this member's mark any more.
  const bool may_end = kept.ok() || kept.code() == Code::kStoreUnreachable ||
                       kept.code() == Code::kStoreRestored || kept.code() == Code::kFleetRemoved;
  if (kept.ok() || !may_end) return kept;
  Log(LogLevel::kWarning, "the end of the audit log is not remembered: " + kept.error().Text());
  return Done{};
}

// Evidence that was verified by the wrong time may count for longer than it should, and so may the
// grants that were made of it: callers show it again, which their clients do by themselves.
void RecordKeeping::WatchClock() {
  const int64_t jump = watch_.Look();
  if (jump == 0) return;
  const std::string by = (jump > 0 ? "+" : "") + std::to_string(jump) + " s";
  Log(LogLevel::kWarning, "the clock was set by " + by + "; callers show their evidence again");
  service_.sessions.ForEach([](session::Session& session) { session.ForgetEvidence(); });
  LogFailure(service_.audit.Write("clock", {{"by", by}}));
}

void RecordKeeping::WriteUsage() {
  const UnixTime now = clock_.Now();
  const std::vector<ops::UseLedger::Total> totals = service_.uses.TakeTotals();
  std::vector<audit::Record> records;
  for (const ops::UseLedger::Total& total : totals) {
    std::vector<audit::Field> fields = {
        {"object", ToHex(total.use.object)},
        {"operation", std::string(authz::OperationName(total.use.operation))},
        {"count", std::to_string(total.count)},
        {"since", FormatTime(usage_since_)}};
    fields.push_back({"caller_id", total.identity == nullptr ? "" : ToHex(total.identity->caller)});
    if (total.identity != nullptr) ops::AddIdentity(*total.identity, fields);
    records.push_back({"usage", std::move(fields)});
  }
  const Status written = records.empty() ? Status() : service_.audit.WriteAll(records);
  LogFailure(written);
  if (written.ok()) {
    usage_since_ = now;
  } else {
    service_.uses.Restore(totals);
  }
}

Status RecordKeeping::KeepMark() { return Remember(service_.store, service_.audit); }

}  // namespace keyclave::daemon
