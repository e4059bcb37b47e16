#include "enclave/base/file_pieces.h"

#include <cstdio>
#include <memory>

#include "enclave/base/file.h"

namespace keyclave {
namespace {

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

Status ReadInPieces(const std::string& path, size_t piece,
                    const std::function<Status(ByteSpan bytes, bool last)>& take) {
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rbe"));
  if (file == nullptr) return ErrnoError(path);
  Bytes bytes(piece);
  for (bool last = false; !last;) {
    const size_t got = std::fread(bytes.data(), 1, bytes.size(), file.get());
    if (std::ferror(file.get()) != 0) return ErrnoError(path);
    const int next = std::fgetc(file.get());
    last = next == EOF;
    if (!last) std::ungetc(next, file.get());
    KC_CHECK_OK(take(ByteSpan(bytes).first(got), last));
  }
  return Done{};
}

}  // namespace keyclave
