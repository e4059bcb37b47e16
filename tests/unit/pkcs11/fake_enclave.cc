#include "tests/unit/pkcs11/fake_enclave.h"

namespace keyclave::pkcs11::testing {
using wire::Op;

std::string AsString(const SecretBytes& pin) {
  return std::string(AsText(pin.Expose(SecretAccess())));
}

FakeEnclave& FakeEnclave::Get() {
  static auto* const kEnclave = new FakeEnclave;
  return *kEnclave;
}

void FakeEnclave::Reset() {
  const std::lock_guard lock(mutex_);
  tokens_.clear();
  pins_.clear();
  logins_.clear();
  objects_.clear();
  counts_.clear();
  failures_.clear();
  last_.reset();
  can_create_ = false;
  unreachable_ = false;
  epoch_ = 1;
  ++generation_;
  next_id_ = 1;
  wire::TokenInfo token;
  token.id[0] = 0xaa;
  token.label = "first";
  token.serial = "00112233445566aa";
  token.initialized = true;
  tokens_.push_back(token);
}

void FakeEnclave::SetPins(const std::string& user, const std::string& officer) {
  const std::lock_guard lock(mutex_);
  pins_[tokens_[0].id] = {user, officer};
  tokens_[0].has_user_pin = !user.empty();
  tokens_[0].has_so_pin = !officer.empty();
  tokens_[0].user_tries_left = 10;
  tokens_[0].so_tries_left = 10;
}

void FakeEnclave::SetCanCreate(bool can_create) {
  const std::lock_guard lock(mutex_);
  can_create_ = can_create;
}

void FakeEnclave::SetUnreachable(bool unreachable) {
  const std::lock_guard lock(mutex_);
  unreachable_ = unreachable;
}

void FakeEnclave::FailNext(Op op, Code code) {
  const std::lock_guard lock(mutex_);
  failures_[op] = code;
}

wire::ObjectInfo FakeEnclave::Insert(const wire::TokenId& token, wire::AttributeList attributes) {
  wire::ObjectInfo info;
  info.id[0] = next_id_++;
  info.token = token;
  info.attributes = std::move(attributes);
  if (!info.attributes.Has(CKA_TOKEN)) info.attributes.SetBool(CKA_TOKEN, false);
  if (!info.attributes.Has(CKA_PRIVATE)) info.attributes.SetBool(CKA_PRIVATE, false);
  objects_[info.id] = info;
  ++epoch_;
  return info;
}

wire::ObjectId FakeEnclave::Plant(wire::AttributeList attributes) {
  const std::lock_guard lock(mutex_);
  attributes.SetBool(CKA_TOKEN, true);
  return Insert(tokens_[0].id, std::move(attributes)).id;
}

void FakeEnclave::Change(const wire::ObjectId& id, uint64_t type, ByteSpan value) {
  const std::lock_guard lock(mutex_);
  objects_.at(id).attributes.Set(type, value);
  ++epoch_;
}

void FakeEnclave::Vanish(const wire::ObjectId& id) {
  const std::lock_guard lock(mutex_);
  objects_.erase(id);
  ++epoch_;
}

uint64_t FakeEnclave::Count(Op op) {
  const std::lock_guard lock(mutex_);
  return counts_[op];
}

uint64_t FakeEnclave::Total() {
  const std::lock_guard lock(mutex_);
  uint64_t total = 0;
  for (const auto& [op, count] : counts_) total += count;
  return total;
}

std::optional<wire::SignRequest> FakeEnclave::last_operation() {
  const std::lock_guard lock(mutex_);
  return last_;
}

size_t FakeEnclave::object_count() {
  const std::lock_guard lock(mutex_);
  return objects_.size();
}

bool FakeEnclave::logged_in() {
  const std::lock_guard lock(mutex_);
  return logins_[tokens_[0].id] != wire::LoginState::kNone;
}

void FakeEnclave::Restart() {
  const std::lock_guard lock(mutex_);
  ++generation_;
  std::erase_if(objects_,
                [](const auto& entry) { return !entry.second.attributes.IsTrue(CKA_TOKEN); });
}

Status FakeEnclave::Login(const wire::TokenId& token, wire::LoginState user, SecretBytes pin) {
  const std::lock_guard lock(mutex_);
  ++counts_[Op::kLogin];
  if (unreachable_) return Fail(Code::kUnreachable);
  const auto& [user_pin, so_pin] = pins_[token];
  const std::string& wanted = user == wire::LoginState::kUser ? user_pin : so_pin;
  if (wanted.empty()) return Fail(Code::kPinNotSet);
  if (wanted != AsString(pin)) return Fail(Code::kPinIncorrect);
  logins_[token] = user;
  return Done{};
}

Status FakeEnclave::Logout(const wire::TokenId& token) {
  const std::lock_guard lock(mutex_);
  ++counts_[Op::kLogout];
  if (unreachable_) return Fail(Code::kUnreachable);
  if (logins_[token] == wire::LoginState::kNone) return Fail(Code::kNotLoggedIn);
  logins_[token] = wire::LoginState::kNone;
  return Done{};
}

bool FakeEnclave::Visible(const wire::ObjectInfo& info) const {
  if (!info.attributes.IsTrue(CKA_PRIVATE)) return true;
  const auto pins = pins_.find(info.token);
  if (pins == pins_.end() || pins->second.first.empty()) return true;
  const auto login = logins_.find(info.token);
  return login != logins_.end() && login->second == wire::LoginState::kUser;
}

Result<wire::ObjectInfo*> FakeEnclave::FindById(const wire::ObjectRef& ref) {
  const auto found = objects_.find(ref.id.value());
  if (found == objects_.end() || !Visible(found->second)) return Fail(Code::kObjectNotFound);
  return &found->second;
}

wire::TokenInfo* FakeEnclave::FindToken(const wire::TokenId& id) {
  for (wire::TokenInfo& token : tokens_) {
    if (token.id == id) return &token;
  }
  return nullptr;
}

// ---- objects that tests begin with ----

wire::AttributeList RsaKey() {
  wire::AttributeList key;
  key.SetUlong(CKA_CLASS, CKO_PRIVATE_KEY);
  key.SetUlong(CKA_KEY_TYPE, CKK_RSA);
  key.SetText(CKA_LABEL, "rsa");
  key.Set(CKA_MODULUS, Bytes(256, 0xc1));
  for (const CK_ATTRIBUTE_TYPE usage :
       {CKA_SIGN, CKA_VERIFY, CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP})
    key.SetBool(usage, true);
  key.SetBool(CKA_SENSITIVE, true);
  key.SetBool(CKA_EXTRACTABLE, false);
  return key;
}

wire::AttributeList EcKey() {
  wire::AttributeList key = RsaKey();
  key.SetUlong(CKA_KEY_TYPE, CKK_EC);
  key.SetText(CKA_LABEL, "ec");
  key.Remove(CKA_MODULUS);
  key.Set(CKA_EC_PARAMS, FromHex("06082a8648ce3d030107").value());
  return key;
}

wire::AttributeList AesKey() {
  wire::AttributeList key = RsaKey();
  key.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
  key.SetUlong(CKA_KEY_TYPE, CKK_AES);
  key.SetText(CKA_LABEL, "aes");
  key.Remove(CKA_MODULUS);
  key.SetUlong(CKA_VALUE_LEN, 16);
  return key;
}

}  // namespace keyclave::pkcs11::testing

// ---- the client that the module calls ----

namespace keyclave::client {

using pkcs11::testing::FakeEnclave;

class Client::State {};

Client::Client(ClientConfig config) : config_(std::move(config)) {}
Client::~Client() = default;
Result<Bytes> Client::CallRaw(wire::Op op, Bytes fields, const std::string& /*measurement*/,
                              bool /*makes*/) {
  return FakeEnclave::Get().Answer(op, fields);
}
Client::Making::Making(const Client& /*client*/) : state_(nullptr) {}
Client::Making::~Making() = default;
void Client::NoteObject(const wire::ObjectInfo& /*object*/) {}
void Client::ForgetObject(const wire::ObjectRef& /*object*/) {}
uint64_t Client::epoch() const { return FakeEnclave::Get().epoch(); }
uint64_t Client::generation() const { return FakeEnclave::Get().generation(); }
Status Client::Login(const wire::TokenId& token, wire::LoginState user, SecretBytes pin) {
  return FakeEnclave::Get().Login(token, user, std::move(pin));
}
Status Client::Logout(const wire::TokenId& token) { return FakeEnclave::Get().Logout(token); }

}  // namespace keyclave::client
