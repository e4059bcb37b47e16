// A store in memory: for tests and for enclaves that are thrown away.
#include <map>

#include "enclave/base/mutex.h"
#include "enclave/store/store.h"

namespace keyclave::store {
namespace {

class MemoryStore final : public Store {
 public:
  Result<Bytes> ReadHead() override KC_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return head_;
  }

  Status ForEach(const std::function<Status(const RowId&, ByteSpan)>& visit) override
      KC_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    for (const auto& [id, sealed] : rows_) KC_CHECK_OK(visit(id, sealed));
    return Done{};
  }

  Result<Bytes> Read(const RowId& id) override KC_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    const auto found = rows_.find(id);
    if (found == rows_.end()) return Fail(Code::kNotFound, "row");
    return found->second;
  }

  Status Commit(std::span<const Change> changes, ByteSpan head) override KC_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    for (const Change& change : changes) {
      if (change.sealed.has_value()) {
        rows_[change.id] = *change.sealed;
      } else {
        rows_.erase(change.id);
      }
    }
    head_ = ToBytes(head);
    return Done{};
  }

 private:
  Mutex mutex_;
  Bytes head_ KC_GUARDED_BY(mutex_);
  std::map<RowId, Bytes> rows_ KC_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<Store> MakeMemoryStore() { return std::make_unique<MemoryStore>(); }

}  // namespace keyclave::store
