// Files that are too large to be in memory at once, in pieces.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "enclave/base/bytes.h"

namespace keyclave {

// Hands the file's bytes to `take`, at most `piece` at a time, in order; `last`: no more come. An
// empty file is one empty piece. What opening and reading say, and what `take` says.
Status ReadInPieces(const std::string& path, size_t piece,
                    const std::function<Status(ByteSpan bytes, bool last)>& take);

// A file of mode 0600 that is there whole and on disk, or not at all: `path`.part until Keep.
class NewFile {
 public:
  // kInvalidArgument if there is one; a part that was left behind is removed.
  static Result<std::unique_ptr<NewFile>> Create(const std::string& path);
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile();  // without Keep: nothing is left

  Status Write(ByteSpan bytes);
  Status Keep();

 private:
  explicit NewFile(std::string path) : path_(std::move(path)), part_(path_ + ".part") {}
  const std::string path_;
  const std::string part_;
  int fd_ = -1;
};

}  // namespace keyclave
