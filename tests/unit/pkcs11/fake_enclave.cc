#include "tests/unit/pkcs11/fake_enclave.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "enclave/base/hash.h"

namespace keyclave::pkcs11::testing {
namespace {

using wire::Op;

std::string AsString(const SecretBytes& pin) {
  return std::string(AsText(pin.Expose(SecretAccess())));
}

std::vector<wire::MechanismInfo> Mechanisms() {
  const uint64_t sign = CKF_SIGN | CKF_VERIFY;
  const uint64_t crypt = CKF_ENCRYPT | CKF_DECRYPT | CKF_WRAP | CKF_UNWRAP;
  return {
      {CKM_RSA_PKCS_KEY_PAIR_GEN, 2048, 8192, CKF_GENERATE_KEY_PAIR},
      {CKM_AES_KEY_GEN, 16, 32, CKF_GENERATE},
      {CKM_RSA_PKCS, 2048, 8192, sign | crypt},
      {CKM_SHA256_RSA_PKCS, 2048, 8192, sign},
      {CKM_RSA_PKCS_PSS, 2048, 8192, sign},
      {CKM_SHA256_RSA_PKCS_PSS, 2048, 8192, sign},
      {CKM_RSA_PKCS_OAEP, 2048, 8192, crypt},
      {CKM_ECDSA, 256, 521, sign},
      {CKM_ECDSA_SHA256, 256, 521, sign},
      {CKM_AES_CBC, 16, 32, crypt},
      {CKM_AES_CBC_PAD, 16, 32, crypt},
      {CKM_AES_CTR, 16, 32, crypt},
      {CKM_AES_GCM, 16, 32, crypt},
      {CKM_SHA256_HMAC, 16, 64, sign},
      {CKM_ECDH1_DERIVE, 256, 521, CKF_DERIVE},
  };
}

}  // namespace

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

uint64_t FakeEnclave::epoch() {
  const std::lock_guard lock(mutex_);
  return epoch_;
}

uint64_t FakeEnclave::generation() {
  const std::lock_guard lock(mutex_);
  return generation_;
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

// ---- requests ----

template <Op op>
Result<typename wire::OpTraits<op>::Reply> FakeEnclave::Do(
    const typename wire::OpTraits<op>::Request& /*request*/) {
  return Fail(Code::kUnknownOperation, "the fake enclave does not do this");
}

template <>
Result<wire::ListTokensReply> FakeEnclave::Do<Op::kListTokens>(const wire::Empty& /*request*/) {
  return wire::ListTokensReply{tokens_, can_create_};
}

template <>
Result<wire::ListMechanismsReply> FakeEnclave::Do<Op::kListMechanisms>(
    const wire::Empty& /*request*/) {
  return wire::ListMechanismsReply{Mechanisms()};
}

template <>
Result<wire::CreateTokenReply> FakeEnclave::Do<Op::kInitToken>(
    const wire::InitTokenRequest& request) {
  wire::TokenInfo* token = request.token ? FindToken(*request.token) : nullptr;
  if (token == nullptr) {
    token = &tokens_.emplace_back();
    token->id[0] = static_cast<uint8_t>(0xa0 + tokens_.size());
    token->slot = tokens_.size() - 1;
    token->serial = "00112233445566bb";
    token->initialized = true;
  } else if (token->has_so_pin && pins_[token->id].second != AsString(request.so_pin)) {
    return Fail(Code::kPinIncorrect);
  }
  const wire::TokenId id = token->id;
  std::erase_if(objects_, [&](const auto& entry) { return entry.second.token == id; });
  ++epoch_;
  token->label = request.label;
  token->has_so_pin = true;
  token->so_tries_left = 10;
  token->has_user_pin = false;
  pins_[id] = {"", AsString(request.so_pin)};
  return wire::CreateTokenReply{*token};
}

template <>
Result<wire::Empty> FakeEnclave::Do<Op::kInitPin>(const wire::InitPinRequest& request) {
  pins_[request.token].first = AsString(request.pin);
  FindToken(request.token)->has_user_pin = true;
  FindToken(request.token)->user_tries_left = 10;
  return wire::Empty{};
}

template <>
Result<wire::Empty> FakeEnclave::Do<Op::kSetPin>(const wire::SetPinRequest& request) {
  std::string& pin = logins_[request.token] == wire::LoginState::kSecurityOfficer
                         ? pins_[request.token].second
                         : pins_[request.token].first;
  if (pin != AsString(request.old_pin)) return Fail(Code::kPinIncorrect);
  pin = AsString(request.new_pin);
  return wire::Empty{};
}

template <>
Result<wire::FindObjectsReply> FakeEnclave::Do<Op::kFindObjects>(
    const wire::FindObjectsRequest& request) {
  wire::FindObjectsReply reply;
  const auto begin = request.after ? objects_.upper_bound(*request.after) : objects_.begin();
  for (auto it = begin; it != objects_.end(); ++it) {
    const wire::ObjectInfo& info = it->second;
    if (info.token != request.token || !Visible(info)) continue;
    const bool matches = std::all_of(request.match.items.begin(), request.match.items.end(),
                                     [&](const wire::Attribute& wanted) {
                                       const Bytes* value = info.attributes.Find(wanted.type);
                                       return value != nullptr && *value == wanted.value;
                                     });
    if (!matches) continue;
    if (reply.objects.size() == request.limit) {
      reply.more = true;
      break;
    }
    reply.objects.push_back(info);
  }
  return reply;
}

template <>
Result<wire::ObjectReply> FakeEnclave::Do<Op::kGetObject>(const wire::GetObjectRequest& request) {
  KC_ASSIGN(const wire::ObjectInfo* info, FindById(request.object));
  return wire::ObjectReply{*info};
}

template <>
Result<wire::ObjectReply> FakeEnclave::Do<Op::kCreateObject>(
    const wire::CreateObjectRequest& request) {
  if (!request.attributes.Has(CKA_CLASS)) return Fail(Code::kTemplateIncomplete);
  return wire::ObjectReply{Insert(request.token, request.attributes)};
}

template <>
Result<wire::ObjectReply> FakeEnclave::Do<Op::kCopyObject>(const wire::CopyObjectRequest& request) {
  KC_ASSIGN(const wire::ObjectInfo* source, FindById(request.object));
  wire::AttributeList attributes = source->attributes;
  for (const wire::Attribute& change : request.attributes.items)
    attributes.Set(change.type, change.value);
  return wire::ObjectReply{Insert(source->token, std::move(attributes))};
}

template <>
Result<wire::Empty> FakeEnclave::Do<Op::kDestroyObject>(const wire::DestroyObjectRequest& request) {
  KC_ASSIGN(const wire::ObjectInfo* info, FindById(request.object));
  objects_.erase(wire::ObjectId(info->id));
  ++epoch_;
  return wire::Empty{};
}

template <>
Result<wire::ObjectReply> FakeEnclave::Do<Op::kSetAttributes>(
    const wire::SetAttributesRequest& request) {
  KC_ASSIGN(wire::ObjectInfo * info, FindById(request.object));
  for (const wire::Attribute& change : request.attributes.items)
    info->attributes.Set(change.type, change.value);
  ++epoch_;
  return wire::ObjectReply{*info};
}

template <>
Result<wire::ObjectReply> FakeEnclave::Do<Op::kGenerateKey>(
    const wire::GenerateKeyRequest& request) {
  wire::AttributeList attributes = request.attributes;
  attributes.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
  attributes.SetUlong(CKA_KEY_TYPE, CKK_AES);
  return wire::ObjectReply{Insert(request.token, std::move(attributes))};
}

template <>
Result<wire::KeyPairReply> FakeEnclave::Do<Op::kGenerateKeyPair>(
    const wire::GenerateKeyPairRequest& request) {
  wire::AttributeList public_key = request.public_attributes;
  public_key.SetUlong(CKA_CLASS, CKO_PUBLIC_KEY);
  wire::AttributeList private_key = request.private_attributes;
  private_key.SetUlong(CKA_CLASS, CKO_PRIVATE_KEY);
  return wire::KeyPairReply{Insert(request.token, std::move(public_key)),
                            Insert(request.token, std::move(private_key))};
}

// A signature is the SHA-256 of the input, filled up with 0x5a to the key's length.
template <>
Result<wire::OutputReply> FakeEnclave::Do<Op::kSign>(const wire::SignRequest& request) {
  KC_ASSIGN(const wire::ObjectInfo* key, FindById(request.key));
  last_ = request;
  size_t size = 32;
  if (key->attributes.Ulong(CKA_KEY_TYPE) == CKK_RSA) size = 256;
  if (key->attributes.Ulong(CKA_KEY_TYPE) == CKK_EC) size = 64;
  Bytes signature = ToBytes(Sha256(request.input));
  signature.resize(size, 0x5a);
  return wire::OutputReply{std::move(signature)};
}

template <>
Result<wire::Empty> FakeEnclave::Do<Op::kVerify>(const wire::VerifyRequest& request) {
  const wire::SignRequest sign{request.key, request.mechanism, request.input};
  KC_ASSIGN(const wire::OutputReply expected, Do<Op::kSign>(sign));
  if (expected.output != request.signature) return Fail(Code::kSignatureInvalid);
  return wire::Empty{};
}

// Ciphertext is the plaintext, each byte turned over; padded modes add a block of 16, GCM a tag of
// its length.
template <>
Result<wire::OutputReply> FakeEnclave::Do<Op::kEncrypt>(const wire::SignRequest& request) {
  KC_CHECK_OK(FindById(request.key).ok() ? Status() : Status(Fail(Code::kObjectNotFound)));
  last_ = request;
  Bytes output = request.input;
  const bool blocks = request.mechanism.type == CKM_AES_CBC;
  if (blocks && output.size() % 16 != 0) return Fail(Code::kDataLenRange);
  if (request.mechanism.type == CKM_AES_CBC_PAD) {
    const auto pad = static_cast<uint8_t>(16 - output.size() % 16);
    output.insert(output.end(), pad, pad);
  }
  if (request.mechanism.type == CKM_AES_GCM)
    output.insert(output.end(), request.mechanism.gcm->tag_bits / 8, 0x77);
  if (request.mechanism.type == CKM_RSA_PKCS) output.resize(256, 0x99);
  for (uint8_t& byte : output) byte = static_cast<uint8_t>(~byte);
  return wire::OutputReply{std::move(output)};
}

template <>
Result<wire::OutputReply> FakeEnclave::Do<Op::kDecrypt>(const wire::SignRequest& request) {
  KC_CHECK_OK(FindById(request.key).ok() ? Status() : Status(Fail(Code::kObjectNotFound)));
  last_ = request;
  Bytes output = request.input;
  for (uint8_t& byte : output) byte = static_cast<uint8_t>(~byte);
  if (request.mechanism.type == CKM_AES_CBC_PAD) {
    if (output.empty() || output.size() % 16 != 0) return Fail(Code::kEncryptedDataLenRange);
    if (output.back() < 1 || output.back() > 16) return Fail(Code::kEncryptedDataInvalid);
    output.resize(output.size() - output.back());
  }
  if (request.mechanism.type == CKM_AES_GCM) {
    const size_t tag = request.mechanism.gcm->tag_bits / 8;
    if (output.size() < tag) return Fail(Code::kEncryptedDataLenRange);
    if (std::any_of(output.end() - static_cast<ptrdiff_t>(tag), output.end(),
                    [](uint8_t b) { return b != 0x77; })) {
      return Fail(Code::kEncryptedDataInvalid);
    }
    output.resize(output.size() - tag);
  }
  if (request.mechanism.type == CKM_RSA_PKCS) output.resize(5);
  return wire::OutputReply{std::move(output)};
}

template <>
Result<wire::OutputReply> FakeEnclave::Do<Op::kWrapKey>(const wire::WrapKeyRequest& /*request*/) {
  return wire::OutputReply{Bytes(40, 0x42)};
}

template <>
Result<wire::ObjectReply> FakeEnclave::Do<Op::kUnwrapKey>(const wire::UnwrapKeyRequest& request) {
  KC_ASSIGN(const wire::ObjectInfo* key, FindById(request.unwrapping_key));
  return wire::ObjectReply{Insert(key->token, request.attributes)};
}

template <>
Result<wire::OutputReply> FakeEnclave::Do<Op::kRandom>(const wire::RandomRequest& request) {
  return wire::OutputReply{Bytes(request.size, static_cast<uint8_t>(counts_[Op::kRandom]))};
}

template <Op op>
Result<Bytes> FakeEnclave::Run(ByteSpan fields) {
  auto request = wire::Decode<typename wire::OpTraits<op>::Request>(fields);
  if (!request.ok()) return request.error();
  const auto reply = Do<op>(*request);
  if (!reply.ok()) return reply.error();
  return wire::Encode(*reply);
}

Result<Bytes> FakeEnclave::Answer(Op op, ByteSpan fields) {
  const std::lock_guard lock(mutex_);
  ++counts_[op];
  if (unreachable_) return Fail(Code::kUnreachable);
  if (const auto failure = failures_.find(op); failure != failures_.end()) {
    const Code code = failure->second;
    failures_.erase(failure);
    return Fail(code);
  }
  switch (op) {
#define KC_OP(number, name, deadline_factor) \
  case Op::k##name:                          \
    return Run<Op::k##name>(fields);
#include "enclave/wire/ops.inc"
#undef KC_OP
  }
  return Fail(Code::kUnknownOperation);
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
Result<Bytes> Client::CallRaw(wire::Op op, Bytes fields) {
  return FakeEnclave::Get().Answer(op, fields);
}
uint64_t Client::epoch() const { return FakeEnclave::Get().epoch(); }
uint64_t Client::generation() const { return FakeEnclave::Get().generation(); }
Status Client::Login(const wire::TokenId& token, wire::LoginState user, SecretBytes pin) {
  return FakeEnclave::Get().Login(token, user, std::move(pin));
}
Status Client::Logout(const wire::TokenId& token) { return FakeEnclave::Get().Logout(token); }

}  // namespace keyclave::client
