#include "enclave/keys/root_file.h"

#include <sys/stat.h>

#include <cerrno>

#include "enclave/base/byte_reader.h"
#include "enclave/base/file.h"
#include "enclave/base/hash.h"
#include "enclave/keys/key_schedule.h"
#include "enclave/keys/seal.h"

namespace keyclave::keys {
namespace {

constexpr std::string_view kFirstLine = "keyclave-root-secret 2";
constexpr std::string_view kFirstLineOfKeyring = "keyclave-root-secret 3";
constexpr std::string_view kEnclaveField = "enclave ";
constexpr std::string_view kSealingField = "sealing ";
constexpr std::string_view kSealedField = "sealed ";
constexpr std::string_view kKeyringField = "keyring ";
constexpr size_t kMaxSealed = 8192;                // bytes
constexpr size_t kMaxFile = 4 * kMaxSealed + 256;  // bytes

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

Bytes KeyringLabel(ByteSpan enclave_id) {
  ByteWriter out;
  out.PutPrefixed(AsBytes("keyclave/root-keyring/1"));
  out.PutPrefixed(enclave_id);
  return std::move(out).Finish();
}

// `keyring` is empty in a file of one secret.
SecretBytes RootFileText(std::string_view sealing, ByteSpan enclave_id, const SecretBytes& sealed,
                         ByteSpan keyring) {
  const std::string head = std::string(keyring.empty() ? kFirstLine : kFirstLineOfKeyring) + "\n" +
                           std::string(kEnclaveField) + ToHex(enclave_id) + "\n" +
                           std::string(kSealingField) + std::string(sealing) + "\n" +
                           std::string(kSealedField);
  const std::string tail =
      keyring.empty() ? "\n" : "\n" + std::string(kKeyringField) + ToHex(keyring) + "\n";
  SecretBytes text(head.size() + 2 * sealed.size() + tail.size());
  std::span<uint8_t> to = text.ExposeMutable(SecretAccess());
  PutText(to, head);
  PutHex(to, sealed.Expose(SecretAccess()));
  PutText(to, tail);
  return text;
}

// One secret is sealed itself; more of them under a key that is, as platforms seal little at once.
Result<SecretBytes> MakeRootFile(const RootSealer& sealer, const RootKeyring& keyring) {
  if (!keyring.IsValid()) return Fail(Code::kRootSecretInvalid, "a keyring that cannot be");
  const ByteArray<16> id = KeySchedule(keyring.first()).EnclaveId();
  if (keyring.secrets.size() == 1 && keyring.member_key.empty()) {
    KC_ASSIGN(Bytes raw, sealer.Seal(keyring.first()));
    const SecretBytes sealed = SecretBytes::Take(raw);
    return RootFileText(sealer.Name(), id, sealed, {});
  }
  SecretBytes file_key(kRootSecretSize);
  RandomFill(file_key.ExposeMutable(SecretAccess()));
  KC_ASSIGN(Bytes raw, sealer.Seal(file_key));
  const SecretBytes sealed = SecretBytes::Take(raw);
  KC_ASSIGN(const Bytes ring,
            Seal(file_key, KeyringLabel(id), keyring.Encode().Expose(SecretAccess())));
  return RootFileText(sealer.Name(), id, sealed, ring);
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

Status CheckSealing(std::string_view sealing, const RootSealer& sealer) {
  if (sealing == sealer.Name()) return Done{};
  const bool is_name = sealing.size() <= 16 &&
                       sealing.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == sealing.npos;
  return Fail(Code::kRootSecretInvalid, "it is not sealed by " + sealer.Name() +
                                            " as keyclaved.yaml has it" +
                                            (is_name ? ", but by " + std::string(sealing) : ""));
}

Result<Bytes> TakeHex(std::string_view text, std::string_view what) {
  Result<Bytes> raw = FromHex(text);
  if (raw.ok() && IsHex(text)) return raw;
  return Fail(Code::kRootSecretInvalid, std::string(what) + " is not in lower-case hexadecimal");
}

}  // namespace

Result<RootKeyring> OpenRootFile(ByteSpan text, const RootSealer& sealer) {
  if (text.size() > kMaxFile)
    return Fail(Code::kRootSecretInvalid, "more than " + std::to_string(kMaxFile) + " bytes");
  std::string_view rest = AsText(text);
  const bool has_ring = rest.starts_with(kFirstLineOfKeyring);
  KC_ASSIGN(const std::string_view first,
            TakeLine(rest, has_ring ? kFirstLineOfKeyring : kFirstLine));
  KC_ASSIGN(const std::string_view enclave, TakeLine(rest, kEnclaveField));
  KC_ASSIGN(const std::string_view sealing, TakeLine(rest, kSealingField));
  KC_ASSIGN(const std::string_view sealed_hex, TakeLine(rest, kSealedField));
  std::string_view ring_hex;
  if (has_ring) {
    KC_ASSIGN(ring_hex, TakeLine(rest, kKeyringField));
  }
  if (!first.empty() || !rest.empty())
    return Fail(Code::kRootSecretInvalid, "it does not have the lines of one");
  KC_CHECK_OK(CheckSealing(sealing, sealer));
  KC_ASSIGN(Bytes raw, TakeHex(sealed_hex, "what is sealed"));
  const SecretBytes sealed = SecretBytes::Take(raw);
  KC_ASSIGN(const Bytes ring, TakeHex(ring_hex, "the keyring"));
  KC_ASSIGN(SecretBytes secret, sealer.Unseal(sealed.Expose(SecretAccess())));
  if (secret.size() != kRootSecretSize)
    return Fail(Code::kRootSecretInvalid, "what is sealed is no secret of this enclave's");
  RootKeyring keyring(secret);
  if (has_ring) {
    KC_ASSIGN(const Bytes id, TakeHex(enclave, "the enclave's id"));
    Result<Bytes> opened = Unseal(secret, KeyringLabel(id), ring);
    if (!opened.ok())
      return Fail(Code::kRootSecretInvalid, "the keyring does not open: a line was changed");
    KC_ASSIGN(keyring, RootKeyring::Decode(SecretBytes::Take(*opened)));
  }
  if (ToHex(KeySchedule(keyring.first()).EnclaveId()) != enclave)
    return Fail(Code::kRootSecretInvalid, "secret and enclave id do not fit: a line was changed");
  return keyring;
}

Result<SecretBytes> CreateRootSecret(const std::string& path, const RootSealer& sealer) {
  SecretBytes secret(kRootSecretSize);
  RandomFill(secret.ExposeMutable(SecretAccess()));
  KC_CHECK_OK(WriteRootSecret(path, sealer, secret));
  return secret;
}

Status WriteRootSecret(const std::string& path, const RootSealer& sealer,
                       const RootKeyring& keyring) {
  KC_ASSIGN(const SecretBytes text, MakeRootFile(sealer, keyring));
  return WriteNewFile(path, text.Expose(SecretAccess()), 0600);
}

Status ReplaceRootSecret(const std::string& path, const RootSealer& sealer,
                         const RootKeyring& keyring) {
  KC_ASSIGN(const SecretBytes text, MakeRootFile(sealer, keyring));
  return ReplaceFile(path, text.Expose(SecretAccess()), 0600);
}

Result<RootKeyring> ReadRootSecret(const std::string& path, const RootSealer& sealer) {
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
  Result<RootKeyring> secret = OpenRootFile(text.Expose(SecretAccess()), sealer);
  if (!secret.ok()) return secret.error().In(path);
  return secret;
}

}  // namespace keyclave::keys
