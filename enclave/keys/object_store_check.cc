// Looking for damage in a store that is in use, and naming what it hit.
#include "enclave/keys/object_records.h"
#include "enclave/keys/object_store_impl.h"

namespace keyclave::keys {

std::vector<RecordKey> ObjectStore::Impl::RecordKeys() const {
  std::vector<RecordKey> keys;
  const ReaderLock lock(state_mutex);
  keys.reserve(objects.size() + usage_count);
  keys.push_back(AuditMarkKey(member));
  keys.push_back(FleetRecordKey());
  keys.push_back(RecoveryRecordKey());
  keys.push_back(VersionRecordKey());
  for (const auto& [token, state] : tokens) {
    keys.push_back(TokenRecordKey(token));
    for (const auto& [name, policy] : state.policies) keys.push_back(PolicyRecordKey(token, name));
    for (const auto& [name, body] : state.records) keys.push_back({name.first, token, name.second});
  }
  for (const Slot slot : objects.Slots()) {
    const RestingObject& object = objects.At(slot);
    const wire::TokenId& token = object.kind().token;
    keys.push_back({RecordType::kObject, token, object.id()});
    const auto of_object = usages.find(object.id());
    if (of_object == usages.end()) continue;
    for (const auto& [key, usage] : of_object->second) keys.push_back(UsageRecordKey(token, key));
  }
  return keys;
}

// A row's id is a keyed hash of its record's name: the way back is to try them all. Only where
// there is something to name.
void ObjectStore::Impl::NameSubjects(std::vector<StoreFinding>& findings) const {
  std::multimap<std::string, StoreFinding*> nameless;
  for (StoreFinding& finding : findings) {
    if (!finding.row.empty() && finding.subject.empty()) nameless.emplace(finding.row, &finding);
  }
  if (nameless.empty()) return;
  for (const RecordKey& key : RecordKeys()) {
    const auto [first, last] = nameless.equal_range(ToHex(vault->RowOf(key)));
    for (auto found = first; found != last; ++found) found->second->subject = SubjectOf(key);
  }
}

Result<RowsChecked> ObjectStore::CheckRows(const std::optional<store::RowId>& after) {
  Result<RowsChecked> checked = CheckRowsOf(*impl_->vault, after);
  // Rows that cannot be read because the file is damaged: that is what was looked for.
  if (!checked.ok() && checked.code() == Code::kStoreCorrupt)
    return RowsChecked{.rows = 0,
                       .all = impl_->vault->row_count(),
                       .next = std::nullopt,
                       .findings = {FindingOf(checked.error())}};
  if (checked.ok()) impl_->NameSubjects(checked->findings);
  return checked;
}

std::vector<StoreFinding> ObjectStore::CheckHead() {
  std::vector<StoreFinding> findings;
  for (const Error& error : impl_->vault->CheckHead()) findings.push_back(FindingOf(error));
  return findings;
}

Result<std::vector<StoreFinding>> ObjectStore::CheckStructure(bool however_long) {
  std::vector<StoreFinding> findings;
  const auto lines = impl_->vault->CheckStructure(however_long);
  if (!lines.ok() && lines.code() != Code::kStoreCorrupt) return lines.error();
  if (!lines.ok()) findings.push_back(FindingOf(lines.error()));
  for (const std::string& line : lines.ok() ? *lines : std::vector<std::string>())
    findings.push_back(FindingOf(Fail(Code::kStoreCorrupt, "store.db: " + line)));
  return findings;
}

Result<store::Compaction> ObjectStore::Compact() { return impl_->vault->Compact(); }

}  // namespace keyclave::keys
