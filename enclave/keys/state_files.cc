#include "enclave/keys/state_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "enclave/base/byte_reader.h"
#include "enclave/base/file.h"
#include "enclave/base/hash.h"
#include "enclave/keys/key_schedule.h"
#include "enclave/keys/object_store.h"

namespace keyclave::keys {
namespace {

constexpr std::string_view kFirstLine = "keyclave-root-secret 1\n";
constexpr std::string_view kEnclaveField = "enclave ";
constexpr std::string_view kSecretField = "secret ";
constexpr size_t kFileSize = 23 + 8 + 32 + 1 + 7 + 64 + 1;

void PutHex(ByteWriter& out, ByteSpan bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const uint8_t byte : bytes) {
    out.PutBe(static_cast<uint8_t>(kDigits[byte >> 4]));
    out.PutBe(static_cast<uint8_t>(kDigits[byte & 15]));
  }
}

Bytes RootSecretText(const SecretBytes& secret) {
  ByteWriter out;
  out.Put(AsBytes(kFirstLine));
  out.Put(AsBytes(kEnclaveField));
  PutHex(out, KeySchedule(secret).EnclaveId());
  out.Put(AsBytes("\n"));
  out.Put(AsBytes(kSecretField));
  // ToHex would leave the secret in a string that nobody wipes.
  PutHex(out, secret.Expose(SecretAccess()));
  out.Put(AsBytes("\n"));
  return std::move(out).Finish();
}

Result<bool> Exists(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) == 0) return true;
  if (errno == ENOENT) return false;
  return ErrnoError(path);
}

// Takes back what an InitState that failed has made, and nothing else.
class Leftovers {
 public:
  Leftovers() = default;
  Leftovers(const Leftovers&) = delete;
  Leftovers& operator=(const Leftovers&) = delete;
  ~Leftovers() {
    for (auto path = made_.rbegin(); path != made_.rend(); ++path) std::remove(path->c_str());
  }
  void Made(std::string path) { made_.push_back(std::move(path)); }
  void Keep() { made_.clear(); }

 private:
  std::vector<std::string> made_;
};

// Says of any store that it is newer than what was seen before, and then makes the witness anew.
class AcceptingWitness final : public Witness {
 public:
  AcceptingWitness(std::string path, std::unique_ptr<Witness> fresh)
      : path_(std::move(path)), fresh_(std::move(fresh)) {}
  std::string Name() const override { return path_; }
  Result<Mark> Read() override { return Mark{}; }
  Status Advance(const Mark& mark) override {
    if (unlink(path_.c_str()) != 0 && errno != ENOENT) return ErrnoError(path_);
    return fresh_->Advance(mark);
  }

 private:
  const std::string path_;
  const std::unique_ptr<Witness> fresh_;
};

}  // namespace

Result<SecretBytes> ParseRootSecret(ByteSpan text) {
  if (text.size() != kFileSize)
    return Fail(Code::kRootSecretInvalid,
                std::to_string(text.size()) + " bytes instead of " + std::to_string(kFileSize));
  ByteReader in(text);
  KC_ASSIGN(const ByteSpan first, in.Take(kFirstLine.size()));
  KC_ASSIGN(const ByteSpan enclave_field, in.Take(kEnclaveField.size()));
  KC_ASSIGN(const ByteSpan enclave_hex, in.Take(32));
  KC_ASSIGN(const ByteSpan first_newline, in.Take(1));
  KC_ASSIGN(const ByteSpan secret_field, in.Take(kSecretField.size()));
  KC_ASSIGN(const ByteSpan secret_hex, in.Take(2 * kRootSecretSize));
  KC_ASSIGN(const ByteSpan second_newline, in.Take(1));
  KC_CHECK_OK(in.ExpectEnd());
  if (AsText(first) != kFirstLine || AsText(enclave_field) != kEnclaveField ||
      AsText(secret_field) != kSecretField || first_newline[0] != '\n' || second_newline[0] != '\n')
    return Fail(Code::kRootSecretInvalid, "it does not have the lines of one");
  Result<Bytes> raw = FromHex(AsText(secret_hex));
  if (!raw.ok()) return Fail(Code::kRootSecretInvalid, "the secret is not hexadecimal");
  SecretBytes secret = SecretBytes::Take(*raw);
  if (ToHex(KeySchedule(secret).EnclaveId()) != AsText(enclave_hex))
    return Fail(Code::kRootSecretInvalid, "secret and enclave id do not fit: a line was changed");
  return secret;
}

Result<SecretBytes> CreateRootSecret(const std::string& path) {
  SecretBytes secret(kRootSecretSize);
  RandomFill(secret.ExposeMutable(SecretAccess()));
  KC_CHECK_OK(WriteNewFile(path, RootSecretText(secret), 0600));
  return secret;
}

Result<SecretBytes> ReadRootSecret(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0)
    return errno == ENOENT ? Fail(Code::kStoreMissing, path) : ErrnoError(path);
  if ((info.st_mode & 077U) != 0)
    return Fail(Code::kPermissionDenied,
                path +
                    ": others than its owner may use it; chmod 600 it, and count it as known if "
                    "it was so for long");
  KC_ASSIGN(const Bytes text, ReadFile(path, kFileSize + 1));
  Result<SecretBytes> secret = ParseRootSecret(text);
  if (!secret.ok()) return secret.error().In(path);
  return secret;
}

Status InitState(const std::string& directory) {
  const std::string root = StateFiles::Root(directory);
  const std::string store_path = StateFiles::Store(directory);
  const std::string witness_path = StateFiles::Witness(directory);
  Leftovers leftovers;
  if (mkdir(directory.c_str(), 0700) == 0) {
    leftovers.Made(directory);
  } else if (errno != EEXIST) {
    return ErrnoError(directory);
  }
  for (const std::string& path : {root, store_path, store_path + "-wal", witness_path}) {
    KC_ASSIGN(const bool exists, Exists(path));
    if (exists) return Fail(Code::kStoreExists, path);
  }
  KC_ASSIGN(SecretBytes secret, CreateRootSecret(root));
  leftovers.Made(root);
  KC_ASSIGN(auto store, store::OpenSqliteStore(store_path, true));
  leftovers.Made(store_path);
  auto witness = MakeFileWitness(witness_path, secret);
  // Closed before the leftovers go, which takes the write-ahead log away.
  KC_ASSIGN(const auto vault,
            Vault::Create(std::move(store), std::move(witness), std::move(secret)));
  leftovers.Keep();
  return Done{};
}

Status AcceptStore(const std::string& directory) {
  KC_ASSIGN(SecretBytes secret, ReadRootSecret(StateFiles::Root(directory)));
  KC_ASSIGN(auto store, store::OpenSqliteStore(StateFiles::Store(directory), false));
  const std::string path = StateFiles::Witness(directory);
  auto accepting = std::make_unique<AcceptingWitness>(path, MakeFileWitness(path, secret));
  KC_ASSIGN(const auto opened, ObjectStore::OpenWith(std::move(store), std::move(accepting),
                                                     std::move(secret), false));
  return Done{};
}

}  // namespace keyclave::keys
