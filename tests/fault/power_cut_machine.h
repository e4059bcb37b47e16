// A machine whose power goes: a state directory whose store and witness lie on a PowerCutDisk, and
// writers that know what they were promised.
//
// The store is SQLite over a VFS; the witness is written by plain system calls of this process,
// which the program has to catch and bring to OnWitnessWrite and OnWitnessSync.
#pragma once

#include <sys/stat.h>

#include <fstream>
#include <random>
#include <thread>

#include "enclave/base/file.h"
#include "enclave/base/hash.h"
#include "enclave/keys/object_store.h"
#include "enclave/keys/root_file.h"
#include "enclave/keys/state_files.h"
#include "tests/fakes/must.h"
#include "tests/fakes/power_cut_vfs.h"
#include "tests/fakes/temporary_directory.h"

namespace keyclave::fault {

using test::Must;

inline void MustOk(const Status& status) {
  if (!status.ok()) std::abort();
}

inline keys::Document PolicyOf(uint64_t version) {
  keys::Document policy{"p", version, {}, {}};
  policy.text = "policy: p\nversion: " + std::to_string(version) + "\n";
  policy.digest = Sha256(AsBytes(policy.text));
  return policy;
}

class Machine {
 public:
  Machine(uint64_t seed, size_t tokens) : disk_(seed), vfs_(disk_) {
    MustOk(keys::InitState(state_, keys::FileSealer()));
    {
      const auto store = Must(keys::ObjectStore::Open(state_, keys::FileSealer()));
      for (size_t i = 0; i < tokens; ++i) {
        keys::Token token;
        token.label = std::to_string(i);
        tokens_.push_back(Must(store->CreateToken(token, PolicyOf(1))).id);
      }
    }
    secret_ = Must(keys::ReadRootSecret(keys::StateFiles::Root(state_), keys::FileSealer()));
    for (const std::string& path : {store_path(), witness_path()})
      disk_.Put(path, Must(ReadFile(path, size_t{1} << 24)));
    if (stat(witness_path().c_str(), &witness_) != 0) std::abort();
  }

  fakes::PowerCutDisk& disk() { return disk_; }
  const std::vector<wire::TokenId>& tokens() const { return tokens_; }
  std::string store_path() const { return keys::StateFiles::Store(state_); }
  std::string witness_path() const { return keys::StateFiles::Witness(state_); }

  bool IsWitness(int fd) const {
    struct stat info {};
    return fstat(fd, &info) == 0 && info.st_dev == witness_.st_dev &&
           info.st_ino == witness_.st_ino;
  }
  bool OnWitnessWrite(uint64_t offset, ByteSpan bytes) {
    return disk_.Write(witness_path(), offset, bytes);
  }
  bool OnWitnessSync() { return disk_.Sync(witness_path()); }

  // Power is back; the epoch that the witness remembers.
  Result<uint64_t> PowerOn() {
    disk_.PowerOn();
    std::ofstream(witness_path(), std::ios::binary | std::ios::trunc)
        << AsText(*disk_.Read(witness_path()));
    KC_ASSIGN(const auto mark, keys::MakeFileWitness(witness_path(), secret_)->Look());
    return mark.epoch;
  }
  Result<std::unique_ptr<keys::ObjectStore>> Open() {
    KC_ASSIGN(auto store, store::OpenSqliteStore(store_path(), false, {.vfs = vfs_.name()}));
    return keys::ObjectStore::OpenWith(
        std::move(store), keys::MakeFileWitness(witness_path(), secret_), secret_, false);
  }

 private:
  const fakes::TemporaryDirectory directory_;
  const std::string state_ = directory_.path() + "/state";
  fakes::PowerCutDisk disk_;
  fakes::PowerCutVfs vfs_;
  keys::RootKeyring secret_;
  std::vector<wire::TokenId> tokens_;
  struct stat witness_ {};
};

// One thread's objects, in a token of its own.
class Writer {
 public:
  Writer(const wire::TokenId& token, uint64_t seed) : token_(token), random_(seed) {}

  // Changes until one is refused. Whether that was for want of power.
  bool Run(keys::ObjectStore& store, const fakes::PowerCutDisk& disk) {
    while (Step(store)) {
    }
    return disk.is_off();
  }
  // One change, which counts from when the store has said yes. False: it said no, and whether the
  // change is there is open.
  bool Step(keys::ObjectStore& store);

  // Compares with what is there after a cut, which is the truth from then on. Empty, or what is
  // wrong.
  std::string Compare(keys::ObjectStore& store);

  uint64_t acknowledged = 0;
  uint64_t cut_off = 0;  // changes that were under way when the power went
  uint64_t found = 0;    // of them, those that are there

 private:
  static constexpr size_t kMostObjects = 30;
  struct Kept {
    uint64_t version = 0;
    std::string text;
    friend bool operator==(const Kept&, const Kept&) = default;
  };
  struct State {
    std::map<std::string, Kept> objects;  // by label
    uint64_t policy = 1;
    friend bool operator==(const State&, const State&) = default;
  };

  Status Insert(keys::ObjectStore& store);
  Status Update(keys::ObjectStore& store);
  Status Remove(keys::ObjectStore& store);
  Status PutPolicy(keys::ObjectStore& store);
  Result<State> Read(keys::ObjectStore& store);
  const std::string& AnyLabel();

  const wire::TokenId token_;
  std::mt19937_64 random_;
  State now_;
  State next_;  // when the change under way is done
  std::map<std::string, wire::ObjectId> ids_;
  bool under_way_ = false;
};

}  // namespace keyclave::fault
