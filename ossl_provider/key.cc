#include "ossl_provider/key.h"

#include <openssl/core_names.h>

#include "ossl_provider/lookup.h"

namespace keyclave::ossl {
namespace {

Result<KeyType> TypeOf(const EVP_PKEY* key) {
  if (const char* name = EVP_PKEY_get0_type_name(key)) {
    if (const auto type = FindKeyType(name)) return *type;
  }
  return Fail(Code::kUnsupported, "keys of this algorithm");
}

Result<Bytes> EncodeSpki(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  const Memory owned(der);
  if (size <= 0) return Fail(Code::kMalformed, "a public key that cannot be encoded");
  return ToBytes(FromC(der, static_cast<size_t>(size)));
}

}  // namespace

Key::Key(KeyType type, std::vector<KeyVersion> versions, std::optional<client::KeyUri> uri)
    : type_(type), versions_(std::move(versions)), uri_(std::move(uri)) {}

const KeyVersion& Key::Version() const {
  const size_t settled = settled_.load(std::memory_order_acquire);
  return versions_[settled == kOpen ? 0 : settled];
}

bool Key::Matches(EVP_PKEY* public_key) const {
  if (versions_.size() == 1)
    return EVP_PKEY_eq(versions_.front().public_key.get(), public_key) == 1;
  for (size_t i = 0; i < versions_.size(); ++i) {
    if (EVP_PKEY_eq(versions_[i].public_key.get(), public_key) != 1) continue;
    size_t open = kOpen;
    return settled_.compare_exchange_strong(open, i, std::memory_order_acq_rel) || open == i;
  }
  return false;
}

namespace {

Result<EvpPkey> DecodeSpki(const Context& context, ByteSpan spki) {
  const ErrorMark mark(context.core());
  const unsigned char* in = spki.data();
  EvpPkey public_key(
      d2i_PUBKEY_ex(nullptr, &in, static_cast<long>(spki.size()), context.libctx(), nullptr));
  if (public_key == nullptr || in != spki.data() + spki.size() ||
      EVP_PKEY_get_size(public_key.get()) <= 0) {
    return Fail(Code::kMalformed, "the public key (x-keyclave-spki, CKA_PUBLIC_KEY_INFO)");
  }
  return public_key;
}

}  // namespace

Result<KeyPtr> Key::FromVersions(const Context& context,
                                 std::vector<std::pair<Bytes, wire::ObjectRef>> versions,
                                 std::optional<client::KeyUri> uri) {
  std::vector<KeyVersion> made;
  std::optional<KeyType> type;
  for (auto& [spki, object] : versions) {
    KC_ASSIGN(EvpPkey public_key, DecodeSpki(context, spki));
    KC_ASSIGN(const KeyType own, TypeOf(public_key.get()));
    if (type.value_or(own) != own) continue;
    type = own;
    made.push_back({std::move(public_key), std::move(spki), std::move(object)});
  }
  if (!type) return Fail(Code::kInternal, "a key without a version");
  return KeyPtr(new Key(*type, std::move(made), std::move(uri)));
}

Result<KeyPtr> Key::FromSpki(const Context& context, ByteSpan spki,
                             std::optional<client::KeyUri> uri) {
  const wire::ObjectRef object = uri ? uri->object : wire::ObjectRef{};
  return FromVersions(context, {{ToBytes(spki), object}}, std::move(uri));
}

Result<KeyPtr> Key::FromParams(const Context& context, KeyType type, const OSSL_PARAM params[]) {
  const ErrorMark mark(context.core());
  const EvpPkeyCtx ctx(EVP_PKEY_CTX_new_from_name(context.libctx(), KeyTypeName(type), nullptr));
  EVP_PKEY* made = nullptr;
  if (ctx == nullptr || EVP_PKEY_fromdata_init(ctx.get()) != 1 ||
      EVP_PKEY_fromdata(ctx.get(), &made, EVP_PKEY_PUBLIC_KEY, const_cast<OSSL_PARAM*>(params)) !=
          1) {
    return Fail(Code::kMalformed, "the parameters of a public key");
  }
  EvpPkey public_key(made);
  KC_ASSIGN(Bytes spki, EncodeSpki(public_key.get()));
  std::vector<KeyVersion> versions;
  versions.push_back({std::move(public_key), std::move(spki)});
  return KeyPtr(new Key(type, std::move(versions), std::nullopt));
}

Result<KeyPtr> Key::WithPublicKey(const Context& context, ByteSpan encoded) const {
  Bytes copy = ToBytes(encoded);
  char group[64] = "";
  size_t size = 0;
  const bool named = EVP_PKEY_get_group_name(public_key(), group, sizeof(group), &size) == 1;
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, copy.data(), copy.size()),
      named ? OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0)
            : OSSL_PARAM_construct_end(),
      OSSL_PARAM_construct_end()};
  return FromParams(context, type_, params);
}

