// The store of a member of a fleet: what all share lies in etcd (shared_rows.h), and a copy of it
// on this machine, from which everything is read. So a member that is cut off still has all its
// keys.
//
// A commit counts when etcd has it. The copy follows; a disk that is full keeps it behind, and then
// what is missing is kept in memory, and nothing more is committed here until it is on the disk.
#pragma once

#include "enclave/base/mutex.h"
#include "enclave/fleet/shared_rows.h"

namespace keyclave::fleet {

class FleetStore final : public store::Store {
 public:
  // `position_file` remembers how far the copy has come: a hint that saves reading everything
  // again.
  FleetStore(std::unique_ptr<store::Store> copy, std::shared_ptr<SharedRows> rows,
             std::string position_file);
  ~FleetStore() override;

  Result<Bytes> ReadHead() override KC_EXCLUDES(copy_mutex_);
  Status ForEach(const std::function<Status(const store::RowId&, ByteSpan)>& visit) override;
  Result<Bytes> Read(const store::RowId& id) override KC_EXCLUDES(copy_mutex_);
  Status Commit(std::span<const store::Change> changes, ByteSpan head) override
      KC_EXCLUDES(shared_mutex_, copy_mutex_);
  bool IsShared() const override { return true; }
  Result<std::optional<store::News>> Fetch(bool all) override
      KC_EXCLUDES(shared_mutex_, copy_mutex_);
  Status Adopt(const store::News& news) override KC_EXCLUDES(shared_mutex_, copy_mutex_);

  Result<std::vector<store::Row>> ReadAfter(const std::optional<store::RowId>& after,
                                            size_t limit) override {
    return copy_->ReadAfter(after, limit);
  }
  Result<std::vector<std::string>> CheckStructure(bool however_long) override {
    return copy_->CheckStructure(however_long);
  }
  Result<store::Compaction> Compact() override { return copy_->Compact(); }

  // Writes everything of the copy to etcd, which must have nothing of this enclave. kStoreExists.
  Status Publish();

 private:
  struct Position {
    int64_t revision = 0;
    uint64_t cluster = 0;
  };
  Status FlushToCopy() KC_REQUIRES(shared_mutex_) KC_EXCLUDES(copy_mutex_);
  void ReadPosition() KC_REQUIRES(shared_mutex_);
  void WritePosition() KC_REQUIRES(shared_mutex_);
  Error Unreachable(const Error& error) KC_REQUIRES(shared_mutex_);

  const std::unique_ptr<store::Store> copy_;
  const std::shared_ptr<SharedRows> rows_;
  const std::string position_file_;

  // Held across calls of etcd. Never taken while copy_mutex_ is held.
  Mutex shared_mutex_;
  Position position_ KC_GUARDED_BY(shared_mutex_);
  Position written_ KC_GUARDED_BY(shared_mutex_);
  uint64_t fetched_cluster_ KC_GUARDED_BY(shared_mutex_) = 0;
  // While etcd is known not to answer a commit fails at once, and keeps nobody waiting behind it.
  std::chrono::steady_clock::time_point silent_until_ KC_GUARDED_BY(shared_mutex_);

  // Of a commit that etcd has and the copy does not.
  Mutex copy_mutex_;
  std::vector<store::Change> behind_ KC_GUARDED_BY(copy_mutex_);
  Bytes head_behind_ KC_GUARDED_BY(copy_mutex_);
};

}  // namespace keyclave::fleet
