#include "enclave/daemon/restore.h"

#include <sys/stat.h>

#include "enclave/authz/authorize.h"
#include "enclave/base/file.h"
#include "enclave/base/file_pieces.h"
#include "enclave/base/log.h"
#include "enclave/daemon/process.h"
#include "enclave/daemon/record_keeping.h"
#include "enclave/daemon/restore_meeting.h"
#include "enclave/daemon/self.h"
#include "enclave/daemon/state.h"
#include "enclave/keys/backup.h"
#include "enclave/keys/key_schedule.h"
#include "enclave/keys/root_file.h"
#include "enclave/keys/state_files.h"
#include "enclave/mech/recovery.h"
#include "enclave/ops/policy_cache.h"
#include "enclave/ops/rules_cache.h"
#include "enclave/ops/version_floor.h"

namespace keyclave::daemon {
namespace {

constexpr size_t kPiece = size_t{1} << 20;  // bytes read at once
constexpr size_t kRowsAtOnce = 1024;        // written in one commit

Status ReadThrough(const std::string& file, wire::BackupReader::Sink sink) {
  wire::BackupReader reader(std::move(sink));
  const auto take = [&](ByteSpan bytes, bool /*last*/) -> Status {
    const Status taken = reader.Take(bytes);
    return taken.ok() ? taken : Status(taken.error().In(file));
  };
  KC_CHECK_OK(ReadInPieces(file, kPiece, take));
  const Status whole = reader.Finish();
  return whole.ok() ? whole : Status(whole.error().In(file));
}

// Before anybody is asked for anything: that the file is whole.
Result<wire::BackupHeader> ReadHeader(const std::string& file) {
  wire::BackupHeader header;
  const auto keep = [&](wire::BackupHeader read) -> Status {
    header = std::move(read);
    return Done{};
  };
  KC_CHECK_OK(ReadThrough(
      file, {.header = keep,
             .row = [](const auto& /*id*/, ByteSpan /*sealed*/) -> Status { return Done{}; },
             .end = [](const auto& /*end*/) -> Status { return Done{}; }}));
  return header;
}

// Rows into an empty store, some at a time; the head comes with the last ones, so that half of a
// backup is no store.
class StoreFiller {
 public:
  StoreFiller(std::unique_ptr<store::Store> store, const SecretBytes& root)
      : store_(std::move(store)),
        mac_key_(keys::KeySchedule(root).PurposeKey(keys::kBackupKeyLabel, 32)) {}

  Status Fill(const std::string& file) {
    return ReadThrough(
        file, {.header = [](const auto& /*header*/) -> Status { return Done{}; },
               .row = [this](const store::RowId& id, ByteSpan sealed) { return Add(id, sealed); },
               .end = [this](const wire::BackupEnd& end) { return Finish(end); }});
  }

 private:
  Status Add(const store::RowId& id, ByteSpan sealed) {
    rows_.push_back({id, ToBytes(sealed)});
    if (rows_.size() < kRowsAtOnce) return Done{};
    KC_CHECK_OK(store_->Commit(rows_, {}));
    rows_.clear();
    return Done{};
  }
  Status Finish(const wire::BackupEnd& end) {
    if (!Equal(keys::BackupMac(mac_key_, end), end.mac))
      return Fail(Code::kBackupDamaged, "it was changed, and its end made to fit");
    return store_->Commit(rows_, end.head);
  }

