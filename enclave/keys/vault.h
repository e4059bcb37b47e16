// The vault: sealed records over an untrusted Store.
//
// Root secret -> HKDF -> a key per token -> a key per version of a record, which seals it once
// (AES-256-GCM, random nonce; key_schedule.h has the bounds). A record is bound by its associated
// data to its token, id, type, version and policy digest, so that no row can stand in for another.
// The head (sealed too) holds the enclave's id, the epoch and a digest over all rows, so that an
// edited, swapped, removed or individually rolled-back row is noticed when the vault opens, and
// when it is read later. The witness remembers the newest epoch outside the store, so that a store
// of yesterday is noticed; the store is never more than one commit ahead of it.
#pragma once

#include "enclave/base/mutex.h"
#include "enclave/keys/root_keyring.h"
#include "enclave/keys/root_sealer.h"
#include "enclave/store/store.h"

namespace keyclave::keys {

enum class RecordType : uint8_t {
  kEnclave = 1,
  kToken = 2,
  kPolicy = 3,
  kObject = 4,
  kTombstone = 5,
  kUsage = 6,
  kSet = 7,
  kHistory = 8,
  kRevocation = 9,
  kApproval = 10,
  kMember = 11,     // of the fleet
  kGeneration = 12  // of the root secret: its secret, encrypted to each member
};

struct RecordKey {
  RecordType type = RecordType::kObject;
  ByteArray<16> token{};  // zero for kEnclave
  ByteArray<16> id{};
};

struct Record {
  RecordKey key;
  uint64_t version = 0;  // rises by one with each change of this record, removal too; in a change
                         // 0 (the next one) or the next one itself, else kInternal
  ByteArray<32> policy_digest{};  // zero where no policy governs
  Bytes body;
};

struct RecordChange {
  Record record;
  bool remove = false;  // leaves a sealed tombstone
};

// An epoch's upper bits count how often the enclave was restored from a backup, its lower ones the
// commits since the enclave was made.
inline constexpr unsigned kRestoreShift = 40;
constexpr uint64_t RestoresOf(uint64_t epoch) { return epoch >> kRestoreShift; }

// Remembers the newest epoch and head digest somewhere the store's owner cannot put back unnoticed,
// as far as the platform allows (root_sealer.h).
class Witness {
 public:
  struct Mark {
    uint64_t epoch = 0;
    ByteArray<32> head_digest{};
  };
  virtual ~Witness() = default;
  virtual Result<Mark> Read() = 0;  // kWitnessMissing, kWitnessInvalid
  virtual Status Advance(const Mark& mark) = 0;
  // As Read, and changes nothing: not the platform's counter, either.
  virtual Result<Mark> Look() { return Read(); }
  // Whether what Read says means anything: where it does not, any age of the store is accepted.
  virtual bool Remembers() const { return true; }
  // From now on marks are made under this generation of the root secret.
  virtual void UseGeneration(const SecretBytes& /*secret*/) {}
  virtual std::string Name() const = 0;
};
// `path` holds the mark and its HMAC under a key derived from the newest generation of the root
// secret; marks of generations that seal nothing any more are not taken. With a counter of
// the platform's each mark also names the value that the counter has from then on, so that a file
// of yesterday is noticed too.
std::unique_ptr<Witness> MakeFileWitness(std::string path, const RootKeyring& keyring,
                                         std::shared_ptr<MonotonicCounter> counter = nullptr);

// How far something long has come: `done` of `all`.
using Progress = std::function<void(uint64_t done, uint64_t all)>;

// How a vault comes by generations of the root secret that it was not opened with.
struct GenerationKeeper {
  // The secret out of the body of a generation's record (member_key.h).
  using Unwrap = std::function<Result<SecretBytes>(uint32_t generation, ByteSpan body)>;
  Unwrap unwrap = {};
  // Puts the keyring where the next start finds it: before anything is believed that needs it.
  std::function<Status(const RootKeyring&)> save = {};
};

class Vault {
 public:
  // May be called by several threads at once.
  using Visit = std::function<Status(Record)>;
  // A new vault over an empty store (else kStoreExists); the enclave's id comes from the root
  // secret. / An existing one: hands every live record to `visit`, each genuine by itself, and then
  // says whether they are all there are: without success, what was visited must not be used.
  // `is_copy`: of what a fleet shares, which may be ahead of its witness by more than a commit.
  // kStoreForeign, kStoreCorrupt, kStoreNewer, kStoreRolledBack, kWitnessMissing, kWitnessInvalid.
  static Result<std::unique_ptr<Vault>> Create(std::unique_ptr<store::Store> store,
                                               std::unique_ptr<Witness> witness,
                                               const RootKeyring& keyring);
  static Result<std::unique_ptr<Vault>> Open(std::unique_ptr<store::Store> store,
                                             std::unique_ptr<Witness> witness,
                                             const RootKeyring& keyring, const Visit& visit,
                                             const Progress& progress = {}, bool is_copy = false,
                                             GenerationKeeper keeper = {});
  ~Vault();

