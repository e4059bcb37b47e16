// What the enclave in memory answers to each request.
#include "enclave/base/hash.h"
#include "enclave/wire/pkcs11_numbers.h"
#include "tests/unit/pkcs11/fake_enclave.h"

namespace keyclave::pkcs11::testing {
namespace {

using wire::Op;

std::vector<wire::MechanismInfo> Mechanisms() {
  const uint64_t sign = CKF_SIGN | CKF_VERIFY;
  const uint64_t crypt = CKF_ENCRYPT | CKF_DECRYPT | CKF_WRAP | CKF_UNWRAP;
  return {
      {CKM_RSA_PKCS_KEY_PAIR_GEN, 2048, 8192, CKF_GENERATE_KEY_PAIR},
      {CKM_AES_KEY_GEN, 16, 32, CKF_GENERATE},
      {CKM_RSA_PKCS, 2048, 8192,
       sign | crypt | CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER | CKF_ENCAPSULATE | CKF_DECAPSULATE},
      {CKM_SHA512_256, 0, 0, CKF_DIGEST},
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

// Logins for one use: those not yet used.
template <>
Result<wire::ReauthenticateReply> FakeEnclave::Do<Op::kReauthenticate>(
    const wire::ReauthenticateRequest& request) {
  KC_ASSIGN(const wire::ObjectInfo* key, FindById(request.key));
  const std::string& wanted = pins_[key->token].first;
  if (wanted != (request.pin ? AsString(*request.pin) : "")) return Fail(Code::kPinIncorrect);
  const uint64_t login = counts_[Op::kReauthenticate];
  use_logins_.insert(login);
  return wire::ReauthenticateReply{login};
}

Status FakeEnclave::UseLogin(const wire::ObjectInfo& key, const wire::ObjectRef& ref) {
  if (!key.attributes.IsTrue(CKA_ALWAYS_AUTHENTICATE)) return Done{};
  if (ref.login && use_logins_.erase(*ref.login) == 1) return Done{};
  return Fail(Code::kNotLoggedIn);
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
  KC_CHECK_OK(UseLogin(*key, request.key));
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
  KC_ASSIGN(const wire::ObjectInfo* key, FindById(request.key));
  KC_CHECK_OK(UseLogin(*key, request.key));
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
Result<wire::EncapsulateKeyReply> FakeEnclave::Do<Op::kEncapsulateKey>(
    const wire::EncapsulateKeyRequest& request) {
  KC_ASSIGN(const wire::ObjectInfo* key, FindById(request.public_key));
  return wire::EncapsulateKeyReply{Insert(key->token, request.attributes), Bytes(256, 0x33)};
}

template <>
Result<wire::ObjectReply> FakeEnclave::Do<Op::kDecapsulateKey>(
    const wire::DecapsulateKeyRequest& request) {
  KC_ASSIGN(const wire::ObjectInfo* key, FindById(request.private_key));
  if (request.ciphertext != Bytes(256, 0x33)) return Fail(Code::kWrappedKeyInvalid);
  return wire::ObjectReply{Insert(key->token, request.attributes)};
}

template <>
Result<wire::OutputReply> FakeEnclave::Do<Op::kSignRecover>(const wire::SignRequest& request) {
  return Do<Op::kSign>(request);
}

template <>
Result<wire::OutputReply> FakeEnclave::Do<Op::kVerifyRecover>(const wire::SignRequest& request) {
  return wire::OutputReply{Bytes(request.input.begin(), request.input.begin() + 5)};
}

// The length of the input, as far as a digest has room for it.
template <>
Result<wire::OutputReply> FakeEnclave::Do<Op::kDigest>(const wire::DigestRequest& request) {
  return wire::OutputReply{Bytes(32, static_cast<uint8_t>(request.input.size()))};
}

template <>
Result<wire::OutputReply> FakeEnclave::Do<Op::kRandom>(const wire::RandomRequest& request) {
  return wire::OutputReply{Bytes(request.size, static_cast<uint8_t>(counts_[Op::kRandom]))};
}

template <Op op>
Result<Bytes> FakeEnclave::Run(ByteSpan fields) {
  auto request = wire::OpCodec<op>::DecodeRequest(fields);
  if (!request.ok()) return request.error();
  const auto reply = Do<op>(*request);
  if (!reply.ok()) return reply.error();
  return wire::OpCodec<op>::EncodeReply(*reply);
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

}  // namespace keyclave::pkcs11::testing
