#include "enclave/ops/mark_desk.h"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "enclave/base/file.h"
#include "enclave/base/hash.h"
#include "enclave/keys/state_files.h"

namespace keyclave::ops {

Status MarkDesk::MakeRoom() const {
  const std::string directory = keys::StateFiles::Marks(config_.state);
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoError(directory);
  std::error_code failed;
  const auto files = std::filesystem::directory_iterator(directory, failed);
  if (failed) return Fail(Code::kStoreIo, directory + ": " + failed.message());
  const auto count = static_cast<size_t>(std::distance(begin(files), end(files)));
  const size_t most = config_.keep_marks.has_value() ? config_.keep_marks->most : 0;
  if (count < most) return Done{};
  return Fail(Code::kObjectLimit, "marks of " + std::to_string(count) +
                                      " enclaves are kept here already (keep_marks: most)");
}

// The file's key belongs to this name alone, so that no file can stand in for another.
Result<MarkDesk::Kept*> MarkDesk::Find(const ByteArray<32>& name, bool make) {
  const auto found = kept_.find(name);
  if (found != kept_.end()) return &found->second;
  const std::string path =
      keys::StateFiles::Marks(config_.state) + "/" + ToHex(Sha256(ByteSpan(name)));
  Kept kept;
  kept.file = keys::MakeFileWitness(
      path, store_.DeriveKey("mark " + ToHex(ByteSpan(name)), keys::kRootSecretSize));
  const Result<keys::Witness::Mark> newest = kept.file->Read();
  if (newest.ok()) {
    kept.newest = *newest;
  } else if (newest.code() != Code::kWitnessMissing) {
    return newest.error();
  } else if (!make) {
    return nullptr;
  } else {
    KC_CHECK_OK(MakeRoom());
  }
  return &kept_.emplace(name, std::move(kept)).first->second;
}

Result<std::optional<keys::Witness::Mark>> MarkDesk::Keep(
    const ByteArray<32>& name, const std::optional<keys::Witness::Mark>& mark) {
  const MutexLock lock(mutex_);
  KC_ASSIGN(Kept * kept, Find(name, mark.has_value()));
  if (kept == nullptr) return std::optional<keys::Witness::Mark>();
  if (!mark.has_value() || (kept->newest.has_value() && mark->epoch <= kept->newest->epoch))
    return kept->newest;
  KC_CHECK_OK(kept->file->Advance(*mark));
  kept->newest = *mark;
  return kept->newest;
}

}  // namespace keyclave::ops
