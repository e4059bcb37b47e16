#include "enclave/fleet/shared_rows.h"

#include "enclave/base/hash.h"

namespace keyclave::fleet {
namespace {

// Below etcd's own defaults, which are 128 and 1.5 MiB of the binary form.
constexpr size_t kMaxPuts = 100;
constexpr size_t kMaxBytes = size_t{1} << 20;
constexpr int64_t kPage = 500;    // keys of one range
constexpr int kMaxAttempts = 16;  // each but the first follows what another member did

Bytes Join(ByteSpan first, ByteSpan second) {
  Bytes joined = ToBytes(first);
  joined.insert(joined.end(), second.begin(), second.end());
  return joined;
}

Bytes Base(const std::string& prefix, ByteSpan enclave_id) {
  return ToBytes(AsBytes(prefix + "/" + ToHex(enclave_id) + "/"));
}

bool IsSmall(std::span<const store::Change> changes) {
  size_t bytes = 0;
  for (const store::Change& change : changes) bytes += change.sealed->size() + sizeof(change.id);
  return changes.size() <= kMaxPuts && bytes <= kMaxBytes;
}

// As many of the changes, from the first, as one transaction takes: at least one.
std::span<const store::Change> TakePage(std::span<const store::Change>& rest) {
  size_t count = 0;
  for (size_t bytes = 0; count < rest.size() && count < kMaxPuts; ++count) {
    bytes += rest[count].sealed->size();
    if (count != 0 && bytes > kMaxBytes) break;
  }
  const auto page = rest.first(count);
  rest = rest.subspan(count);
  return page;
}

}  // namespace

SharedRows::SharedRows(std::shared_ptr<Etcd> etcd, const std::string& prefix, ByteSpan enclave_id)
    : etcd_(std::move(etcd)),
      base_(Base(prefix, enclave_id)),
      head_key_(Join(base_, AsBytes("0/head"))),
      pending_key_(Join(base_, AsBytes("0/pending"))),
      row_prefix_(Join(base_, AsBytes("row/"))),
      staged_prefix_(Join(base_, AsBytes("staged/"))) {}

Bytes SharedRows::RowKey(const store::RowId& id) const { return Join(row_prefix_, id); }

Bytes SharedRows::StagedKey(ByteSpan commit) const {
  return Join(Join(staged_prefix_, commit), AsBytes("/"));
}

Result<SharedRows::State> SharedRows::Now() {
  const Bytes prefix = Join(base_, AsBytes("0/"));
  KC_ASSIGN(Range range, etcd_->Read({.key = prefix, .end = PrefixEnd(prefix)}));
  State now{.head = {}, .pending = {}, .revision = range.revision, .cluster = range.cluster};
  for (KeyValue& one : range.found) {
    if (one.key == head_key_) now.head = std::move(one.value);
    if (one.key == pending_key_) now.pending = std::move(one.value);
  }
  return now;
}

Status SharedRows::ForEach(const Bytes& prefix, int64_t at, int64_t modified_from,
                           const Visit& visit) {
  RangeQuery query{.key = prefix,
                   .end = PrefixEnd(prefix),
                   .at = at,
                   .modified_from = modified_from,
                   .limit = kPage};
  for (;;) {
    KC_ASSIGN(const Range range, etcd_->Read(query));
    for (const KeyValue& one : range.found) KC_CHECK_OK(visit(one));
    if (!range.more || range.found.empty()) return Done{};
    query.key = range.found.back().key;
    query.key.push_back(0);  // the next key that there can be
  }
}

Status SharedRows::AddRows(const Bytes& prefix, int64_t at, int64_t from,
                           std::vector<store::Change>& rows) {
  return ForEach(prefix, at, from, [&](const KeyValue& one) -> Status {
    store::Change& row = rows.emplace_back();
    if (one.key.size() != prefix.size() + row.id.size())
      return Fail(Code::kStoreCorrupt,
                  "etcd: a key below " + std::string(AsText(prefix)) + " that is no row's");
    std::copy(one.key.begin() + static_cast<ptrdiff_t>(prefix.size()), one.key.end(),
              row.id.begin());
    row.sealed = one.value;
    return Done{};
  });
}

// Staged rows come last: they count more than what is in their place still.
Result<SharedRows::Since> SharedRows::ReadSince(int64_t revision, uint64_t cluster) {
  KC_ASSIGN(State now, Now());
  if (now.head.empty())
    return Fail(Code::kStoreMissing, "etcd: no head below " + std::string(AsText(base_)));
  Since since;
  since.cluster = now.cluster;
  since.news.head = std::move(now.head);
  since.news.revision = now.revision;
  // Numbers of another cluster, or of one that was put back, say nothing.
  since.all = revision == 0 || now.cluster != cluster || now.revision < revision;
  KC_CHECK_OK(AddRows(row_prefix_, now.revision, since.all ? 0 : revision + 1, since.news.rows));
  if (!now.pending.empty())
    KC_CHECK_OK(AddRows(StagedKey(now.pending), now.revision, 0, since.news.rows));
  return since;
}

Status SharedRows::Stage(ByteSpan commit, std::span<const store::Change> changes) {
  const Bytes prefix = StagedKey(commit);
  while (!changes.empty()) {
    Transaction transaction;
    for (const store::Change& change : TakePage(changes))
      transaction.put.push_back({Join(prefix, change.id), *change.sealed});
    KC_ASSIGN(const Outcome outcome, etcd_->Commit(transaction));
    if (!outcome.succeeded) return Fail(Code::kInternal, "etcd: no condition, and not fulfilled");
  }
  return Done{};
}

// Several members may do it at once: while the commit is pending nobody changes a row otherwise.
Status SharedRows::Complete(ByteSpan commit) {
  const Compare still{pending_key_, ToBytes(commit)};
  std::vector<store::Change> staged;
  KC_CHECK_OK(AddRows(StagedKey(commit), 0, 0, staged));
  for (std::span<const store::Change> rest(staged); !rest.empty();) {
    Transaction move{.compare = {still}};
    for (const store::Change& change : TakePage(rest))
      move.put.push_back({RowKey(change.id), *change.sealed});
    KC_ASSIGN(const Outcome moved, etcd_->Commit(move));
    if (!moved.succeeded) return Done{};  // somebody was quicker
  }
  // What others have staged was made for a head that is no more: it goes too.
  const Transaction end{.compare = {still},
                        .put = {},
                        .remove = {{pending_key_}, {staged_prefix_, PrefixEnd(staged_prefix_)}}};
  KC_ASSIGN(const Outcome ended, etcd_->Commit(end));
  static_cast<void>(ended);
  return Done{};
}

// Nobody else ever writes this head: if it is there, the transaction happened, whoever carried it.
Result<int64_t> SharedRows::TryCommit(ByteSpan before, const Transaction& transaction,
                                      ByteSpan head) {
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    const Result<Outcome> outcome = etcd_->Commit(transaction);
    if (outcome.ok() && outcome->succeeded) return outcome->revision;
    if (!outcome.ok() && outcome.code() != Code::kStoreIo) return outcome.error();
    const Result<State> now = Now();
    if (!now.ok()) return outcome.ok() ? now.error() : outcome.error();
    if (Equal(now->head, head)) return now->revision;
    if (!Equal(now->head, before)) return Fail(Code::kStoreMoved);
    if (!outcome.ok()) return outcome.error();
    if (!now->pending.empty()) KC_CHECK_OK(Complete(now->pending));
  }
  return Fail(Code::kStoreMoved, "etcd: the head does not come to rest");
}

