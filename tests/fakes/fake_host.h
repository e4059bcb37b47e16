// FakeHost: a machine made of the interfaces that a test adds, for the producers of evidence. It
// counts what is open, keeps its own time, and fails or falls short where it is told to.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "attest/produce/host.h"

namespace keyclave::fakes {

enum class Call { kOpen, kRead, kWrite, kIoctl, kClose, kMakeFolder, kRemoveFolder };

// A file or device that is open. What is not overridden fails as it does where it makes no sense.
class FakeFile {
 public:
  virtual ~FakeFile() = default;
  virtual ssize_t Read(std::span<uint8_t> /*buffer*/) { return -EINVAL; }
  virtual ssize_t Write(ByteSpan /*bytes*/) { return -EINVAL; }
  virtual int Ioctl(unsigned long /*request*/, void* /*argument*/) { return -ENOTTY; }
  virtual int Close() { return 0; }
};

// Some paths and what is behind them. -ENOENT: this path is none of its own.
class FakeInterface {
 public:
  virtual ~FakeInterface() = default;
  virtual int Open(const std::string& path, int flags, std::unique_ptr<FakeFile>& file) = 0;
  virtual int MakeFolder(const std::string& /*path*/) { return -ENOENT; }
  virtual int RemoveFolder(const std::string& /*path*/) { return -ENOENT; }
};

class FakeHost final : public attest::Host {
 public:
  void Add(FakeInterface& interface) { interfaces_.push_back(&interface); }
  // The next `times` calls of this kind on a path that ends so give -error. (A close closes all the
  // same.)
  void FailNext(Call call, std::string path_end, int error, int times = 1) {
    faults_.push_back({call, std::move(path_end), error, times});
  }
  void ForgetFaults() { faults_.clear(); }

  size_t most_at_once = SIZE_MAX;  // bytes that one read or write moves at most
  std::function<int(const attest::Command&, attest::CommandOutcome&)> run;

  size_t open_files() const { return files_.size(); }
  std::chrono::milliseconds slept() const { return slept_; }
  int calls(Call call) const { return calls_.contains(call) ? calls_.at(call) : 0; }
  int last_open_flags() const { return last_open_flags_; }

  int Open(const std::string& path, int flags) override;
  ssize_t Read(int fd, std::span<uint8_t> buffer) override;
  ssize_t Write(int fd, ByteSpan bytes) override;
  int Ioctl(int fd, unsigned long request, void* argument) override;
  int Close(int fd) override;
  int MakeFolder(const std::string& path) override;
  int RemoveFolder(const std::string& path) override;
  void Sleep(std::chrono::milliseconds time) override { slept_ += time; }
  std::chrono::steady_clock::time_point Now() override { return start_ + slept_; }
  int Run(const attest::Command& command, attest::CommandOutcome& outcome) override {
    return run ? run(command, outcome) : -ENOSYS;
  }

 private:
  struct Fault {
    Call call;
    std::string path_end;
    int error;
    int times;
  };
  struct OpenOne {
    std::string path;
    std::unique_ptr<FakeFile> file;
  };
  // Counts the call; 0, or what it fails with.
  int Enter(Call call, const std::string& path);

  std::vector<FakeInterface*> interfaces_;
  std::vector<Fault> faults_;
  std::map<int, OpenOne> files_;
  std::map<Call, int> calls_;
  int next_fd_ = 3;
  int last_open_flags_ = 0;
  const std::chrono::steady_clock::time_point start_{std::chrono::hours(1)};
  std::chrono::milliseconds slept_{0};
};

// Content that is read from its start to its end.
class ReadableFile final : public FakeFile {
 public:
  explicit ReadableFile(Bytes content) : content_(std::move(content)) {}
  ssize_t Read(std::span<uint8_t> buffer) override;

 private:
  Bytes content_;
  size_t at_ = 0;
};

// Collects what is written and hands it on when it is closed.
class WritableFile final : public FakeFile {
 public:
  explicit WritableFile(std::function<int(ByteSpan)> taker) : taker_(std::move(taker)) {}
  ssize_t Write(ByteSpan bytes) override {
    content_.insert(content_.end(), bytes.begin(), bytes.end());
    return static_cast<ssize_t>(bytes.size());
  }
  int Close() override { return content_.empty() ? 0 : taker_(content_); }

 private:
  std::function<int(ByteSpan)> taker_;
  Bytes content_;
};

// Plain files, and devices that can be opened and no more.
class FakeFiles final : public FakeInterface {
 public:
  std::map<std::string, Bytes> content;
  int Open(const std::string& path, int flags, std::unique_ptr<FakeFile>& file) override;
};

}  // namespace keyclave::fakes
