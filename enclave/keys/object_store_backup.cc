// Backups of a store, and its state after one was brought back.
#include "enclave/keys/backup.h"
#include "enclave/keys/object_store_impl.h"

namespace keyclave::keys {

std::optional<wire::Recovery> ObjectStore::recovery() const {
  const ReaderLock lock(impl_->state_mutex);
  return impl_->recovery;
}

std::unique_ptr<Backup> ObjectStore::BeginBackup(UnixTime now) {
  return std::make_unique<Backup>(*impl_->vault, wire::BackupHeader{.enclave_id = enclave_id(),
                                                                    .created = now,
                                                                    .version = KEYCLAVE_VERSION,
                                                                    .recovery = recovery()});
}

std::unique_ptr<BackupCheck> ObjectStore::BeginBackupCheck() {
  return std::make_unique<BackupCheck>(*impl_->vault);
}

uint64_t ObjectStore::row_count() const { return impl_->vault->row_count(); }
uint64_t ObjectStore::commits() const { return impl_->vault->epoch(); }

Status ObjectStore::CommitRestored() {
  return impl_->Write([&]() KC_REQUIRES(impl_->write_mutex) -> Status {
    KC_CHECK_OK(impl_->vault->CommitRestored());
    const WriterLock lock(impl_->state_mutex);
    impl_->Moved();
    return Done{};
  });
}

}  // namespace keyclave::keys
