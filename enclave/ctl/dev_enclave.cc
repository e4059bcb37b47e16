#include "enclave/ctl/dev_enclave.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>

#include "enclave/base/file.h"

namespace keyclave::ctl {
namespace {

namespace fs = std::filesystem;

constexpr int kStartPatience = 60'000;        // milliseconds
constexpr size_t kMaxLog = size_t{64} << 20;  // bytes
constexpr size_t kShownLines = 12;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

// The socket on which the daemon says that it is ready, as it would to systemd (sd_notify).
class ReadySocket {
 public:
  explicit ReadySocket(std::string path)
      : path_(std::move(path)), socket_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}
  ReadySocket(const ReadySocket&) = delete;
  ReadySocket& operator=(const ReadySocket&) = delete;
  ~ReadySocket() { unlink(path_.c_str()); }

  Status Bind() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.size() >= sizeof address.sun_path) {
      return Fail(Code::kInvalidArgument,
                  "the directory's path is too long for a socket: " + path_);
    }
    std::copy(path_.begin(), path_.end(), address.sun_path);
    unlink(path_.c_str());
    const void* generic = &address;
    if (bind(socket_.get(), static_cast<const sockaddr*>(generic), sizeof address) != 0) {
      return ErrnoError(path_);
    }
    return Done{};
  }
  const std::string& path() const { return path_; }
  int fd() const { return socket_.get(); }
  bool IsReady() const {
    std::array<char, 256> message{};
    const ssize_t size = recv(socket_.get(), message.data(), message.size(), MSG_DONTWAIT);
    if (size <= 0) return false;
    const std::string_view text(message.data(), static_cast<size_t>(size));
    return text.find("READY=1") != std::string_view::npos;
  }

 private:
  const std::string path_;
  const Descriptor socket_;
};

}  // namespace

DevEnclave::DevEnclave(DevEnclave&& other) noexcept
    : plan_(std::move(other.plan_)),
      temporary_(std::exchange(other.temporary_, false)),
      daemon_(std::exchange(other.daemon_, std::nullopt)) {}

DevEnclave::~DevEnclave() {
  daemon_.reset();
  std::error_code error;
  if (temporary_) fs::remove_all(plan_.places.config_dir, error);
}

Status DevEnclave::MakeDirectory(const std::string& directory) {
  std::error_code error;
  std::string path = directory;
  if (path.empty()) {
    path = fs::temp_directory_path(error) / "keyclave-dev.XXXXXX";
    if (mkdtemp(path.data()) == nullptr) return ErrnoError(path);
    temporary_ = true;
  } else {
    path = fs::absolute(path, error).lexically_normal();
    fs::create_directories(path, error);
    if (error) return Fail(Code::kIo, path + ": " + error.message());
  }
  plan_.places = {path, path + "/state", path + "/keyclaved.sock"};
  plan_.development = true;
  // Servers drop root before their workers ask for a signature: everybody must get to the socket.
  if (temporary_ && chmod(path.c_str(), 0755) != 0) return ErrnoError(path);
  return Done{};
}

Status DevEnclave::StartDaemon(const Installation& installation, int interrupt) {
  const Descriptor log(
      open(LogFile().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (log.get() < 0) return ErrnoError(LogFile());
  ReadySocket ready(plan_.places.config_dir + "/ready.sock");
  KC_CHECK_OK(ready.Bind());
  SpawnOptions options;
  options.environment = {{"NOTIFY_SOCKET", ready.path()}};
  options.output = log.get();
  options.no_input = true;
  options.own_group = true;
  options.ends_with_parent = true;
  KC_ASSIGN(Child child,
            Child::Spawn({installation.daemon, "--config", plan_.places.DaemonConfig()}, options));
  daemon_.emplace(std::move(child));
  while (true) {
    std::array<pollfd, 3> events = {{{.fd = ready.fd(), .events = POLLIN, .revents = 0},
                                     {.fd = daemon_->pidfd(), .events = POLLIN, .revents = 0},
                                     {.fd = interrupt, .events = POLLIN, .revents = 0}}};
    const int count = poll(events.data(), events.size(), kStartPatience);
    if (count < 0 && errno == EINTR) continue;
    if (events[2].revents != 0) return Fail(Code::kUnreachable, "interrupted");
    if (events[0].revents != 0 && ready.IsReady()) return Done{};
    if (events[1].revents != 0) {
      return Fail(Code::kUnreachable, "keyclaved did not start:\n" + LogTail());
    }
    if (count <= 0) return Fail(Code::kUnreachable, "keyclaved is not ready:\n" + LogTail());
  }
}

Result<DevEnclave> DevEnclave::Start(const std::string& directory, const Installation& installation,
                                     int interrupt) {
  if (installation.daemon.empty()) {
    return Fail(Code::kNotFound, "keyclaved, beside keyclave in " + installation.programs);
  }
  DevEnclave enclave;
  KC_CHECK_OK(enclave.MakeDirectory(directory));
  std::error_code error;
  if (!fs::exists(enclave.places().DaemonConfig(), error)) {
    KC_ASSIGN(const auto written, WriteSetup(enclave.plan_, installation));
    const Status state = MakeState(enclave.plan_, installation);
    if (!state.ok()) {
      RemoveSetup(enclave.plan_);  // or the directory would pass for a whole one next time
      return state.error();
    }
  }
  KC_CHECK_OK(enclave.StartDaemon(installation, interrupt));
  return enclave;
}

std::string DevEnclave::LogTail() const {
  const Result<Bytes> log = ReadFile(LogFile(), kMaxLog);
  return log.ok() ? Tail(AsText(*log), kShownLines) : "";
}

}  // namespace keyclave::ctl
