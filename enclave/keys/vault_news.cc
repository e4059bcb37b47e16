// What other members have committed to a store that is shared. It is believed as little as the rows
// at the start: each row has to be genuine, and all rows together what the new head says; and the
// head has to be newer than the newest that this vault has seen.
#include "enclave/base/log.h"
#include "enclave/keys/vault_impl.h"

namespace keyclave::keys {

struct Vault::Impl::Found {
  Head head;
  RowIndex::Delta delta;
  store::News rows;  // what the copy takes in: nothing that was not looked at
  News news;
};

Result<Head> Vault::Impl::OpenNewHead(const store::News& news) {
  KC_CHECK_OK(LearnGenerations(news.head, [&](const store::RowId& id) -> Result<Bytes> {
    for (auto row = news.rows.rbegin(); row != news.rows.rend(); ++row) {
      if (row->id == id) return *row->sealed;
    }
    return store->Read(id);
  }));
  KC_ASSIGN(const Head next, OpenHead(keys, news.head));
  const std::string both = "the fleet's store is at epoch " + std::to_string(next.epoch) +
                           ", and this member has seen epoch " + std::to_string(head.epoch);
  if (RestoresOf(next.epoch) > RestoresOf(head.epoch))
    return Fail(Code::kStoreRestored,
                both + ". Move this machine's state away, and let it join again");
  constexpr std::string_view kMend =
      ". It was put back: bring the newest one back, or restore it from this member";
  if (next.epoch < head.epoch) return Fail(Code::kStoreRolledBack, both + std::string(kMend));
  if (next.epoch == head.epoch)
    return Fail(Code::kStoreRolledBack,
                both + " in another state: two histories part before it" + std::string(kMend));
  // Somebody who left the fleet has the secrets of before, and could seal a head under them.
  if (next.generation < keyring.newest() || next.format < head.format)
    return Fail(Code::kStoreRolledBack, both + ", which is of generation " +
                                            std::to_string(next.generation) +
                                            " of the root secret: nobody seals under it since "
                                            "generation " +
                                            std::to_string(keyring.newest()));
  return next;
}

Result<Vault::Impl::Found> Vault::Impl::VerifyNews(const store::News& news) {
  Found found;
  KC_ASSIGN(found.head, OpenNewHead(news));
  KC_CHECK_OK(UseFormat(found.head.format));
  // A row may come twice: from where it was staged, and from its place. The later one counts.
  std::map<store::RowId, const Bytes*> rows;
  for (const store::Change& row : news.rows) rows[row.id] = &*row.sealed;
  std::vector<RowIndex::Entry> entries;
  for (const auto& [id, sealed] : rows) {
    const RowIndex::Entry* known = index.Find(id);
    const Result<RowTag> tag = TagOf(*sealed, found.head.format);
    if (known != nullptr && tag.ok() && known->tag == *tag) continue;
    Result<OpenedRow> opened = sealer.Open(id, *sealed);
    if (!opened.ok() && opened.code() == Code::kStoreNewer) return opened.error();
    if (!opened.ok() || !tag.ok())
      return Fail(Code::kStoreCorrupt, "row " + ToHex(id) + " was edited or swapped with another");
    found.rows.rows.push_back({id, *sealed});
    const RowHeader& header = opened->header;
    entries.push_back(EntryOf(id, header, *tag));
    // Sealed anew under another generation: the record is what it was.
    if (known != nullptr && known->version == header.version) continue;
    if (header.tombstone) {
      found.news.removed.push_back(header.key);
    } else {
      found.news.changed.push_back(
          {header.key, header.version, header.policy_digest, std::move(opened->body)});
    }
  }
  found.rows.head = news.head;
  found.rows.revision = news.revision;
  found.delta = index.Prepare(std::move(entries));
  if (found.delta.size != found.head.rows || found.delta.root != found.head.digest)
    return Fail(Code::kStoreCorrupt, "the rows are not those of epoch " +
                                         std::to_string(found.head.epoch) +
                                         ": at least one is missing, or was put back to an older "
                                         "version or exchanged for one of another time");
  return found;
}

// What has changed lately is asked for first; if that does not fit (another cluster, a position
// that is not this copy's), everything.
Result<bool> Vault::Impl::Refresh(const TakeNews& take) {
  const MutexLock lock(commit_mutex);
  KC_ASSIGN(std::optional<store::News> news, store->Fetch(/*all=*/false));
  if (!news.has_value() || news->head == head_bytes) return false;
  Result<Found> found = VerifyNews(*news);
  if (!found.ok() && found.code() == Code::kStoreCorrupt) {
    Log(LogLevel::kInfo, "reading all of the fleet's store: " + found.error().Text());
    KC_ASSIGN(news, store->Fetch(/*all=*/true));
    if (!news.has_value()) return false;
    found = VerifyNews(*news);
  }
  KC_CHECK_OK(found.ok() ? Status() : Status(found.error()));
  KC_ASSIGN(const std::function<void()> apply, take(std::move(found->news)));
  KC_CHECK_OK(store->Adopt(found->rows));
  outcome_unknown = false;
  Advance(found->delta, found->head, std::move(news->head));
  apply();
  return true;
}

}  // namespace keyclave::keys
