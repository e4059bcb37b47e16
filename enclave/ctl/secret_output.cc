#include "enclave/ctl/secret_output.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "enclave/base/file.h"
#include "enclave/base/file_pieces.h"
#include "enclave/ctl/process.h"

namespace keyclave::ctl {
namespace {

constexpr std::string_view kPlace = "{}";

// A file in memory with the secret, at its beginning, which cannot be changed any more. It is open
// in what this process becomes.
Result<int> SecretInMemory(const SecretBytes& secret) {
  const int fd = memfd_create("keyclave-secret", MFD_ALLOW_SEALING);
  if (fd < 0) return ErrnoError("memfd_create");
  ByteSpan rest = secret.Expose(SecretAccess());
  while (!rest.empty()) {
    const ssize_t written = write(fd, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoError("memfd");
    rest = rest.subspan(static_cast<size_t>(written));
  }
  constexpr int kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  if (fchmod(fd, S_IRUSR) != 0 || lseek(fd, 0, SEEK_SET) != 0 ||
      fcntl(fd, F_ADD_SEALS, kSeals) != 0)
    return ErrnoError("memfd");
  return fd;
}

// The words with the file's name at each place. False: there was no place.
bool FillPlaces(std::vector<std::string>& words, const std::string& name) {
  bool filled = false;
  for (std::string& word : words) {
    for (size_t at = word.find(kPlace); at != std::string::npos;
         at = word.find(kPlace, at + name.size())) {
      word.replace(at, kPlace.size(), name);
      filled = true;
    }
  }
  return filled;
}

}  // namespace

Status WriteSecretFile(const std::string& path, const SecretBytes& secret) {
  KC_ASSIGN(const auto file, NewFile::Create(path));
  KC_CHECK_OK(file->Write(secret.Expose(SecretAccess())));
  return file->Keep();
}

Error BecomeWithSecret(const SecretProgram& program, const SecretBytes& secret) {
  const ByteSpan bytes = secret.Expose(SecretAccess());
  Environment environment;
  if (!program.variable.empty()) {
    if (std::find(bytes.begin(), bytes.end(), uint8_t{0}) != bytes.end())
      return Fail(Code::kInvalidArgument,
                  "--env: the secret has a zero byte, and an environment cannot hold one");
    environment.emplace_back(program.variable, AsText(bytes));
  }
  const auto fd = SecretInMemory(secret);
  if (!fd.ok()) return fd.error();
  std::vector<std::string> words = program.words;
  const bool is_named = FillPlaces(words, "/proc/self/fd/" + std::to_string(*fd));
  if (!is_named) {
    if (program.variable.empty() && dup2(*fd, STDIN_FILENO) < 0) return ErrnoError("dup2");
    close(*fd);
  }
  return Become(words, environment);
}

}  // namespace keyclave::ctl
