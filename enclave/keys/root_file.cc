#include "enclave/keys/root_file.h"

#include <sys/stat.h>

#include <cerrno>

#include "enclave/base/file.h"
#include "enclave/base/hash.h"
#include "enclave/keys/key_schedule.h"

namespace keyclave::keys {
namespace {

constexpr std::string_view kFirstLine = "keyclave-root-secret 2";
constexpr std::string_view kEnclaveField = "enclave ";
constexpr std::string_view kSealingField = "sealing ";
constexpr std::string_view kSealedField = "sealed ";
constexpr size_t kMaxSealed = 8192;                // bytes
constexpr size_t kMaxFile = 2 * kMaxSealed + 256;  // bytes

// ToHex would leave the secret of a simulated enclave in a string that nobody wipes.
void PutHex(std::span<uint8_t>& to, ByteSpan bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const uint8_t byte : bytes) {
    to[0] = static_cast<uint8_t>(kDigits[byte >> 4]);
    to[1] = static_cast<uint8_t>(kDigits[byte & 15]);
    to = to.subspan(2);
  }
}

void PutText(std::span<uint8_t>& to, std::string_view text) {
  std::copy(text.begin(), text.end(), to.begin());
  to = to.subspan(text.size());
}

SecretBytes RootFileText(std::string_view sealing, ByteSpan enclave_id, const SecretBytes& sealed) {
  const std::string head = std::string(kFirstLine) + "\n" + std::string(kEnclaveField) +
                           ToHex(enclave_id) + "\n" + std::string(kSealingField) +
                           std::string(sealing) + "\n" + std::string(kSealedField);
  SecretBytes text(head.size() + 2 * sealed.size() + 1);
  std::span<uint8_t> to = text.ExposeMutable(SecretAccess());
  PutText(to, head);
  PutHex(to, sealed.Expose(SecretAccess()));
  PutText(to, "\n");
  return text;
}

// The line that begins so, without its beginning.
Result<std::string_view> TakeLine(std::string_view& rest, std::string_view beginning) {
  const size_t end = rest.find('\n');
  if (end == std::string_view::npos || !rest.starts_with(beginning))
    return Fail(Code::kRootSecretInvalid, "it does not have the lines of one");
  const std::string_view line = rest.substr(beginning.size(), end - beginning.size());
  rest.remove_prefix(end + 1);
  return line;
}

bool IsHex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

Result<SecretBytes> OpenRootFile(ByteSpan text, const RootSealer& sealer) {
  if (text.size() > kMaxFile)
    return Fail(Code::kRootSecretInvalid, "more than " + std::to_string(kMaxFile) + " bytes");
  std::string_view rest = AsText(text);
  KC_ASSIGN(const std::string_view first, TakeLine(rest, kFirstLine));
  KC_ASSIGN(const std::string_view enclave, TakeLine(rest, kEnclaveField));
  KC_ASSIGN(const std::string_view sealing, TakeLine(rest, kSealingField));
  KC_ASSIGN(const std::string_view sealed_hex, TakeLine(rest, kSealedField));
  if (!first.empty() || !rest.empty())
    return Fail(Code::kRootSecretInvalid, "it does not have the lines of one");
  if (sealing != sealer.Name())
    return Fail(Code::kRootSecretInvalid,
                "it is not sealed by " + sealer.Name() + " as keyclaved.yaml has it" +
                    (sealing.size() <= 16 && sealing.find_first_not_of(
                                                 "abcdefghijklmnopqrstuvwxyz-") == sealing.npos
                         ? ", but by " + std::string(sealing)
                         : ""));
  Result<Bytes> raw = FromHex(sealed_hex);
  if (!raw.ok() || !IsHex(sealed_hex))
    return Fail(Code::kRootSecretInvalid, "what is sealed is not in lower-case hexadecimal");
  const SecretBytes sealed = SecretBytes::Take(*raw);
  KC_ASSIGN(SecretBytes secret, sealer.Unseal(sealed.Expose(SecretAccess())));
  if (secret.size() != kRootSecretSize || ToHex(KeySchedule(secret).EnclaveId()) != enclave)
    return Fail(Code::kRootSecretInvalid, "secret and enclave id do not fit: a line was changed");
  return secret;
}

Result<SecretBytes> CreateRootSecret(const std::string& path, const RootSealer& sealer) {
  SecretBytes secret(kRootSecretSize);
  RandomFill(secret.ExposeMutable(SecretAccess()));
  KC_CHECK_OK(WriteRootSecret(path, sealer, secret));
  return secret;
}

Status WriteRootSecret(const std::string& path, const RootSealer& sealer,
                       const SecretBytes& secret) {
  KC_ASSIGN(Bytes raw, sealer.Seal(secret));
  const SecretBytes sealed = SecretBytes::Take(raw);
  const SecretBytes text = RootFileText(sealer.Name(), KeySchedule(secret).EnclaveId(), sealed);
  return WriteNewFile(path, text.Expose(SecretAccess()), 0600);
}

Result<SecretBytes> ReadRootSecret(const std::string& path, const RootSealer& sealer) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0)
    return errno == ENOENT ? Fail(Code::kStoreMissing, path) : ErrnoError(path);
  if ((info.st_mode & 077U) != 0)
    return Fail(Code::kPermissionDenied,
                path +
                    ": others than its owner may use it; chmod 600 it, and count it as known if "
                    "it was so for long");
  KC_ASSIGN(Bytes raw, ReadFile(path, kMaxFile + 1));
  const SecretBytes text = SecretBytes::Take(raw);
  Result<SecretBytes> secret = OpenRootFile(text.Expose(SecretAccess()), sealer);
  if (!secret.ok()) return secret.error().In(path);
  return secret;
}

}  // namespace keyclave::keys
