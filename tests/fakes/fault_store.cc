#include "tests/fakes/fault_store.h"

#include <algorithm>

namespace keyclave::fakes {
namespace {

class FaultStore final : public store::Store {
 public:
  FaultStore(std::unique_ptr<store::Store> inner, std::shared_ptr<FaultControl> control)
      : inner_(std::move(inner)), control_(std::move(control)) {}

  Result<Bytes> ReadHead() override {
    if (control_->fail_head) return Fail(control_->code, "fault");
    return inner_->ReadHead();
  }

  Status ForEach(const std::function<Status(const store::RowId&, ByteSpan)>& visit) override {
    return inner_->ForEach(visit);
  }

  Result<Bytes> Read(const store::RowId& id) override {
    ++control_->reads;
    if (control_->fail_read) return Fail(control_->code, "fault");
    {
      const MutexLock lock(control_->mutex);
      const auto instead = control_->instead.find(id);
      if (instead != control_->instead.end()) {
        if (!instead->second.has_value()) return Fail(Code::kNotFound, "fault");
        return *instead->second;
      }
    }
    return inner_->Read(id);
  }

  Result<std::vector<store::Row>> ReadAfter(const std::optional<store::RowId>& after,
                                            size_t limit) override {
    KC_ASSIGN(std::vector<store::Row> rows, inner_->ReadAfter(after, limit));
    const MutexLock lock(control_->mutex);
    for (const auto& [id, sealed] : control_->instead) {
      std::erase_if(rows, [&](const store::Row& row) { return row.id == id; });
      if (sealed.has_value() && (!after.has_value() || *after < id)) rows.push_back({id, *sealed});
    }
    std::sort(rows.begin(), rows.end(),
              [](const store::Row& a, const store::Row& b) { return a.id < b.id; });
    return rows;
  }

  Status Commit(std::span<const store::Change> changes, ByteSpan head) override {
    ++control_->commits;
    switch (control_->next_commit.exchange(FaultControl::CommitFault::kNone)) {
      case FaultControl::CommitFault::kNone: return inner_->Commit(changes, head);
      case FaultControl::CommitFault::kBefore: break;
      case FaultControl::CommitFault::kAfter: {
        KC_CHECK_OK(inner_->Commit(changes, head));
        break;
      }
      case FaultControl::CommitFault::kTorn: {
        KC_ASSIGN(const Bytes old_head, inner_->ReadHead());
        KC_CHECK_OK(inner_->Commit(changes.first((changes.size() + 1) / 2), old_head));
        break;
      }
    }
    return Fail(control_->code, "fault");
  }

 private:
  const std::unique_ptr<store::Store> inner_;
  const std::shared_ptr<FaultControl> control_;
};

}  // namespace

std::unique_ptr<store::Store> MakeFaultStore(std::unique_ptr<store::Store> inner,
                                             std::shared_ptr<FaultControl> control) {
  return std::make_unique<FaultStore>(std::move(inner), std::move(control));
}

}  // namespace keyclave::fakes
