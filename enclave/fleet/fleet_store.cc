#include "enclave/fleet/fleet_store.h"

#include "enclave/base/file.h"
#include "enclave/base/log.h"

namespace keyclave::fleet {
namespace {

constexpr size_t kMaxPositionFile = 64;  // bytes
constexpr size_t kPublished = 1000;      // rows held at once
constexpr std::chrono::seconds kSilence{1};

// Two numbers in decimal, a space between them. Anything else: nothing is known.
bool ParseNumber(std::string_view text, uint64_t& number) {
  if (text.empty() || text.size() > 19) return false;
  number = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return false;
    number = number * 10 + static_cast<uint64_t>(digit - '0');
  }
  return true;
}

}  // namespace

FleetStore::FleetStore(std::unique_ptr<store::Store> copy, std::shared_ptr<SharedRows> rows,
                       std::string position_file)
    : copy_(std::move(copy)), rows_(std::move(rows)), position_file_(std::move(position_file)) {
  const MutexLock lock(shared_mutex_);
  ReadPosition();
}

FleetStore::~FleetStore() {
  const MutexLock lock(shared_mutex_);
  WritePosition();
}

void FleetStore::ReadPosition() {
  const Result<Bytes> file = ReadFile(position_file_, kMaxPositionFile);
  if (!file.ok()) return;
  const std::string_view text = AsText(*file);
  const size_t space = text.find(' ');
  uint64_t revision = 0;
  uint64_t cluster = 0;
  if (space == text.npos || !ParseNumber(text.substr(0, space), revision) ||
      !ParseNumber(text.substr(space + 1), cluster) || revision > INT64_MAX)
    return;
  position_ = {static_cast<int64_t>(revision), cluster};
  written_ = position_;
}

// An older position costs only time: it is written when there was nothing to do for a while, and at
// the end.
void FleetStore::WritePosition() {
  if (position_.revision == written_.revision && position_.cluster == written_.cluster) return;
  const std::string text =
      std::to_string(position_.revision) + " " + std::to_string(position_.cluster);
  if (ReplaceFile(position_file_, AsBytes(text), 0600).ok()) written_ = position_;
}

Result<Bytes> FleetStore::ReadHead() {
  {
    const MutexLock lock(copy_mutex_);
    if (!head_behind_.empty()) return head_behind_;
  }
  return copy_->ReadHead();
}

Status FleetStore::ForEach(const std::function<Status(const store::RowId&, ByteSpan)>& visit) {
  return copy_->ForEach(visit);
}

Result<Bytes> FleetStore::Read(const store::RowId& id) {
  {
    const MutexLock lock(copy_mutex_);
    for (const store::Change& change : behind_) {
      if (change.id == id) return *change.sealed;
    }
  }
  return copy_->Read(id);
}

Status FleetStore::FlushToCopy() {
  const MutexLock lock(copy_mutex_);
  if (head_behind_.empty()) return Done{};
  KC_CHECK_OK(copy_->Commit(behind_, head_behind_));
  behind_.clear();
  head_behind_.clear();
  return Done{};
}

Error FleetStore::Unreachable(const Error& error) {
  const bool unknown = error.code() == Code::kStoreIo;
  if (unknown || error.code() == Code::kStoreUnreachable)
    silent_until_ = std::chrono::steady_clock::now() + kSilence;
  if (!unknown) return error;
  return Fail(Code::kStoreUnreachable,
              error.detail() + "; it is not known whether the change arrived");
}

Status FleetStore::Commit(std::span<const store::Change> changes, ByteSpan head) {
  const MutexLock lock(shared_mutex_);
  if (std::chrono::steady_clock::now() < silent_until_)
    return Fail(Code::kStoreUnreachable, "etcd did not answer a moment ago");
  KC_CHECK_OK(FlushToCopy());
  KC_ASSIGN(const Bytes before, copy_->ReadHead());
  const auto revision = rows_->Commit(before, changes, head);
  if (!revision.ok()) return Unreachable(revision.error());
  position_.revision = *revision;
  {
    const MutexLock copy_lock(copy_mutex_);
    behind_.assign(changes.begin(), changes.end());
    head_behind_ = ToBytes(head);
  }
  const Status copied = FlushToCopy();
  if (!copied.ok())
    Log(LogLevel::kError,
        "the fleet has a change that this machine's copy cannot take in; "
        "changes are refused here until it can: " +
            copied.error().Text());
  return Done{};
}

Result<std::optional<store::News>> FleetStore::Fetch(bool all) {
  const MutexLock lock(shared_mutex_);
  KC_CHECK_OK(FlushToCopy());
  KC_ASSIGN(const Bytes mine, copy_->ReadHead());
  if (!all) {
    const auto now = rows_->Now();
    if (!now.ok()) return Unreachable(now.error());
    silent_until_ = {};
    if (now->head == mine) {
      position_ = {now->revision, now->cluster};
      WritePosition();
      return std::optional<store::News>();
    }
  }
  auto since = rows_->ReadSince(all ? 0 : position_.revision, position_.cluster);
  if (!since.ok()) return Unreachable(since.error());
  fetched_cluster_ = since->cluster;
  return std::optional(std::move(since->news));
}

Status FleetStore::Adopt(const store::News& news) {
  const MutexLock lock(shared_mutex_);
  KC_CHECK_OK(copy_->Commit(news.rows, news.head));
  position_ = {news.revision, fetched_cluster_};
  return Done{};
}

Status FleetStore::Publish() {
  KC_ASSIGN(const Bytes head, copy_->ReadHead());
  std::vector<store::Change> rows;
  KC_CHECK_OK(copy_->ForEach([&](const store::RowId& id, ByteSpan sealed) -> Status {
    rows.push_back({id, ToBytes(sealed)});
    if (rows.size() < kPublished) return Done{};
    const Status prepared = rows_->Prepare(rows);
    rows.clear();
    return prepared;
  }));
  KC_CHECK_OK(rows_->Prepare(rows));
  const auto revision = rows_->Commit({}, {}, head);
  if (!revision.ok() && revision.code() == Code::kStoreMoved)
    return Fail(Code::kStoreExists, "etcd has a store of this enclave already");
  if (!revision.ok()) return revision.error();
  return Done{};
}

}  // namespace keyclave::fleet
