#include "tests/fakes/power_cut_disk.h"

#include <algorithm>

namespace keyclave::fakes {

void PowerCutDisk::Put(const std::string& path, Bytes content) {
  const MutexLock lock(mutex_);
  auto file = std::make_shared<File>();
  file->content = content;
  file->kept = std::move(content);
  current_[path] = file;
  kept_[path] = file;
}

PowerCutDisk::FilePtr PowerCutDisk::Find(const std::string& path) const {
  const auto found = current_.find(path);
  return found == current_.end() ? nullptr : found->second;
}

bool PowerCutDisk::Begin(const std::string& path) {
  if (off_) return false;
  ++changes_;
  if (changes_ != cut_at_) return true;
  off_ = true;
  cut_in_ = path;
  return true;  // the last thing that the disk was told
}

bool PowerCutDisk::Exists(const std::string& path) const {
  const MutexLock lock(mutex_);
  return !off_ && current_.contains(path);
}

bool PowerCutDisk::Create(const std::string& path) {
  const MutexLock lock(mutex_);
  if (off_) return false;
  if (!current_.contains(path)) current_[path] = std::make_shared<File>();
  return true;
}

void PowerCutDisk::Apply(const Piece& piece, Bytes& content) {
  if (piece.truncates) {
    content.resize(piece.offset);
    return;
  }
  if (content.size() < piece.offset + piece.bytes.size())
    content.resize(piece.offset + piece.bytes.size());
  std::copy(piece.bytes.begin(), piece.bytes.end(),
            content.begin() + static_cast<std::ptrdiff_t>(piece.offset));
}

bool PowerCutDisk::Write(const std::string& path, uint64_t offset, ByteSpan bytes) {
  const MutexLock lock(mutex_);
  const FilePtr file = Find(path);
  if (file == nullptr || path == refused_ || !Begin(path)) return false;
  while (!bytes.empty()) {
    const size_t size = std::min<size_t>(kSector - offset % kSector, bytes.size());
    file->pending.push_back({offset, ToBytes(bytes.first(size)), false});
    Apply(file->pending.back(), file->content);
    bytes = bytes.subspan(size);
    offset += size;
  }
  return !off_;
}

bool PowerCutDisk::Truncate(const std::string& path, uint64_t size) {
  const MutexLock lock(mutex_);
  const FilePtr file = Find(path);
  if (file == nullptr || !Begin(path)) return false;
  file->pending.push_back({size, {}, true});
  Apply(file->pending.back(), file->content);
  return !off_;
}

bool PowerCutDisk::Sync(const std::string& path) {
  const MutexLock lock(mutex_);
  const FilePtr file = Find(path);
  if (file == nullptr || !Begin(path) || off_) return false;
  if (path == ignored_) return true;
  file->kept = file->content;
  file->pending.clear();
  // The first sync of a new file is one of its directory, too, and that is one of all names in it.
  const auto named = kept_.find(path);
  if (named == kept_.end() || named->second != file) kept_ = current_;
  return true;
}

bool PowerCutDisk::Remove(const std::string& path, bool synced) {
  const MutexLock lock(mutex_);
  if (!current_.contains(path) || !Begin(path)) return false;
  current_.erase(path);
  if (synced && !off_) kept_.erase(path);
  return !off_;
}

std::optional<Bytes> PowerCutDisk::Read(const std::string& path) const {
  const MutexLock lock(mutex_);
  const FilePtr file = Find(path);
  if (off_ || file == nullptr) return std::nullopt;
  return file->content;
}

std::optional<uint64_t> PowerCutDisk::SizeOf(const std::string& path) const {
  const MutexLock lock(mutex_);
  const FilePtr file = Find(path);
  if (off_ || file == nullptr) return std::nullopt;
  return file->content.size();
}

std::optional<Bytes> PowerCutDisk::ReadAt(const std::string& path, uint64_t offset,
                                          size_t size) const {
  const MutexLock lock(mutex_);
  const FilePtr file = Find(path);
  if (off_ || file == nullptr) return std::nullopt;
  const ByteSpan content = file->content;
  if (offset >= content.size()) return Bytes();
  const ByteSpan rest = content.subspan(offset);
  return ToBytes(rest.first(std::min(size, rest.size())));
}

void PowerCutDisk::CutAt(uint64_t change) {
  const MutexLock lock(mutex_);
  cut_at_ = changes_ + change;
}

void PowerCutDisk::Cut() {
  const MutexLock lock(mutex_);
  off_ = true;
}

bool PowerCutDisk::is_off() const {
  const MutexLock lock(mutex_);
  return off_;
}

std::string PowerCutDisk::cut_in() const {
  const MutexLock lock(mutex_);
  return cut_in_;
}

uint64_t PowerCutDisk::changes() const {
  const MutexLock lock(mutex_);
  return changes_;
}

void PowerCutDisk::Refuse(std::string path) {
  const MutexLock lock(mutex_);
  refused_ = std::move(path);
}

void PowerCutDisk::IgnoreSyncsOf(std::string path) {
  const MutexLock lock(mutex_);
  ignored_ = std::move(path);
}

// The end of a piece that was being written is what was there before, or nothing anybody wrote.
void PowerCutDisk::Tear(Piece& piece, const Bytes& before) {
  const bool garbage = Chance(50);
  for (size_t i = random_() % (piece.bytes.size() + 1); i < piece.bytes.size(); ++i) {
    const size_t place = piece.offset + i;
    const uint8_t old = place < before.size() ? before[place] : uint8_t{0};
    piece.bytes[i] = garbage ? static_cast<uint8_t>(random_()) : old;
  }
}

// Sometimes nothing of what is pending has reached the disk, sometimes all of it, mostly some.
void PowerCutDisk::Lose(File& file) {
  static constexpr unsigned kShares[] = {0, 20, 50, 80, 100};
  const unsigned share = kShares[random_() % std::size(kShares)];
  const size_t torn =
      file.pending.empty() || Chance(30) ? SIZE_MAX : random_() % file.pending.size();
  Bytes image = file.kept;
  for (size_t i = 0; i < file.pending.size(); ++i) {
    Piece& piece = file.pending[i];
    if (i == torn && !piece.truncates) {
      Tear(piece, image);
    } else if (!Chance(share)) {
      // Its extent can be there without it.
      const size_t end = piece.offset + piece.bytes.size();
      if (!piece.truncates && end > image.size() && Chance(50)) image.resize(end);
      continue;
    }
    Apply(piece, image);
  }
  file.pending.clear();
  file.content = image;
  file.kept = std::move(image);
}

void PowerCutDisk::PowerOn() {
  const MutexLock lock(mutex_);
  Directory names = current_;
  names.insert(kept_.begin(), kept_.end());
  Directory after;
  for (const auto& [path, ignored] : names) {
    const auto now = current_.find(path);
    const auto then = kept_.find(path);
    const FilePtr newer = now == current_.end() ? nullptr : now->second;
    const FilePtr older = then == kept_.end() ? nullptr : then->second;
    const FilePtr found = newer == older || Chance(50) ? newer : older;
    if (found != nullptr) after[path] = found;
  }
  for (const auto& [path, file] : after) Lose(*file);
  current_ = after;
  kept_ = after;
  off_ = false;
  cut_at_ = 0;
  cut_in_.clear();
}

}  // namespace keyclave::fakes
