// Everything that lies under `state:`, looked at with no daemon on it.
#include <sys/stat.h>

#include "enclave/base/hash.h"
#include "enclave/keys/object_store.h"
#include "enclave/keys/root_file.h"
#include "enclave/keys/row_index.h"
#include "enclave/keys/state_files.h"

namespace keyclave::keys {
namespace {

constexpr size_t kMostFindings = 1000;

// The write-ahead log holds what is not in the file yet: it is not to be emptied by looking.
bool HasLog(const std::string& store_path) {
  struct stat info {};
  return stat((store_path + "-wal").c_str(), &info) == 0 && info.st_size != 0;
}

bool IsThere(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0;
}

// Says what the real one said, and forgets what it is told.
class SeenWitness final : public Witness {
 public:
  SeenWitness(const Mark& mark, bool remembers, std::string name)
      : mark_(mark), remembers_(remembers), name_(std::move(name)) {}
  Result<Mark> Read() override { return mark_; }
  Status Advance(const Mark& /*mark*/) override { return Done{}; }
  bool Remembers() const override { return remembers_; }
  std::string Name() const override { return name_; }

 private:
  const Mark mark_;
  const bool remembers_;
  const std::string name_;
};

class StateCheck {
 public:
  // `is_copy`: of what a fleet shares.
  StateCheck(std::unique_ptr<store::Store> store, std::unique_ptr<Witness> witness,
             const RootKeyring& keyring, bool is_copy, const Progress& progress)
      : is_copy_(is_copy),
        store_(std::move(store)),
        witness_(std::move(witness)),
        keyring_(keyring),
        keys_(keyring),
        sealer_(keys_),
        progress_(progress) {}

  std::vector<StoreFinding> Run() {
    CheckStructure();
    CheckHead();
    CheckRows();
    CheckWitness();
    // As a start does it: what is genuine by itself and belongs together can still be incomplete.
    if (findings_.empty()) Load();
    return std::move(findings_);
  }

 private:
  void Add(const Error& error) { findings_.push_back(FindingOf(error)); }

  void CheckStructure() {
    const auto lines = store_->CheckStructure(true);
    if (!lines.ok()) return Add(lines.error());
    for (const std::string& line : *lines) Add(Fail(Code::kStoreCorrupt, "store.db: " + line));
  }

  void CheckHead() {
    const Result<Bytes> sealed = store_->ReadHead();
    if (!sealed.ok()) return Add(sealed.error());
    if (sealed->empty()) return Add(Fail(Code::kStoreCorrupt, "the head is missing"));
    const Result<Head> head = OpenHead(keys_, *sealed);
    if (!head.ok()) return Add(head.error());
    head_ = *head;
    head_digest_ = Sha256(*sealed);
  }

  void CheckRows() {
    RowIndex index(head_.has_value() ? head_->format : kHeadFormat);
    uint64_t rows = 0;
    uint64_t damaged = 0;
    const Status read = store_->ForEach([&](const store::RowId& row, ByteSpan sealed) -> Status {
      if (progress_ && ++rows % 256 == 0) progress_(rows, head_.has_value() ? head_->rows : rows);
      const Result<OpenedRow> opened = sealer_.Open(row, sealed);
      if (opened.ok()) {
        KC_ASSIGN(const RowTag tag, TagOf(sealed, index.head_format()));
        index.Load(EntryOf(row, opened->header, tag));
      } else if (++damaged <= kMostFindings) {
        StoreFinding finding = FindingOf(opened.error());
        finding.row = ToHex(row);
        if (opened.code() != Code::kStoreNewer)
          finding.what = "the row was edited, or swapped with another";
        findings_.push_back(std::move(finding));
      }
      return Done{};
    });
    if (!read.ok()) return Add(read.error());
    if (const Status whole = index.FinishLoading(); !whole.ok()) return Add(whole.error());
    if (head_.has_value()) CompareRows(index, damaged);
  }

  void CompareRows(const RowIndex& index, uint64_t damaged) {
    const uint64_t found = index.size() + damaged;
    if (found != head_->rows) {
      Add(Fail(Code::kStoreCorrupt, std::to_string(found) + " rows instead of " +
                                        std::to_string(head_->rows) +
                                        (found < head_->rows ? ": removed" : ": added")));
    } else if (damaged == 0 && index.digest() != head_->digest) {
      Add(Fail(Code::kStoreCorrupt, "the rows are not those of epoch " +
                                        std::to_string(head_->epoch) +
                                        ": at least one was put back or exchanged"));
    }
  }

  void CheckWitness() {
    if (!witness_->Remembers()) return;
    const Result<Witness::Mark> mark = witness_->Look();
    if (!mark.ok()) return Add(mark.error());
    seen_ = *mark;
    if (!head_.has_value()) return;
    const std::string both = "store epoch " + std::to_string(head_->epoch) + ", witness epoch " +
                             std::to_string(mark->epoch) + " (" + witness_->Name() + ")";
    // One ahead is what a crash leaves.
    if (head_->epoch < mark->epoch) {
      Add(Fail(Code::kStoreRolledBack, both));
    } else if (head_->epoch == mark->epoch && !Equal(head_digest_, mark->head_digest)) {
      Add(Fail(Code::kStoreRolledBack, both + ", but another state of that epoch"));
    } else if (head_->epoch - mark->epoch > 1 && !is_copy_) {
      Add(Fail(Code::kWitnessInvalid, both + ": older than a crash can make it"));
    }
  }

  void Load() {
    auto seen = std::make_unique<SeenWitness>(seen_, witness_->Remembers(), witness_->Name());
    OpenOptions options;
    options.is_copy = is_copy_;
    const auto loaded =
        ObjectStore::OpenWith(std::move(store_), std::move(seen), keyring_, false, options);
    if (!loaded.ok()) Add(loaded.error());
  }

  const bool is_copy_;
  std::unique_ptr<store::Store> store_;
  const std::unique_ptr<Witness> witness_;
  const RootKeyring& keyring_;
  const KeyGenerations keys_;
  RowSealer sealer_;
  const Progress& progress_;
  std::optional<Head> head_;
  ByteArray<32> head_digest_{};
  Witness::Mark seen_;
  std::vector<StoreFinding> findings_;
};

}  // namespace

Result<std::vector<StoreFinding>> CheckState(const std::string& directory, const RootSealer& sealer,
                                             const WitnessChoice& witness,
                                             const Progress& progress) {
  KC_ASSIGN(const RootKeyring keyring, ReadRootSecret(StateFiles::Root(directory), sealer));
  const std::string path = StateFiles::Store(directory);
  auto store = store::OpenSqliteStore(path, false, {.vfs = nullptr, .leave_log = HasLog(path)});
  if (!store.ok() && (store.code() == Code::kStoreCorrupt || store.code() == Code::kStoreNewer))
    return std::vector<StoreFinding>{FindingOf(store.error())};
  if (!store.ok()) return store.error();
  StateCheck check(std::move(store).value(),
                   MakeWitness(witness, directory, keyring, sealer.Counter()), keyring,
                   IsThere(StateFiles::Position(directory)), progress);
  return check.Run();
}

}  // namespace keyclave::keys
