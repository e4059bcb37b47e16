#include "enclave/keys/backup.h"

#include <algorithm>

#include "enclave/base/byte_reader.h"
#include "enclave/keys/seal.h"
#include "enclave/wire/codec.h"

namespace keyclave::keys {
namespace {

constexpr size_t kRowsAtOnce = 64;  // commits wait for their reading

}  // namespace

ByteArray<32> BackupMac(const SecretBytes& key, const wire::BackupEnd& end) {
  ByteWriter message;
  message.PutPrefixed(end.digest);
  message.PutPrefixed(end.head);
  return Authenticate(key, message.bytes());
}

Status RowTally::Add(const store::RowId& id, uint64_t version, ByteSpan sealed) {
  KC_ASSIGN(const RowTag first_format, TagOf(sealed, kFirstHeadFormat));
  KC_ASSIGN(const RowTag tag, TagOf(sealed));
  rows_.push_back({id, version, first_format, tag});
  return Done{};
}

Status RowTally::Compare(const Vault::HeadInfo& head) {
  // Those with the same id stay in the order in which they came.
  std::stable_sort(rows_.begin(), rows_.end(),
                   [](const Row& a, const Row& b) { return a.id < b.id; });
  RowIndex index(head.format);
  for (size_t i = 0; i < rows_.size(); ++i) {
    const Row& row = rows_[i];
    if (i + 1 != rows_.size() && rows_[i + 1].id == row.id) continue;
    RowIndex::Entry entry;
    entry.id = row.id;
    entry.version = row.version;
    entry.tag = head.format == kFirstHeadFormat ? row.first_format : row.tag;
    index.Load(entry);
  }
  KC_CHECK_OK(index.FinishLoading());
  if (index.size() == head.rows && Equal(index.digest(), head.digest)) return Done{};
  return Fail(Code::kStoreCorrupt,
              std::to_string(index.size()) + " rows of " + std::to_string(head.rows) +
                  ", and they are not those of epoch " + std::to_string(head.epoch));
}

Backup::Backup(Vault& vault, wire::BackupHeader header)
    : vault_(vault),
      header_(std::move(header)),
      digest_(Hasher::Create(HashAlgorithm::kSha256).value()) {
  vault_.WatchChanges();
}

Backup::~Backup() { vault_.StopWatching(); }

Result<Bytes> Backup::Next(size_t limit) {
  while (pending_.size() - given_ < limit && stage_ != Stage::kDone) KC_CHECK_OK(Fill());
  const size_t size = std::min(limit, pending_.size() - given_);
  const auto start = pending_.begin() + static_cast<ptrdiff_t>(given_);
  Bytes next(start, start + static_cast<ptrdiff_t>(size));
  given_ += size;
  if (given_ == pending_.size()) {
    pending_.clear();
    given_ = 0;
  }
  return next;
}

Status Backup::Fill() {
  switch (stage_) {
    case Stage::kHeader:
      pending_ = ToBytes(AsBytes(wire::kBackupMagic));
      KC_CHECK_OK(digest_.Update(pending_));
      stage_ = Stage::kRows;
      return Put(wire::BackupItem::kHeader, wire::Encode(header_));
    case Stage::kRows: {
      KC_ASSIGN(const Vault::Slice slice, vault_.ReadSlice(after_, kRowsAtOnce));
      if (slice.stored.empty()) {
        stage_ = Stage::kChanges;
        return Done{};
      }
      after_ = slice.stored.back().id;
      return PutRows(slice.stored);
    }
    case Stage::kChanges: {
      KC_ASSIGN(const Vault::Changes changes, vault_.TakeChanges(kRowsAtOnce));
      KC_CHECK_OK(PutRows(changes.rows));
      return changes.head.empty() ? Status() : PutEnd(changes.head);
    }
    case Stage::kDone: break;
  }
  return Done{};
}

Status Backup::PutRows(const std::vector<store::Row>& rows) {
  for (const store::Row& row : rows) {
    const Result<Vault::FoundRow> found = vault_.OpenRow(row);
    if (!found.ok())
      return Fail(Code::kStoreCorrupt,
                  "row " + ToHex(row.id) + " does not open: keyclave store check says more");
    KC_CHECK_OK(tally_.Add(row.id, found->version, row.sealed));
    ByteWriter item;
    item.Put(row.id);
    item.Put(row.sealed);
    KC_CHECK_OK(Put(wire::BackupItem::kRow, item.bytes()));
    ++rows_;
  }
  return Done{};
}

Status Backup::PutEnd(const Bytes& head) {
  stage_ = Stage::kDone;
  KC_ASSIGN(const Vault::HeadInfo info, vault_.OpenHeadOf(head));
  KC_CHECK_OK(tally_.Compare(info));
  wire::BackupEnd end{.head = head, .rows = rows_};
  KC_ASSIGN(const Bytes digest, digest_.Finish());
  std::copy(digest.begin(), digest.end(), end.digest.begin());
  end.mac = BackupMac(vault_.DeriveKey(kBackupKeyLabel, 32), end);
  return Put(wire::BackupItem::kEnd, wire::Encode(end));
}

Status Backup::Put(wire::BackupItem type, ByteSpan bytes) {
  KC_ASSIGN(const Bytes item, wire::EncodeBackupItem(type, bytes));
  if (type != wire::BackupItem::kEnd) KC_CHECK_OK(digest_.Update(item));
  pending_.insert(pending_.end(), item.begin(), item.end());
  return Done{};
}

BackupCheck::BackupCheck(Vault& vault)
    : vault_(vault),
      reader_(
          {.header = [this](const wire::BackupHeader& header) -> Status {
             const std::string own = ToHex(vault_.enclave_id());
             if (header.enclave_id == own) return Done{};
             return Fail(Code::kStoreForeign,
                         "the backup is of enclave " + header.enclave_id + ", and this is " + own);
           },
           .row = [this](const store::RowId& id, ByteSpan sealed) { return TakeRow(id, sealed); },
           .end = [this](const wire::BackupEnd& end) { return TakeEnd(end); }}) {}

Status BackupCheck::TakeRow(const store::RowId& id, ByteSpan sealed) {
  const Result<Vault::FoundRow> found = vault_.OpenRow({id, ToBytes(sealed)});
  if (!found.ok())
    return Fail(Code::kBackupDamaged, "row " + ToHex(id) + " was edited or swapped with another");
  KC_CHECK_OK(tally_.Add(id, found->version, sealed));
  ++rows_;
  return Done{};
}

Status BackupCheck::TakeEnd(const wire::BackupEnd& end) {
  if (!Equal(BackupMac(vault_.DeriveKey(kBackupKeyLabel, 32), end), end.mac))
    return Fail(Code::kBackupDamaged, "it was changed, and its end made to fit");
  KC_ASSIGN(const Vault::HeadInfo head, vault_.OpenHeadOf(end.head));
  epoch_ = head.epoch;
  const Status whole = tally_.Compare(head);
  return whole.ok() ? whole : Status(Fail(Code::kBackupDamaged, whole.error().detail()));
}

Result<uint64_t> BackupCheck::Finish() const {
  KC_CHECK_OK(reader_.Finish());
  return epoch_;
}

}  // namespace keyclave::keys
