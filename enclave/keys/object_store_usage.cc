// What is counted beside the objects: what has been used up of their limits, and how far the audit
// log has come.
#include "enclave/keys/object_records.h"
#include "enclave/keys/object_store_impl.h"

namespace keyclave::keys {

std::optional<Usage> ObjectStore::FindUsage(const Usage::Key& key) const {
  const ReaderLock lock(impl_->state_mutex);
  const auto object = impl_->usages.find(key.object);
  if (object == impl_->usages.end()) return std::nullopt;
  const auto found = object->second.find(key);
  return found == object->second.end() ? std::nullopt : std::optional(found->second);
}

Status ObjectStore::EditUsages(const std::vector<UsageEdit>& edits) {
  return impl_->Write([&]() KC_REQUIRES(impl_->write_mutex) -> Status {
    std::vector<RecordChange> changes;
    std::vector<Usage> changed;
    for (const UsageEdit& one : edits) {
      const Usage before = FindUsage(one.key).value_or(Usage{.key = one.key});
      Usage after = before;
      KC_CHECK_OK(one.edit(after));
      const ObjectPtr object = impl_->FindObject(one.key.object);
      if (object == nullptr || after == before) continue;
      // A session object is in no vault, and neither is what is counted of it.
      if (object->session == 0) changes.push_back(UsageChange(object->token, after));
      changed.push_back(std::move(after));
    }
    if (!changes.empty()) KC_CHECK_OK(impl_->vault->Commit(std::move(changes)));
    const WriterLock lock(impl_->state_mutex);
    for (const Usage& usage : changed) impl_->SetUsage(usage);
    return Done{};
  });
}

ObjectStore::UsageCount ObjectStore::CountUsages(const wire::ObjectId& object) const {
  const ReaderLock lock(impl_->state_mutex);
  const auto found = impl_->usages.find(object);
  return {found == impl_->usages.end() ? 0 : found->second.size(), impl_->usage_count};
}

std::optional<AuditMark> ObjectStore::audit_mark() const {
  const ReaderLock lock(impl_->state_mutex);
  return impl_->audit_mark;
}

Status ObjectStore::SetAuditMark(const AuditMark& mark) {
  return impl_->Write([&]() KC_REQUIRES(impl_->write_mutex) -> Status {
    KC_CHECK_OK(impl_->vault->Commit({AuditMarkChange(mark, impl_->member)}));
    const WriterLock lock(impl_->state_mutex);
    impl_->audit_mark = mark;
    return Done{};
  });
}

Status ObjectStore::ForgetAuditMark(const std::string& of_member) {
  return impl_->Write([&]() KC_REQUIRES(impl_->write_mutex) -> Status {
    const Status removed = impl_->vault->Commit({Removal(AuditMarkKey(of_member))});
    return !removed.ok() && removed.code() == Code::kNotFound ? Status() : removed;
  });
}

void ObjectStore::Impl::SetUsage(const Usage& usage) {
  const bool added = usages[usage.key.object].insert_or_assign(usage.key, usage).second;
  usage_count += added ? 1 : 0;
}

void ObjectStore::Impl::DropUsages(const wire::ObjectId& object) {
  const auto found = usages.find(object);
  if (found == usages.end()) return;
  usage_count -= found->second.size();
  usages.erase(found);
}

void ObjectStore::Impl::AddUsageRemovals(const Object& object,
                                         std::vector<RecordChange>& changes) const {
  const ReaderLock lock(state_mutex);
  const auto found = usages.find(object.id);
  if (found == usages.end()) return;
  for (const auto& [key, usage] : found->second)
    changes.push_back(Removal(UsageRecordKey(object.token, key)));
}

}  // namespace keyclave::keys
