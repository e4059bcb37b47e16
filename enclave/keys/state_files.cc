#include "enclave/keys/state_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "enclave/base/file.h"
#include "enclave/base/hash.h"
#include "enclave/base/log.h"
#include "enclave/keys/key_schedule.h"
#include "enclave/keys/object_records.h"
#include "enclave/keys/root_file.h"

namespace keyclave::keys {
namespace {

Result<bool> Exists(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) == 0) return true;
  if (errno == ENOENT) return false;
  return ErrnoError(path);
}

// Takes back what an InitState that failed has made, and nothing else.
class Leftovers {
 public:
  Leftovers() = default;
  Leftovers(const Leftovers&) = delete;
  Leftovers& operator=(const Leftovers&) = delete;
  ~Leftovers() {
    for (auto path = made_.rbegin(); path != made_.rend(); ++path) std::remove(path->c_str());
    if (counter_ == nullptr) return;
    const Status removed = counter_->Remove();
    if (!removed.ok()) Log(LogLevel::kWarning, removed.error().Text());
  }
  void Made(std::string path) { made_.push_back(std::move(path)); }
  void Made(std::shared_ptr<MonotonicCounter> counter) { counter_ = std::move(counter); }
  void Keep() {
    made_.clear();
    counter_.reset();
  }

 private:
  std::vector<std::string> made_;
  std::shared_ptr<MonotonicCounter> counter_;
};

// Says of any store that it is newer than what was seen before, and then makes the witness anew;
// but another enclave that is the witness is asked as ever, and takes no mark that is older than
// its own.
class AcceptingWitness final : public Witness {
 public:
  enum class Marks {
    kAll,
    kRestored  // the first is of the state as the backup has it, which counts for nothing
  };
  AcceptingWitness(const WitnessChoice& choice, const std::string& directory,
                   std::unique_ptr<Witness> fresh, Marks marks)
      : path_(choice.PathIn(directory)),
        is_peer_(choice.peer != nullptr),
        fresh_(std::move(fresh)),
        skips_(marks == Marks::kRestored) {}
  std::string Name() const override { return path_; }
  Result<Mark> Read() override { return Mark{}; }
  bool Remembers() const override { return false; }
  void UseGeneration(const SecretBytes& secret) override { fresh_->UseGeneration(secret); }
  Result<Mark> Look() override {
    if (!is_peer_) return Mark{};
    auto mark = fresh_->Look();
    if (!mark.ok() && mark.code() == Code::kWitnessMissing) return Mark{};
    return mark;
  }
  Status Advance(const Mark& mark) override {
    if (std::exchange(skips_, false)) return Done{};
    if (is_peer_) return fresh_->Advance(mark);
    if (!std::exchange(replaced_, true) && unlink(path_.c_str()) != 0 && errno != ENOENT)
      return ErrnoError(path_);
    return fresh_->Advance(mark);
  }

 private:
  const std::string path_;
  const bool is_peer_;
  const std::unique_ptr<Witness> fresh_;
  bool skips_;
  bool replaced_ = false;
};

// Directory (0700), counter and root secret; nothing of it was there before.
Status Begin(const std::string& directory, const RootSealer& sealer, const WitnessChoice& choice,
             const RootKeyring& keyring, Leftovers& leftovers) {
  if (mkdir(directory.c_str(), 0700) == 0) {
    leftovers.Made(directory);
  } else if (errno != EEXIST) {
    return ErrnoError(directory);
  }
  KC_CHECK_OK(CheckNoState(directory, choice));
  const std::shared_ptr<MonotonicCounter> counter = sealer.Counter();
  if (counter != nullptr) {
    const auto first = counter->Create();
    if (!first.ok()) return first.error();
    leftovers.Made(counter);
  }
  const std::string root = StateFiles::Root(directory);
  KC_CHECK_OK(WriteRootSecret(root, sealer, keyring));
  leftovers.Made(root);
  return Done{};
}

// The counter of a state that was there before.
Status EnsureCounter(const std::shared_ptr<MonotonicCounter>& counter) {
  if (counter == nullptr) return Done{};
  auto value = counter->Read();
  if (!value.ok() && value.code() == Code::kWitnessMissing) value = counter->Create();
  return value.ok() ? Status() : Status(value.error());
}

}  // namespace

Status CheckNoState(const std::string& directory, const WitnessChoice& choice) {
  const std::string store = StateFiles::Store(directory);
  for (const std::string& path : {StateFiles::Root(directory), store, store + "-wal",
                                  choice.PathIn(directory), StateFiles::Position(directory)}) {
    KC_ASSIGN(const bool exists, Exists(path));
    if (exists) return Fail(Code::kStoreExists, path);
  }
  return Done{};
}

