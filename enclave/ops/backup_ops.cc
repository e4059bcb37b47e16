// Backups of the store under a running daemon: what leaves is sealed as it lies on the disk, so an
// operator may have it.
#include "enclave/base/hash.h"
#include "enclave/ops/handlers.h"

namespace keyclave::ops {

ReplyOf<Op::kBeginBackup> BeginBackup(Call& call, const wire::BeginBackupRequest& /*request*/,
                                      const OperatorOnly::Proof& /*proof*/) {
  Service& service = call.service;
  call.audit_fields = {{"epoch", std::to_string(service.store.commits())}};
  return wire::BeginBackupReply{service.backups.Begin(call.now), service.store.row_count()};
}

ReplyOf<Op::kReadBackup> ReadBackup(Call& call, const wire::ReadBackupRequest& request,
                                    const OperatorOnly::Proof& /*proof*/) {
  return call.service.backups.Read(request);
}

ReplyOf<Op::kCheckBackup> CheckBackup(Call& call, const wire::CheckBackupRequest& request,
                                      const OperatorOnly::Proof& /*proof*/) {
  return call.service.backups.Check(request);
}

// An enclave that serves has its root secret; one that waits for it answers these elsewhere
// (enclave/daemon/restore_meeting.h).
ReplyOf<Op::kRestoreStatus> RestoreStatus(Call& /*call*/,
                                          const wire::RestoreStatusRequest& /*request*/,
                                          const Anyone::Proof& /*proof*/) {
  return Fail(Code::kWrongState, "this enclave is not being restored");
}

ReplyOf<Op::kGiveRecoveryShare> GiveRecoveryShare(Call& /*call*/,
                                                  const wire::GiveRecoveryShareRequest& /*request*/,
                                                  const Anyone::Proof& /*proof*/) {
  return Fail(Code::kWrongState, "this enclave is not being restored");
}

std::optional<wire::RecoveryInfo> RecoveryOf(const keys::ObjectStore& store) {
  const std::optional<wire::Recovery> recovery = store.recovery();
  if (!recovery.has_value()) return std::nullopt;
  wire::RecoveryInfo info{.threshold = recovery->threshold, .keys = {}};
  for (const wire::RecoveryHolder& holder : recovery->holders)
    info.keys.push_back({holder.name, Sha256(holder.public_key)});
  return info;
}

}  // namespace keyclave::ops
