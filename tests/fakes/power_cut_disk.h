// A disk in memory that loses power.
//
// Programs see every change at once. On disk is what was there at the last sync of each file; what
// came after it is pending, in pieces of a sector. When the power goes, a random part of the
// pending pieces has reached the disk, in any order, and one of them may be torn: its end is what
// was there before, or garbage. A file that was made or removed and whose directory was not synced
// since may be there or not. Bytes that nobody was writing stay as they are (SQLite calls that
// "powersafe overwrite", and relies on it).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "enclave/base/bytes.h"
#include "enclave/base/mutex.h"

namespace keyclave::fakes {

class PowerCutDisk {
 public:
  static constexpr size_t kSector = 512;

  explicit PowerCutDisk(uint64_t seed) : random_(seed) {}

  // A file as the disk has it. Ends whatever was pending of it.
  void Put(const std::string& path, Bytes content) KC_EXCLUDES(mutex_);

  // What programs do; each false, and without effect, while the power is off.
  bool Exists(const std::string& path) const KC_EXCLUDES(mutex_);
  bool Create(const std::string& path) KC_EXCLUDES(mutex_);  // if it is not there
  bool Write(const std::string& path, uint64_t offset, ByteSpan bytes) KC_EXCLUDES(mutex_);
  bool Truncate(const std::string& path, uint64_t size) KC_EXCLUDES(mutex_);
  // Of a file whose name is new, its directory too: there is one for all files.
  bool Sync(const std::string& path) KC_EXCLUDES(mutex_);
  bool Remove(const std::string& path, bool synced) KC_EXCLUDES(mutex_);
  std::optional<Bytes> Read(const std::string& path) const KC_EXCLUDES(mutex_);
  std::optional<uint64_t> SizeOf(const std::string& path) const KC_EXCLUDES(mutex_);
  // As many of the bytes from `offset` on as there are.
  std::optional<Bytes> ReadAt(const std::string& path, uint64_t offset, size_t size) const
      KC_EXCLUDES(mutex_);

  // The power goes at the n-th change (write, truncation, sync, removal) from now, 1 the next one.
  // That one fails as all after it do; if it was a write, it may have reached the disk.
  void CutAt(uint64_t change) KC_EXCLUDES(mutex_);
  void Cut() KC_EXCLUDES(mutex_);
  bool is_off() const KC_EXCLUDES(mutex_);
  // The file of the change at which the power went; empty before.
  std::string cut_in() const KC_EXCLUDES(mutex_);
  uint64_t changes() const KC_EXCLUDES(mutex_);
  // Power is back; every file is what the disk has kept of it.
  void PowerOn() KC_EXCLUDES(mutex_);

  // Writes of this file fail, with the power on; none if it is empty.
  void Refuse(std::string path) KC_EXCLUDES(mutex_);
  // A disk that lies: syncs of this file succeed and do nothing.
  void IgnoreSyncsOf(std::string path) KC_EXCLUDES(mutex_);

 private:
  struct Piece {
    uint64_t offset = 0;
    Bytes bytes;
    bool truncates = false;  // to `offset`
  };
  struct File {
    Bytes content;  // as programs see it
    Bytes kept;     // as it was at the last sync
    std::vector<Piece> pending;
  };
  using FilePtr = std::shared_ptr<File>;
  using Directory = std::map<std::string, FilePtr>;

  // Whether the change may be carried out.
  bool Begin(const std::string& path) KC_REQUIRES(mutex_);
  bool Chance(unsigned of_a_hundred) KC_REQUIRES(mutex_) { return random_() % 100 < of_a_hundred; }
  FilePtr Find(const std::string& path) const KC_REQUIRES(mutex_);
  void Tear(Piece& piece, const Bytes& before) KC_REQUIRES(mutex_);
  void Lose(File& file) KC_REQUIRES(mutex_);
  static void Apply(const Piece& piece, Bytes& content);

  mutable Mutex mutex_;
  std::mt19937_64 random_ KC_GUARDED_BY(mutex_);
  Directory current_ KC_GUARDED_BY(mutex_);
  Directory kept_ KC_GUARDED_BY(mutex_);
  std::string refused_ KC_GUARDED_BY(mutex_);
  std::string ignored_ KC_GUARDED_BY(mutex_);
  std::string cut_in_ KC_GUARDED_BY(mutex_);
  uint64_t changes_ KC_GUARDED_BY(mutex_) = 0;
  uint64_t cut_at_ KC_GUARDED_BY(mutex_) = 0;  // 0: never
  bool off_ KC_GUARDED_BY(mutex_) = false;
};

}  // namespace keyclave::fakes
