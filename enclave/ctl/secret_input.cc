#include "enclave/ctl/secret_input.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <iostream>

#include "enclave/base/file.h"

namespace keyclave::ctl {
namespace {

constexpr size_t kMaxSecret = 1024;  // bytes
constexpr char kInterrupt = 3;       // Ctrl-C
constexpr char kEndOfInput = 4;      // Ctrl-D
constexpr char kEraseLine = 21;      // Ctrl-U

// The terminal with echo, line editing and signals off; as it was when the object goes. Signals are
// off so that Ctrl-C cannot end the program while the echo is off.
class SilentTerminal {
 public:
  SilentTerminal() : fd_(open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    ok_ = fd_ >= 0 && tcgetattr(fd_, &before_) == 0;
    if (!ok_) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | ISIG);
    silent.c_cc[VMIN] = 1;
    silent.c_cc[VTIME] = 0;
    ok_ = tcsetattr(fd_, TCSAFLUSH, &silent) == 0;
  }
  SilentTerminal(const SilentTerminal&) = delete;
  SilentTerminal& operator=(const SilentTerminal&) = delete;
  ~SilentTerminal() {
    if (ok_) tcsetattr(fd_, TCSAFLUSH, &before_);
    if (fd_ >= 0) close(fd_);
  }
  bool ok() const { return ok_; }
  void Write(std::string_view text) const {
    // A prompt that cannot be shown does not keep a person from typing.
    [[maybe_unused]] const ssize_t written = write(fd_, text.data(), text.size());
  }
  // nullopt at the end of the terminal.
  std::optional<char> ReadKey() const {
    char key = 0;
    return read(fd_, &key, 1) == 1 ? std::optional(key) : std::nullopt;
  }

 private:
  int fd_;
  bool ok_ = false;
  termios before_{};
};

Error NothingGiven(const std::string& what) {
  return Fail(Code::kInvalidArgument, what + " is empty");
}

}  // namespace

Result<SecretBytes> AskSecret(const std::string& prompt) {
  const SilentTerminal terminal;
  if (!terminal.ok()) {
    return Fail(Code::kInvalidArgument,
                "there is no terminal to ask for the " + prompt + ": give it in a file");
  }
  terminal.Write(prompt + ": ");
  SecretBytes typed(kMaxSecret);
  size_t size = 0;
  while (const std::optional<char> key = terminal.ReadKey()) {
    if (*key == '\n' || *key == '\r') {
      terminal.Write("\n");
      if (size == 0) return NothingGiven(prompt);
      typed.Truncate(size);
      return typed;
    }
    if (*key == kInterrupt || *key == kEndOfInput) break;
    if (*key == kEraseLine) {
      size = 0;
    } else if (*key == '\x7f' || *key == '\b') {
      if (size > 0) --size;
    } else if (size < kMaxSecret) {
      typed.ExposeMutable(SecretAccess())[size++] = static_cast<uint8_t>(*key);
    }
  }
  terminal.Write("\n");
  return Fail(Code::kInvalidArgument, "no " + prompt + " was given");
}

Result<SecretBytes> AskNewSecret(const std::string& what) {
  KC_ASSIGN(SecretBytes first, AskSecret("New " + what));
  KC_ASSIGN(const SecretBytes second, AskSecret("New " + what + " again"));
  if (!(first == second))
    return Fail(Code::kInvalidArgument, "the two differ; nothing was changed");
  return first;
}

Result<SecretBytes> ReadSecretFile(const std::string& path) {
  KC_ASSIGN(const Bytes file, ReadFile(path == "-" ? "/dev/stdin" : path, kMaxSecret));
  ByteSpan line(file);
  line = line.first(static_cast<size_t>(std::find(line.begin(), line.end(), '\n') - line.begin()));
  if (!line.empty() && line.back() == '\r') line = line.first(line.size() - 1);
  if (line.empty()) return NothingGiven(path == "-" ? "standard input" : path);
  return SecretBytes::CopyOf(line);
}

Result<bool> Confirm(const std::string& question) {
  if (isatty(STDIN_FILENO) != 1) {
    return Fail(Code::kInvalidArgument, question + " Nobody can answer here: say --yes");
  }
  std::cerr << question << " Type yes: ";
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "yes";
}

}  // namespace keyclave::ctl
