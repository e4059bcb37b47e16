#include "enclave/ops/pin.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "enclave/base/byte_reader.h"
#include "enclave/base/hash.h"

namespace keyclave::ops {
namespace {

constexpr int kIterations = 20000;
constexpr size_t kVerifierSize = 32;
constexpr size_t kSaltSize = 16;

Result<Bytes> Verifier(const SecretBytes& pin, const Bytes& salt) {
  const std::string_view text = AsText(pin.Expose(SecretAccess()));
  Bytes verifier(kVerifierSize);
  if (PKCS5_PBKDF2_HMAC(text.data(), static_cast<int>(text.size()), salt.data(),
                        static_cast<int>(salt.size()), kIterations, EVP_sha256(),
                        static_cast<int>(verifier.size()), verifier.data()) != 1) {
    return Fail(Code::kCryptoFailed, "PBKDF2");
  }
  return verifier;
}

// Tries are counted one at a time, so that many at once get no more tries than one after another.
Mutex& TryMutex() {
  static auto* const kMutex = new Mutex;
  return *kMutex;
}

}  // namespace

keys::PinRecord& PinOf(keys::Token& token, wire::LoginState user) {
  return user == wire::LoginState::kSecurityOfficer ? token.so_pin : token.user_pin;
}

Result<keys::PinRecord> MakePin(const SecretBytes& pin, const keys::PinRecord& old) {
  if (pin.size() < kMinPin || pin.size() > kMaxPin) {
    return Fail(Code::kPinLenRange, "a PIN has " + std::to_string(kMinPin) + " to " +
                                        std::to_string(kMaxPin) + " bytes");
  }
  keys::PinRecord record;
  const auto salt = RandomArray<kSaltSize>();
  record.salt.assign(salt.begin(), salt.end());
  KC_ASSIGN(record.verifier, Verifier(pin, record.salt));
  record.tries_left = kPinTries;
  record.generation = old.generation + 1;
  return record;
}

Status CheckPin(Call& call, const wire::TokenId& id, wire::LoginState user,
                const SecretBytes& pin) {
  const MutexLock lock(TryMutex());
  KC_ASSIGN(keys::Token token, call.service.store.FindToken(id));
  keys::PinRecord& record = PinOf(token, user);
  if (record.salt.empty()) return Fail(Code::kPinNotSet);
  if (record.tries_left == 0) return Fail(Code::kPinLocked);
  KC_ASSIGN(const Bytes verifier, Verifier(pin, record.salt));
  if (EqualConstantTime(verifier, record.verifier)) {
    if (record.tries_left == kPinTries) return Done{};
    record.tries_left = kPinTries;
    return call.service.store.UpdateToken(token);
  }
  --record.tries_left;
  const bool locked = record.tries_left == 0;
  KC_CHECK_OK(call.service.store.UpdateToken(token));
  KC_CHECK_OK(call.service.audit.Write(
      "wrong-pin", {{"token", token.Serial()},
                    {"tries_left", locked ? "0" : std::to_string(record.tries_left)}}));
  return Fail(Code::kPinIncorrect);
}

Result<Bytes> MakeTicket(Call& call, const keys::Token& token, wire::LoginState user) {
  keys::Token copy = token;
  ByteWriter subject;
  subject.PutPrefixed(token.id);
  subject.PutBe(static_cast<uint8_t>(user));
  subject.PutBe(PinOf(copy, user).generation);
  subject.PutPrefixed(call.session.tls_key());
  const SecretBytes key = call.service.store.DeriveKey("login-ticket", 32);
  const ByteSpan raw_key = key.Expose(SecretAccess());
  Bytes ticket(32);
  unsigned size = 0;
  if (HMAC(EVP_sha256(), raw_key.data(), static_cast<int>(raw_key.size()), subject.bytes().data(),
           subject.bytes().size(), ticket.data(), &size) == nullptr ||
      size != ticket.size()) {
    return Fail(Code::kCryptoFailed, "HMAC");
  }
  return ticket;
}

}  // namespace keyclave::ops