  const std::unique_ptr<store::Store> store_;
  const SecretBytes mac_key_;
  std::vector<store::Change> rows_;
};

// The fleet's owners have said which machines may have the root secret, and this is one of them, or
// not. That enough holders agree stands in the place of approvals.
Status CheckFleetPolicy(const keys::ObjectStore& store, const attest::ClaimSet& claims,
                        const Clock& clock) {
  const auto id = store.fleet_object();
  if (!id.has_value()) return Done{};
  KC_ASSIGN(const keys::ObjectPtr object, store.Get(*id));
  ops::PolicyCache policies;
  ops::RulesCache rules;
  KC_ASSIGN(const auto policy, policies.OfObject(store, *object));
  const auto verdicts =
      authz::Explain(*policy, claims, clock.Now(), clock.Now(), authz::Operation::kJoin, "",
                     *rules.Of(store, object->token)->callers);
  std::string why;
  for (const authz::PermitVerdict& verdict : verdicts) {
    if (verdict.term.empty()) return Done{};
    why += "; permit " + std::to_string(verdict.permit) + ": " + verdict.term + " wants " +
           verdict.wanted + ", and this machine has " + verdict.got;
  }
  return Fail(Code::kDenied, "the fleet's policy does not let this machine have the keys" + why);
}

Result<bool> HasRootSecret(const std::string& directory) {
  struct stat info {};
  if (lstat(keys::StateFiles::Root(directory).c_str(), &info) == 0) return true;
  if (errno == ENOENT) return false;
  return ErrnoError(directory);
}

// The root secret that this platform has, or the one that the holders bring.
Result<Recovered> FindRootSecret(const config::DaemonConfig& config, const keys::RootSealer& sealer,
                                 const Clock& clock, const wire::BackupHeader& header,
                                 bool is_here) {
  if (!is_here) {
    KC_CHECK_OK(keys::CheckNoState(config.state, WitnessOf(config)));
    if (!header.recovery.has_value())
      return Fail(Code::kWrongState,
                  "this enclave was made with recovery: none, so only the platform that has its "
                  "root.key can restore it: put that file into " +
                      config.state);
    const Status fits = mech::CheckRecovery(*header.recovery);
    if (!fits.ok() || header.recovery->enclave_id != header.enclave_id)
      return Fail(Code::kBackupDamaged, "its recovery holders are not those of its enclave");
    return MeetHolders(config, header, clock);
  }
  KC_ASSIGN(keys::RootKeyring root,
            keys::ReadRootSecret(keys::StateFiles::Root(config.state), sealer));
  if (ToHex(keys::KeySchedule(root.first()).EnclaveId()) != header.enclave_id)
    return Fail(Code::kStoreForeign, "the backup is of enclave " + header.enclave_id +
                                         ", and root.key in " + config.state + " of another one");
  return Recovered{std::move(root), {}};
}

std::string Names(const std::vector<std::string>& holders) {
  std::string names;
  for (const std::string& name : holders) names.append(names.empty() ? "" : " ").append(name);
  return names;
}

}  // namespace

Status Restore(const config::DaemonConfig& config, const keys::RootSealer& sealer,
               const Clock& clock, const std::string& file) {
  BlockSignals();
  std::vector<std::string> warnings;
  KC_CHECK_OK(PrepareMemory(config.allow_unlocked_memory, warnings));
  for (const std::string& warning : warnings) Log(LogLevel::kWarning, warning);
  KC_ASSIGN(const attest::ClaimSet claims, ProveSelf(config, clock));
  KC_ASSIGN(const wire::BackupHeader header, ReadHeader(file));
  KC_ASSIGN(const bool is_here, HasRootSecret(config.state));
  KC_ASSIGN(const Recovered recovered, FindRootSecret(config, sealer, clock, header, is_here));
  const auto fill = [&](std::unique_ptr<store::Store> store) {
    return StoreFiller(std::move(store), recovered.keyring.first()).Fill(file);
  };
  const auto accept = [&](keys::ObjectStore& store) -> Status {
    KC_CHECK_OK(ops::CheckVersion(store, claims));
    KC_CHECK_OK(CheckFleetPolicy(store, claims, clock));
    return RecordRestore(config, store, clock,
                         {{"backup_of", FormatTime(header.created)},
                          {"holders", Names(recovered.holders)},
                          {"objects", std::to_string(store.object_count())}});
  };
  const std::string member = config.fleet.has_value() ? config.fleet->member : "";
  KC_CHECK_OK(keys::RestoreState(config.state, sealer, WitnessOf(config),
                                 is_here ? nullptr : &recovered.keyring, fill, member, accept));
  Log(LogLevel::kInfo,
      "enclave " + header.enclave_id + " is restored as it was at " + FormatTime(header.created) +
          (config.fleet.has_value() ? "; keyclaved --publish brings it into an empty prefix of etcd"
                                    : ""));
  return Done{};
}

}  // namespace keyclave::daemon
