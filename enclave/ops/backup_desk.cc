#include "enclave/ops/backup_desk.h"

#include "enclave/base/hash.h"

namespace keyclave::ops {
namespace {

constexpr std::chrono::minutes kIdle{10};

}  // namespace

uint64_t BackupDesk::Begin(UnixTime now) {
  const MutexLock lock(mutex_);
  used_ = clock_.Steady();
  backup_.reset();  // before the next one begins to watch
  backup_ = store_.BeginBackup(now);
  given_ = 0;
  // Not one more: two command lines that both began are told apart.
  for (const uint8_t byte : RandomArray<8>()) number_ = number_ << 8 | byte;
  return number_;
}

Result<wire::ReadBackupReply> BackupDesk::Read(const wire::ReadBackupRequest& request) {
  const MutexLock lock(mutex_);
  used_ = clock_.Steady();
  if (backup_ == nullptr || request.backup != number_ || request.offset != given_)
    return Fail(Code::kWrongState, "another backup was begun meanwhile: begin again");
  auto bytes = backup_->Next(wire::kBackupChunk);
  if (!bytes.ok() || bytes->size() < wire::kBackupChunk) backup_.reset();
  KC_CHECK_OK(bytes.ok() ? Status() : Status(bytes.error()));
  given_ += bytes->size();
  return wire::ReadBackupReply{*std::move(bytes), backup_ == nullptr};
}

Result<wire::CheckBackupReply> BackupDesk::Check(const wire::CheckBackupRequest& request) {
  const MutexLock lock(mutex_);
  used_ = clock_.Steady();
  if (request.offset == 0) {
    check_ = store_.BeginBackupCheck();
    taken_ = 0;
  }
  if (check_ == nullptr || request.offset != taken_)
    return Fail(Code::kWrongState, "another backup is being looked at: begin again");
  if (request.bytes.size() > wire::kBackupChunk)
    return Fail(Code::kTooLarge, "at most " + std::to_string(wire::kBackupChunk) + " bytes");
  Status taken = check_->Take(request.bytes);
  taken_ += request.bytes.size();
  wire::CheckBackupReply reply{.rows = check_->rows(), .epoch = {}, .epoch_now = store_.commits()};
  if (taken.ok() && request.last) {
    const auto epoch = check_->Finish();
    if (epoch.ok()) reply.epoch = *epoch;
    taken = epoch.ok() ? Status() : Status(epoch.error());
  }
  if (!taken.ok() || request.last) check_.reset();
  KC_CHECK_OK(taken);
  return reply;
}

void BackupDesk::EndIdle() {
  const MutexLock lock(mutex_);
  if (clock_.Steady() - used_ < kIdle) return;
  backup_.reset();
  check_.reset();
}

}  // namespace keyclave::ops
