#include "enclave/keys/row_loader.h"

#include <condition_variable>
#include <deque>
#include <new>
#include <thread>

namespace keyclave::keys {
namespace {

constexpr size_t kBatch = 256;         // rows that a thread takes at once
constexpr size_t kMostThreads = 16;    // one reader feeds no more
constexpr size_t kBatchesWaiting = 4;  // for each thread

struct SealedRow {
  store::RowId id{};
  Bytes sealed;
};
using Batch = std::vector<SealedRow>;

unsigned ThreadsFor(uint64_t rows) {
  const uint64_t useful = std::min<uint64_t>(rows / (2 * kBatch), kMostThreads);
  return static_cast<unsigned>(
      std::min<uint64_t>(useful, std::max(1U, std::thread::hardware_concurrency())));
}

// Without threads the caller's own does the work.
class Loader {
 public:
  Loader(const KeyGenerations& keys, RowIndex& index, const Vault::Visit& visit, unsigned threads)
      : keys_(keys), index_(index), visit_(visit), own_sealer_(keys) {
    for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
  }
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;
  ~Loader() { End(); }

  // The first failure of any row so far.
  Status Add(const store::RowId& id, ByteSpan sealed) {
    batch_.push_back({id, ToBytes(sealed)});
    return batch_.size() < kBatch ? Status() : Submit();
  }
  Status Finish() {
    KC_CHECK_OK(Submit());
    End();
    const MutexLock lock(mutex_);
    return failure_;
  }

 private:
  Status Submit() {
    Batch batch = std::exchange(batch_, {});
    if (threads_.empty()) return Process(own_sealer_, batch);
    const MutexLock lock(mutex_);
    while (failure_.ok() && waiting_.size() >= kBatchesWaiting * threads_.size())
      changed_.wait(mutex_);
    waiting_.push_back(std::move(batch));
    changed_.notify_all();
    return failure_;
  }

  void End() {
    {
      const MutexLock lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  // Until there is nothing more, or a row has failed.
  void Run() {
    RowSealer sealer(keys_);
    for (;;) {
      Batch batch;
      {
        const MutexLock lock(mutex_);
        while (waiting_.empty() && !ended_ && failure_.ok()) changed_.wait(mutex_);
        if (waiting_.empty() || !failure_.ok()) return;
        batch = std::move(waiting_.front());
        waiting_.pop_front();
      }
      changed_.notify_all();
      const Status done = TryProcess(sealer, batch);
      if (done.ok()) continue;
      const MutexLock lock(mutex_);
      if (failure_.ok()) failure_ = done;
      changed_.notify_all();
      return;
    }
  }

  Status TryProcess(RowSealer& sealer, const Batch& batch) {
    try {
      return Process(sealer, batch);
    } catch (const std::bad_alloc&) {
      return Fail(Code::kOutOfMemory, "loading the store");
    }
  }

  Status Process(RowSealer& sealer, const Batch& batch) KC_EXCLUDES(mutex_) {
    std::vector<RowIndex::Entry> entries;
    for (const SealedRow& row : batch) {
      Result<OpenedRow> opened = sealer.Open(row.id, row.sealed);
      if (!opened.ok() && opened.code() == Code::kStoreNewer) return std::move(opened).error();
      if (!opened.ok())
        return Fail(Code::kStoreCorrupt,
                    "row " + ToHex(row.id) + " was edited or swapped with another");
      const RowHeader& header = opened->header;
      KC_ASSIGN(const RowTag tag, TagOf(row.sealed, index_.head_format()));
      entries.push_back(EntryOf(row.id, header, tag));
      if (header.tombstone) continue;
      KC_CHECK_OK(
          visit_({header.key, header.version, header.policy_digest, std::move(opened->body)}));
    }
    const MutexLock lock(mutex_);
    for (const RowIndex::Entry& entry : entries) index_.Load(entry);
    return Done{};
  }

  const KeyGenerations& keys_;
  RowIndex& index_;
  const Vault::Visit& visit_;
  RowSealer own_sealer_;
  Batch batch_;
  Mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Batch> waiting_ KC_GUARDED_BY(mutex_);
  Status failure_ KC_GUARDED_BY(mutex_);
  bool ended_ KC_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace

Status LoadRows(store::Store& store, const KeyGenerations& keys, uint64_t expected, RowIndex& index,
                const Vault::Visit& visit, const Progress& progress) {
  index.Reserve(expected);
  Loader loader(keys, index, visit, ThreadsFor(expected));
  uint64_t read = 0;
  KC_CHECK_OK(store.ForEach([&](const store::RowId& row, ByteSpan sealed) -> Status {
    if (progress && ++read % kBatch == 0) progress(read, expected);
    return loader.Add(row, sealed);
  }));
  KC_CHECK_OK(loader.Finish());
  return index.FinishLoading();
}

}  // namespace keyclave::keys
