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

Key::Key(KeyType type, EvpPkey public_key, Bytes spki, std::optional<client::KeyUri> uri)
    : type_(type),
      public_key_(std::move(public_key)),
      spki_(std::move(spki)),
      uri_(std::move(uri)),
      max_output_(static_cast<size_t>(EVP_PKEY_get_size(public_key_.get()))) {}

Result<KeyPtr> Key::FromSpki(const Context& context, ByteSpan spki,
                             std::optional<client::KeyUri> uri) {
  const ErrorMark mark(context.core());
  const unsigned char* in = spki.data();
  EvpPkey public_key(
      d2i_PUBKEY_ex(nullptr, &in, static_cast<long>(spki.size()), context.libctx(), nullptr));
  if (public_key == nullptr || in != spki.data() + spki.size())
    return Fail(Code::kMalformed, "the public key (x-keyclave-spki, CKA_PUBLIC_KEY_INFO)");
  KC_ASSIGN(const KeyType type, TypeOf(public_key.get()));
  if (EVP_PKEY_get_size(public_key.get()) <= 0) return Fail(Code::kMalformed, "the public key");
  return KeyPtr(new Key(type, std::move(public_key), ToBytes(spki), std::move(uri)));
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
  return KeyPtr(new Key(type, std::move(public_key), std::move(spki), std::nullopt));
}

Result<KeyPtr> Key::WithPublicKey(const Context& context, ByteSpan encoded) const {
  Bytes copy = ToBytes(encoded);
  char group[64] = "";
  size_t size = 0;
  const bool named = EVP_PKEY_get_group_name(public_key_.get(), group, sizeof(group), &size) == 1;
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, copy.data(), copy.size()),
      named ? OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0)
            : OSSL_PARAM_construct_end(),
      OSSL_PARAM_construct_end()};
  return FromParams(context, type_, params);
}

Result<std::string> Key::Uri(bool with_spki) const {
  if (!uri_) return Fail(Code::kActionProhibited, "a public key has no URI");
  return client::MakeUri(uri_->object, with_spki ? ByteSpan(spki_) : ByteSpan(), uri_->measurement);
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
  KC_ASSIGN(auto reply, Ask<op>(context, {uri_->object, std::move(mechanism), ToBytes(input)}));
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
  const auto reply = client.Call<wire::Op::kGetObject>(get);
  wire::DestroyObjectRequest destroy;
  destroy.object.id = made.id;
  // If this fails the key ends with the session.
  (void)client.Call<wire::Op::kDestroyObject>(destroy).ok();
  if (!reply.ok()) return reply.error();
  const Bytes* value = reply->object.attributes.Find(CKA_VALUE);
  if (value == nullptr || value->empty())
    return Fail(Code::kReplyMismatch, "a secret without its value");
  return SecretBytes::CopyOf(*value);
}

}  // namespace

Result<SecretBytes> Key::Derive(Context& context, wire::Mechanism mechanism, size_t size) const {
  if (!uri_) return Fail(Code::kActionProhibited, "this is a public key");
  KC_ASSIGN(const auto reply,
            Ask<wire::Op::kDeriveKey>(context,
                                      {uri_->object, std::move(mechanism), ReadableSecret(size)}));
  KC_ASSIGN(client::Client * client, context.Client());
  return TakeSecret(*client, reply.object);
}

Result<SecretBytes> Key::Decapsulate(Context& context, wire::Mechanism mechanism,
                                     ByteSpan ciphertext) const {
  if (!uri_) return Fail(Code::kActionProhibited, "this is a public key");
  KC_ASSIGN(const auto reply,
            Ask<wire::Op::kDecapsulateKey>(context, {uri_->object, std::move(mechanism),
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
