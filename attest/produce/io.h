// Above Host: short reads and writes, interruptions, and interfaces that are busy for a moment are
// handled here, once. One Io is one attempt to produce something; what it may wait for busy
// interfaces is bounded in all. (A call that blocks inside the kernel cannot be bounded: the TDX
// and SEV-SNP drivers themselves give up after 30 and 60 seconds.)
#pragma once

#include <fcntl.h>

#include <cerrno>

#include "attest/produce/host.h"

namespace keyclave::attest {

// What a system call gave: a value, or the errno it failed with.
struct Errno {
  int number;
};
template <class T>
class [[nodiscard]] Sys {
 public:
  Sys(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(*-explicit-*)
  Sys(Errno error) : state_(std::in_place_index<1>, error) {}         // NOLINT(*-explicit-*)
  bool ok() const { return state_.index() == 0; }
  // Either may be called in that case only.
  T& operator*() { return std::get<0>(state_); }
  int error() const { return std::get<1>(state_).number; }
  bool failed_with(int number) const { return !ok() && error() == number; }

 private:
  std::variant<T, Errno> state_;
};

// An open file or device; closed when it goes.
class OpenFile {
 public:
  OpenFile(Host& host, int fd) : host_(&host), fd_(fd) {}
  OpenFile(OpenFile&& other) noexcept
      : host_(other.host_), fd_(std::exchange(other.fd_, kClosed)) {}
  OpenFile& operator=(OpenFile&&) = delete;
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (fd_ != kClosed) host_->Close(fd_);
  }
  int fd() const { return fd_; }
  // For whom it matters: some pseudo-files take what was written only now. 0 or -errno; closed in
  // either case.
  int Close() { return host_->Close(std::exchange(fd_, kClosed)); }

 private:
  static constexpr int kClosed = -1;
  Host* host_;
  int fd_;
};

class Io {
 public:
  explicit Io(Host& host) : host_(host), until_(host.Now() + kPatience) {}
  Io(const Io&) = delete;
  Io& operator=(const Io&) = delete;

  static constexpr std::chrono::milliseconds kPatience{5000};

  Host& host() { return host_; }

  // O_RDONLY, O_WRONLY or O_RDWR. The file is neither made nor cut.
  Sys<OpenFile> Open(const std::string& path, int flags);
  // All of it; EFBIG above `max`.
  Sys<Bytes> ReadFile(const std::string& path, size_t max);
  // As many bytes as there are, or as the buffer has.
  Sys<size_t> ReadInto(const std::string& path, std::span<uint8_t> buffer);
  // Its only content. The error of closing counts.
  Sys<Done> WriteFile(const std::string& path, ByteSpan bytes);
  template <class T>
  Sys<Done> Ioctl(const OpenFile& device, unsigned long request, T& argument) {
    const int result = Persist([&] { return host_.Ioctl(device.fd(), request, &argument); });
    if (result < 0) return Errno{-result};
    return Done{};
  }
  Sys<Done> MakeFolder(const std::string& path);
  Sys<Done> RemoveFolder(const std::string& path);
  // Waits, a little longer each time. False once the patience is used up.
  bool Pause();

 private:
  static constexpr std::chrono::milliseconds kFirstPause{10};
  static constexpr std::chrono::milliseconds kLongestPause{500};

  // Repeats a call that was interrupted, and, after a pause, one that found the interface busy.
  template <class Call>
  auto Persist(Call call) -> decltype(call()) {
    for (;;) {
      const auto result = call();
      const bool interrupted = result == -EINTR;
      if (!interrupted && result != -EAGAIN && result != -EBUSY) return result;
      if (interrupted ? host_.Now() >= until_ : !Pause()) return result;
    }
  }
  Sys<size_t> Fill(const OpenFile& file, std::span<uint8_t> buffer);

  Host& host_;
  const std::chrono::steady_clock::time_point until_;
  std::chrono::milliseconds pause_ = kFirstPause;
};

// kEvidenceUnavailable: "what: the operating system's reason; advice".
Error Unavailable(const std::string& what, int error, std::string_view advice,
                  const char* file = __builtin_FILE(), int line = __builtin_LINE());

// Text without the white space around it.
std::string_view Trimmed(std::string_view text);

}  // namespace keyclave::attest