Status InitState(const std::string& directory, const RootSealer& sealer,
                 const WitnessChoice& choice, const RecoveryPlan& plan) {
  SecretBytes secret(kRootSecretSize);
  RandomFill(secret.ExposeMutable(SecretAccess()));
  std::vector<RecordChange> records;
  if (plan.threshold != 0) {
    const std::string enclave_id = ToHex(KeySchedule(secret).EnclaveId());
    KC_ASSIGN(
        const wire::Recovery recovery,
        mech::MakeRecovery(enclave_id, plan.holders, plan.threshold, RootKeyring(secret).Encode()));
    records.push_back(RecoveryChange(recovery));
  }
  Leftovers leftovers;
  KC_CHECK_OK(Begin(directory, sealer, choice, secret, leftovers));
  const std::string path = StateFiles::Store(directory);
  KC_ASSIGN(auto store, store::OpenSqliteStore(path, true));
  leftovers.Made(path);
  auto witness = MakeWitness(choice, directory, secret, sealer.Counter());
  // Closed before the leftovers go, which takes the write-ahead log away.
  KC_ASSIGN(const auto vault, Vault::Create(std::move(store), std::move(witness), secret));
  leftovers.Made(choice.PathIn(directory));
  if (!records.empty()) KC_CHECK_OK(vault->Commit(std::move(records)));
  leftovers.Keep();
  return Done{};
}

Status RestoreState(const std::string& directory, const RootSealer& sealer,
                    const WitnessChoice& choice, const RootKeyring* keyring, const FillStore& fill,
                    const std::string& member, const AcceptState& accept) {
  Leftovers leftovers;
  RootKeyring root;
  const std::shared_ptr<MonotonicCounter> counter = sealer.Counter();
  if (keyring != nullptr) {
    KC_CHECK_OK(Begin(directory, sealer, choice, *keyring, leftovers));
    root = keyring->Clone();
  } else {
    KC_ASSIGN(root, ReadRootSecret(StateFiles::Root(directory), sealer));
    KC_CHECK_OK(EnsureCounter(counter));
  }
  const std::string path = StateFiles::Store(directory);
  KC_ASSIGN(auto store, store::OpenSqliteStore(path, true));
  leftovers.Made(path);
  KC_CHECK_OK(fill(std::move(store)));
  KC_ASSIGN(store, store::OpenSqliteStore(path, false));
  auto accepting = std::make_unique<AcceptingWitness>(choice, directory,
                                                      MakeWitness(choice, directory, root, counter),
                                                      AcceptingWitness::Marks::kRestored);
  if (keyring != nullptr) leftovers.Made(choice.PathIn(directory));
  OpenOptions options;
  options.member = member;
  KC_ASSIGN(const auto opened,
            ObjectStore::OpenWith(std::move(store), std::move(accepting), root, false, options));
  KC_CHECK_OK(opened->CommitRestored());
  KC_CHECK_OK(accept(*opened));
  leftovers.Keep();
  return Done{};
}

Status JoinState(const std::string& directory, const RootSealer& sealer,
                 const WitnessChoice& choice, const RootKeyring& keyring, const Witness::Mark& mark,
                 const FillStore& fill) {
  Leftovers leftovers;
  KC_CHECK_OK(Begin(directory, sealer, choice, keyring, leftovers));
  const std::string path = StateFiles::Store(directory);
  KC_ASSIGN(auto store, store::OpenSqliteStore(path, true));
  leftovers.Made(path);
  leftovers.Made(StateFiles::Position(directory));
  KC_CHECK_OK(fill(std::move(store)));
  const auto witness = [&] { return MakeWitness(choice, directory, keyring, sealer.Counter()); };
  leftovers.Made(choice.PathIn(directory));
  KC_CHECK_OK(witness()->Advance(mark));
  KC_ASSIGN(store, store::OpenSqliteStore(path, false));
  OpenOptions options;
  options.is_copy = true;
  KC_ASSIGN(const auto opened,
            ObjectStore::OpenWith(std::move(store), witness(), keyring, false, options));
  leftovers.Keep();
  return Done{};
}

Status AcceptStore(const std::string& directory, const RootSealer& sealer,
                   const WitnessChoice& choice) {
  KC_ASSIGN(const RootKeyring keyring, ReadRootSecret(StateFiles::Root(directory), sealer));
  KC_ASSIGN(auto store, store::OpenSqliteStore(StateFiles::Store(directory), false));
  const std::shared_ptr<MonotonicCounter> counter = sealer.Counter();
  KC_CHECK_OK(EnsureCounter(counter));
  auto accepting = std::make_unique<AcceptingWitness>(
      choice, directory, MakeWitness(choice, directory, keyring, counter),
      AcceptingWitness::Marks::kAll);
  KC_ASSIGN(const auto opened,
            ObjectStore::OpenWith(std::move(store), std::move(accepting), keyring, false));
  return Done{};
}

}  // namespace keyclave::keys