Result<std::string> Key::Uri(bool with_spki) const {
  if (!uri_) return Fail(Code::kActionProhibited, "a public key has no URI");
  const bool pinned = with_spki && uri_->object.cka_id.has_value();
  return client::MakeUri(uri_->object, pinned ? ByteSpan(spki()) : ByteSpan(), uri_->measurement,
                         uri_->version);
}

template <wire::Op op>
Result<typename wire::OpTraits<op>::Reply> Key::Ask(
    Context& context, const typename wire::OpTraits<op>::Request& request) const {
  KC_ASSIGN(client::Client * client, context.Client());
  auto reply = client->Call<op>(request, uri_->measurement);
  // A token with a PIN: log in and ask again. A child of fork() and a process whose daemon has
  // forgotten it come here too, so no login state is kept.
  if (!reply.ok() && reply.code() == Code::kNotLoggedIn && uri_->HasPin()) {
    if (pin_refused_.load(std::memory_order_relaxed))
      return Fail(Code::kPinIncorrect, "it was refused before and is not sent again");
    const Status login = LoginWithUriPin(*client, *uri_);
    if (!login.ok() && login.code() == Code::kPinIncorrect)
      pin_refused_.store(true, std::memory_order_relaxed);
    KC_CHECK_OK(login);
    reply = client->Call<op>(request, uri_->measurement);
  }
  return reply;
}

template <wire::Op op>
Result<Bytes> Key::Use(Context& context, wire::Mechanism mechanism, ByteSpan input) const {
  if (!uri_) return Fail(Code::kActionProhibited, "this is a public key");
  KC_ASSIGN(auto reply, Ask<op>(context, {Version().object, std::move(mechanism), ToBytes(input)}));
  return std::move(reply.output);
}

Result<Bytes> Key::Sign(Context& context, wire::Mechanism mechanism, ByteSpan input) const {
  return Use<wire::Op::kSign>(context, std::move(mechanism), input);
}

Result<Bytes> Key::Decrypt(Context& context, wire::Mechanism mechanism, ByteSpan input) const {
  return Use<wire::Op::kDecrypt>(context, std::move(mechanism), input);
}

namespace {

// A session key whose value its maker may read.
wire::AttributeList ReadableSecret(size_t size) {
  wire::AttributeList attributes;
  attributes.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
  attributes.SetUlong(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
  attributes.SetBool(CKA_TOKEN, false);
  attributes.SetBool(CKA_SENSITIVE, false);
  attributes.SetBool(CKA_EXTRACTABLE, true);
  if (size != 0) attributes.SetUlong(CKA_VALUE_LEN, size);
  return attributes;
}

// The secret of a session key that the enclave made for us; the key itself is not needed any more.
Result<SecretBytes> TakeSecret(client::Client& client, const wire::ObjectInfo& made) {
  wire::GetObjectRequest get;
  get.object.id = made.id;
  auto reply = client.Call<wire::Op::kGetObject>(get);
  wire::DestroyObjectRequest destroy;
  destroy.object.id = made.id;
  // If this fails the key ends with the session.
  (void)client.Call<wire::Op::kDestroyObject>(destroy).ok();
  if (!reply.ok()) return reply.error();
  for (wire::Attribute& attribute : reply->object.attributes.items) {
    if (attribute.type != CKA_VALUE || attribute.value.empty()) continue;
    SecretBytes secret = SecretBytes::CopyOf(attribute.value);
    Wipe(attribute.value);
    return secret;
  }
  return Fail(Code::kReplyMismatch, "a secret without its value");
}

}  // namespace

Result<SecretBytes> Key::Derive(Context& context, wire::Mechanism mechanism, size_t size) const {
  if (!uri_) return Fail(Code::kActionProhibited, "this is a public key");
  KC_ASSIGN(const auto reply,
            Ask<wire::Op::kDeriveKey>(
                context, {Version().object, std::move(mechanism), ReadableSecret(size)}));
  KC_ASSIGN(client::Client * client, context.Client());
  return TakeSecret(*client, reply.object);
}

Result<SecretBytes> Key::Decapsulate(Context& context, wire::Mechanism mechanism,
                                     ByteSpan ciphertext) const {
  if (!uri_) return Fail(Code::kActionProhibited, "this is a public key");
  KC_ASSIGN(const auto reply,
            Ask<wire::Op::kDecapsulateKey>(context, {Version().object, std::move(mechanism),
                                                     ToBytes(ciphertext), ReadableSecret(0)}));
  KC_ASSIGN(client::Client * client, context.Client());
  return TakeSecret(*client, reply.object);
}

Result<const KeyData*> FromReference(const void* reference, size_t size) {
  if (reference == nullptr || size != sizeof(const KeyData*))
    return Fail(Code::kInvalidArgument, "the object reference is not this provider's");
  const KeyData* data = *static_cast<const KeyData* const*>(reference);
  if (data == nullptr || data->key == nullptr)
    return Fail(Code::kInvalidArgument, "the object reference is empty");
  return data;
}

}  // namespace keyclave::ossl
