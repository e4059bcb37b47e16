#include "attest/executable.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "enclave/base/hash.h"

namespace keyclave::attest {
namespace {

constexpr std::string_view kDeleted = " (deleted)";
constexpr size_t kMaxName = 64;
// Whoever verifies is busy meanwhile; a peer chooses its own file.
constexpr size_t kMaxFile = size_t{256} << 20;  // bytes
constexpr size_t kChunk = size_t{64} << 10;

class RunningFile {
 public:
  explicit RunningFile(const std::string& link) : fd_(open(link.c_str(), O_RDONLY | O_CLOEXEC)) {}
  RunningFile(const RunningFile&) = delete;
  RunningFile& operator=(const RunningFile&) = delete;
  ~RunningFile() {
    if (fd_ >= 0) close(fd_);
  }
  bool is_open() const { return fd_ >= 0; }
  ssize_t Read(std::span<uint8_t> chunk) const {
    ssize_t got = 0;
    do {
      got = read(fd_, chunk.data(), chunk.size());
    } while (got < 0 && errno == EINTR);
    return got;
  }

 private:
  const int fd_;
};

Error Unavailable(const std::string& link) {
  return Fail(Code::kEvidenceUnavailable, link + ": " + std::strerror(errno));
}

std::string NameOf(const std::string& link) {
  std::array<char, 4096> path{};
  const ssize_t length = readlink(link.c_str(), path.data(), path.size());
  if (length <= 0) return "?";
  std::string_view name(path.data(), static_cast<size_t>(length));
  if (name.ends_with(kDeleted)) name.remove_suffix(kDeleted.size());
  name = name.substr(name.rfind('/') + 1).substr(0, kMaxName);
  std::string printable(name);
  for (char& c : printable) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return printable;
}

Result<Executable> Measure(const std::string& link) {
  const RunningFile file(link);
  if (!file.is_open()) return Unavailable(link);
  KC_ASSIGN(Hasher hasher, Hasher::Create(HashAlgorithm::kSha256));
  std::vector<uint8_t> chunk(kChunk);
  for (size_t size = 0;;) {
    const ssize_t got = file.Read(chunk);
    if (got < 0) return Unavailable(link);
    if (got == 0) break;
    size += static_cast<size_t>(got);
    if (size > kMaxFile)
      return Fail(Code::kEvidenceUnavailable, link + ": programs above 256 MiB are not measured");
    KC_CHECK_OK(hasher.Update(std::span(chunk).first(static_cast<size_t>(got))));
  }
  KC_ASSIGN(const Bytes digest, hasher.Finish());
  Executable executable;
  std::copy(digest.begin(), digest.end(), executable.measurement.begin());
  executable.name = NameOf(link);
  return executable;
}

}  // namespace

// Never freed: a module leaves no destructors behind in the process that it was loaded into.
Result<Executable> MeasureOwnExecutable() {
  static std::atomic<const Executable*> measured{nullptr};
  if (const Executable* known = measured.load(std::memory_order_acquire)) return *known;
  KC_ASSIGN(Executable executable, Measure("/proc/self/exe"));
  auto kept = std::make_unique<const Executable>(executable);
  const Executable* none = nullptr;
  if (measured.compare_exchange_strong(none, kept.get(), std::memory_order_acq_rel))
    static_cast<void>(kept.release());
  return executable;
}

Result<Executable> MeasureExecutable(int64_t pid) {
  return Measure("/proc/" + std::to_string(pid) + "/exe");
}

}  // namespace keyclave::attest