  const ByteArray<16>& enclave_id() const;
  uint64_t epoch() const;
  bool is_shared() const;  // its store is
  // All or none, durable when it returns; several threads may call it. kNotFound for the removal of
  // what is not there; the store's errors; kStoreIo or the witness's error while the witness cannot
  // follow. kStoreMoved, of a store that is shared: refresh first, and look whether it is still
  // right.
  Status Commit(std::vector<RecordChange> changes);
  Result<Record> Read(const RecordKey& key);  // kNotFound, kSealFailed

  // Of a store that is shared: what others committed since, all of it or (with an error) none. It
  // is whole and genuine when `take` reads it; what `take` returns is called when it is this
  // vault's.
  struct News {
    std::vector<Record> changed;
    std::vector<RecordKey> removed;
  };
  using TakeNews = std::function<Result<std::function<void()>>(News)>;
  // False: there was nothing. What `take` says; kStoreUnreachable; kStoreRolledBack, kStoreCorrupt,
  // kStoreForeign: the shared store is not the continuation of what this vault has seen.
  Result<bool> Refresh(const TakeNews& take);
  // What a machine needs to become a member of this enclave's fleet: the root secret in all its
  // generations, and the newest state that it must not take an older one for.
  struct HandOver {
    RootKeyring keyring;
    Witness::Mark mark;
  };
  HandOver GiveHandOver() const;
  // The newest state that this vault has seen; and its head's digest at an epoch of the last few
  // thousand.
  Witness::Mark mark() const;
  std::optional<ByteArray<32>> HeadDigestAt(uint64_t epoch) const;
  // From now on the rows that a commit changes are remembered, by id, until they are taken: for a
  // copy of one moment that is made while commits go on (backup.h).
  void WatchChanges();
  void StopWatching();
  struct Changes {
    std::vector<store::Row> rows;  // as they are now
    Bytes head;                    // once no more are left: of the moment of these; watching ends
  };
  Result<Changes> TakeChanges(size_t limit);
  struct HeadInfo {
    uint64_t epoch = 0;
    uint64_t rows = 0;
    ByteArray<32> digest{};  // as RowIndex has it, of this format
    uint8_t format = 0;
  };
  Result<HeadInfo> OpenHeadOf(ByteSpan sealed) const;  // kStoreForeign, kStoreNewer, kStoreCorrupt
  // The state was brought back from a backup: it counts as newer than whatever came after the
  // backup was made.
  Status CommitRestored();

  // The generation that seals what is written now, and how many rows are sealed under older ones.
  struct GenerationCount {
    uint32_t generation = kFirstGeneration;
    uint64_t older_rows = 0;
  };
  GenerationCount generation() const;
  // As Commit; from this commit on everything is sealed under this new generation, the next one
  // (else kStoreMoved), of which `changes` has the record. kObjectLimit: there are too many at
  // once.
  Status BeginGeneration(uint32_t generation, const SecretBytes& secret,
                         std::vector<RecordChange> changes);
  // Seals up to `limit` rows of older generations anew: no record becomes another by it, nor
  // another version. How many it were. As Commit.
  Result<size_t> Reseal(size_t limit);
  // Once no row is of an older generation: forgets those between the first and the newest, and
  // takes nothing any more that somebody seals under one of them, or under the first.
  Status RetireGenerations();
  // For checking the store while it is in use (store_check.h).
  struct KnownRow {
    store::RowId id{};
    uint64_t version = 0;
    ByteArray<16> tag{};
  };
  struct Slice {
    std::vector<KnownRow> known;
    std::vector<store::Row> stored;
  };
  // Rows above `after`, by id: at most `limit` that there should be, and at most twice as many that
  // the store holds; both of one moment.
  Result<Slice> ReadSlice(const std::optional<store::RowId>& after, size_t limit);
  // What is wrong with the stored head and the witness, compared with what is in memory.
  std::vector<Error> CheckHead();
  uint64_t row_count() const;
  store::RowId RowOf(const RecordKey& key) const;
  struct FoundRow {
    RecordKey key;
    uint64_t version = 0;
    ByteArray<16> tag{};
  };
  Result<FoundRow> OpenRow(const store::Row& row);  // kSealFailed, kStoreNewer
  Result<std::vector<std::string>> CheckStructure(bool however_long);
  Result<store::Compaction> Compact();
  // A key for another purpose of the enclave (audit, login tickets): HKDF with this label.
  SecretBytes DeriveKey(std::string_view label, size_t size) const;

 private:
  struct Impl;
  explicit Vault(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyclave::keys