Result<int64_t> SharedRows::Commit(ByteSpan before, std::span<const store::Change> changes,
                                   ByteSpan head) {
  Transaction transaction;
  transaction.compare = {
      {head_key_, before.empty() ? std::nullopt : std::optional(ToBytes(before))},
      {pending_key_, std::nullopt}};
  transaction.put.push_back({head_key_, ToBytes(head)});
  if (IsSmall(changes)) {
    for (const store::Change& change : changes)
      transaction.put.push_back({RowKey(change.id), *change.sealed});
    return TryCommit(before, transaction, head);
  }
  const Bytes commit = ToBytes(AsBytes(ToHex(RandomArray<16>())));
  KC_CHECK_OK(Stage(commit, changes));
  transaction.put.push_back({pending_key_, commit});
  KC_ASSIGN(const int64_t revision, TryCommit(before, transaction, head));
  // It counts; if moving it fails here, whoever commits next does it.
  static_cast<void>(Complete(commit).ok());
  return revision;
}

Status SharedRows::Prepare(std::span<const store::Change> rows) {
  while (!rows.empty()) {
    Transaction transaction{.compare = {{head_key_, std::nullopt}}};
    for (const store::Change& row : TakePage(rows))
      transaction.put.push_back({RowKey(row.id), *row.sealed});
    KC_ASSIGN(const Outcome outcome, etcd_->Commit(transaction));
    if (!outcome.succeeded)
      return Fail(Code::kStoreExists, "etcd: " + std::string(AsText(head_key_)));
  }
  return Done{};
}

Result<bool> SharedRows::Wait(int64_t revision, std::chrono::milliseconds timeout) {
  return etcd_->Watch(head_key_, revision, timeout);
}

}  // namespace keyclave::fleet
