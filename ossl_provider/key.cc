#include "ossl_provider/key.h"

#include <openssl/core_names.h>

#include "ossl_provider/lookup.h"

namespace keyclave::ossl {
namespace {

Result<KeyType> TypeOf(EVP_PKEY* key) {
  for (const KeyType type : {KeyType::kRsa, KeyType::kRsaPss, KeyType::kEc}) {
    if (EVP_PKEY_is_a(key, KeyTypeName(type)) == 1) return type;
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

const char* KeyTypeName(KeyType type) {
  switch (type) {
    case KeyType::kRsa: return "RSA";
    case KeyType::kRsaPss: return "RSA-PSS";
    case KeyType::kEc: return "EC";
  }
  return "";
}

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

Result<std::string> Key::Uri(bool with_spki) const {
  if (!uri_) return Fail(Code::kActionProhibited, "a public key has no URI");
  return client::MakeUri(uri_->object, with_spki ? ByteSpan(spki_) : ByteSpan(), uri_->measurement);
}

template <wire::Op op>
Result<Bytes> Key::Use(Context& context, wire::Mechanism mechanism, ByteSpan input) const {
  if (!uri_) return Fail(Code::kActionProhibited, "this is a public key");
  KC_ASSIGN(client::Client * client, context.Client());
  typename wire::OpTraits<op>::Request request;
  request.key = uri_->object;
  request.mechanism = std::move(mechanism);
  request.input = ToBytes(input);
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
  if (!reply.ok()) return std::move(reply).error();
  return std::move(reply->output);
}

Result<Bytes> Key::Sign(Context& context, wire::Mechanism mechanism, ByteSpan input) const {
  return Use<wire::Op::kSign>(context, std::move(mechanism), input);
}

Result<Bytes> Key::Decrypt(Context& context, wire::Mechanism mechanism, ByteSpan input) const {
  return Use<wire::Op::kDecrypt>(context, std::move(mechanism), input);
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
