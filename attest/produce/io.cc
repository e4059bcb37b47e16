#include "attest/produce/io.h"

#include <system_error>

namespace keyclave::attest {
namespace {

constexpr size_t kChunk = 4096;

}  // namespace

bool Io::Pause() {
  const auto now = host_.Now();
  if (now >= until_) return false;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until_ - now);
  host_.Sleep(std::min(pause_, left));
  pause_ = std::min(pause_ * 2, kLongestPause);
  return true;
}

Sys<OpenFile> Io::Open(const std::string& path, int flags) {
  const int fd = Persist([&] { return host_.Open(path, flags); });
  if (fd < 0) return Errno{-fd};
  return OpenFile(host_, fd);
}

Sys<size_t> Io::Fill(const OpenFile& file, std::span<uint8_t> buffer) {
  size_t filled = 0;
  while (filled < buffer.size()) {
    const auto rest = buffer.subspan(filled);
    const ssize_t got = Persist([&] { return host_.Read(file.fd(), rest); });
    if (got < 0) return Errno{static_cast<int>(-got)};
    if (got == 0) break;
    if (static_cast<size_t>(got) > rest.size()) return Errno{EIO};
    filled += static_cast<size_t>(got);
  }
  return filled;
}

Sys<Bytes> Io::ReadFile(const std::string& path, size_t max) {
  auto file = Open(path, O_RDONLY);
  if (!file.ok()) return Errno{file.error()};
  Bytes bytes;
  for (;;) {
    const size_t before = bytes.size();
    bytes.resize(before + std::min(kChunk, max + 1 - before));
    auto got = Fill(*file, std::span(bytes).subspan(before));
    if (!got.ok()) return Errno{got.error()};
    const bool at_end = before + *got < bytes.size();
    bytes.resize(before + *got);
    if (bytes.size() > max) return Errno{EFBIG};
    if (at_end) return bytes;
  }
}

Sys<size_t> Io::ReadInto(const std::string& path, std::span<uint8_t> buffer) {
  auto file = Open(path, O_RDONLY);
  if (!file.ok()) return Errno{file.error()};
  return Fill(*file, buffer);
}

Sys<Done> Io::WriteFile(const std::string& path, ByteSpan bytes) {
  auto file = Open(path, O_WRONLY);
  if (!file.ok()) return Errno{file.error()};
  while (!bytes.empty()) {
    const ssize_t written = Persist([&] { return host_.Write((*file).fd(), bytes); });
    if (written < 0) return Errno{static_cast<int>(-written)};
    if (written == 0 || static_cast<size_t>(written) > bytes.size()) return Errno{EIO};
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  // An interrupted close(2) has closed all the same.
  if (const int closed = (*file).Close(); closed < 0 && closed != -EINTR) return Errno{-closed};
  return Done{};
}

Sys<Done> Io::MakeFolder(const std::string& path) {
  const int made = Persist([&] { return host_.MakeFolder(path); });
  if (made < 0) return Errno{-made};
  return Done{};
}

Sys<Done> Io::RemoveFolder(const std::string& path) {
  const int removed = Persist([&] { return host_.RemoveFolder(path); });
  if (removed < 0) return Errno{-removed};
  return Done{};
}

Error Unavailable(const std::string& what, int error, std::string_view advice, const char* file,
                  int line) {
  std::string detail = what + ": " + std::generic_category().message(error);
  if (!advice.empty()) detail.append("; ").append(advice);
  return Fail(Code::kEvidenceUnavailable, std::move(detail), file, line);
}

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace keyclave::attest
