#include "ossl_provider/lookup.h"

namespace keyclave::ossl {
namespace {

// What the URI asks for, for error texts; a URI is made anew so that no PIN can be in it.
std::string Describe(const wire::ObjectRef& object) {
  const auto uri = client::MakeUri(object);
  return uri.ok() ? *uri : "the URI";
}

// Reads the PIN of pin-source now, while this process still may: a server's workers have dropped
// the right to. It stays in ordinary (wiped) memory, because SecretBytes are empty in a forked
// child.
Status KeepPin(client::KeyUri& uri) {
  if (!uri.pin_source) return Done{};
  KC_ASSIGN(const SecretBytes pin, client::ReadPin(uri));
  uri.pin_value = ToBytes(pin.Expose(SecretAccess()));
  uri.pin_source.reset();
  return Done{};
}

}  // namespace

Result<wire::TokenInfo> FindToken(client::Client& client, const client::KeyUri& uri) {
  const wire::ObjectRef& object = uri.object;
  KC_ASSIGN(const wire::ListTokensReply reply,
            client.Call<wire::Op::kListTokens>({}, uri.measurement));
  const wire::TokenInfo* found = nullptr;
  for (const wire::TokenInfo& token : reply.tokens) {
    if (object.token_label && token.label != *object.token_label) continue;
    if (object.token_serial && token.serial != *object.token_serial) continue;
    if (found != nullptr) return Fail(Code::kObjectAmbiguous, "the URI fits more than one token");
    found = &token;
  }
  if (found == nullptr) return Fail(Code::kTokenNotFound);
  return *found;
}

Status LoginWithUriPin(client::Client& client, const client::KeyUri& uri) {
  KC_ASSIGN(SecretBytes pin, client::ReadPin(uri));
  KC_ASSIGN(const wire::TokenInfo token, FindToken(client, uri));
  if (token.login == wire::LoginState::kUser) return Done{};
  if (token.user_tries_left == 1)
    return Fail(Code::kPinLocked, "one try is left, and it is not spent on the PIN of a URI");
  const Status login = client.Login(token.id, wire::LoginState::kUser, std::move(pin));
  // Another thread was first.
  if (!login.ok() && login.code() == Code::kAlreadyLoggedIn) return Done{};
  return login;
}

Result<wire::ObjectInfo> FetchObject(Context& context, const client::KeyUri& uri) {
  KC_ASSIGN(client::Client * client, context.Client());
  wire::GetObjectRequest request;
  request.object = uri.object;
  auto reply = client->Call<wire::Op::kGetObject>(request, uri.measurement);
  // Without a login the enclave hides a token's private objects.
  if (!reply.ok() && uri.HasPin() &&
      (reply.code() == Code::kNotLoggedIn || reply.code() == Code::kObjectNotFound)) {
    KC_CHECK_OK(LoginWithUriPin(*client, uri));
    reply = client->Call<wire::Op::kGetObject>(request, uri.measurement);
  }
  if (!reply.ok()) return reply.error().In(Describe(uri.object));
  return std::move(reply->object);
}

Result<KeyPtr> LoadPrivateKey(Context& context, client::KeyUri uri) {
  if (uri.object.object_class.value_or(CKO_PRIVATE_KEY) != CKO_PRIVATE_KEY)
    return Fail(Code::kInvalidArgument, "the URI names no private key (type=private)");
  uri.object.object_class = CKO_PRIVATE_KEY;
  KC_CHECK_OK(KeepPin(uri));
  if (uri.spki.empty()) {
    KC_ASSIGN(const wire::ObjectInfo object, FetchObject(context, uri));
    const Bytes* spki = object.attributes.Find(CKA_PUBLIC_KEY_INFO);
    if (spki == nullptr || spki->empty())
      return Fail(Code::kUnsupported, "the enclave has no public key for this key");
    uri.spki = *spki;
  } else {
    // Read the configuration now, while this process still may: a server's workers inherit it, and
    // have often dropped the right to read the file. A failure shows at the first use.
    (void)context.Client().ok();
  }
  Bytes spki = uri.spki;
  return Key::FromSpki(context, spki, std::move(uri));
}

}  // namespace keyclave::ossl
