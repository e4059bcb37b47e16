#include "ossl_provider/lookup.h"

#include "enclave/base/clock.h"

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

namespace {

// The object itself, whatever it is called later.
wire::ObjectRef RefTo(const wire::ObjectInfo& object, const client::KeyUri& uri) {
  wire::ObjectRef ref;
  ref.id = object.id;
  ref.policies = uri.object.policies;
  return ref;
}

bool IsUsable(const wire::ObjectInfo& object) {
  const uint64_t until = object.attributes.Ulong(kCkaUseUntil).value_or(0);
  return !object.attributes.IsTrue(kCkaStaged) &&
         (until == 0 || static_cast<uint64_t>(SystemClock().Now()) < until);
}

uint64_t VersionOf(const wire::ObjectInfo& object) {
  return object.attributes.Ulong(kCkaVersion).value_or(1);
}

// All versions of the key that the URI names by its label, in service or draining: `current` first.
Result<std::vector<wire::ObjectInfo>> Versions(Context& context, const client::KeyUri& uri,
                                               wire::ObjectInfo current) {
  std::vector<wire::ObjectInfo> versions;
  const bool line = current.attributes.Has(kCkaVersion) || !uri.version.empty();
  const wire::TokenId token = current.token;
  versions.push_back(std::move(current));
  if (!line) return versions;
  KC_ASSIGN(client::Client * client, context.Client());
  wire::FindObjectsRequest request;
  request.token = token;
  request.match.SetUlong(CKA_CLASS, CKO_PRIVATE_KEY);
  request.match.SetText(CKA_LABEL, *uri.object.label);
  request.limit = 256;
  request.versions = true;
  KC_ASSIGN(auto reply, client->Call<wire::Op::kFindObjects>(request, uri.measurement));
  for (wire::ObjectInfo& object : reply.objects) {
    if (object.id != versions.front().id && IsUsable(object)) versions.push_back(std::move(object));
  }
  return versions;
}

// The one version that a number names.
Result<wire::ObjectInfo> Pick(std::vector<wire::ObjectInfo> versions, const std::string& number) {
  for (wire::ObjectInfo& object : versions) {
    if (std::to_string(VersionOf(object)) == number) return std::move(object);
  }
  return Fail(Code::kObjectNotFound, "version " + number + " (x-keyclave-version)");
}

// From the enclave's own answer: the version in service with those that still may be used, or the
// one object that the URI names.
Result<KeyPtr> FetchPrivateKey(Context& context, client::KeyUri uri) {
  KC_ASSIGN(wire::ObjectInfo object, FetchObject(context, uri));
  std::vector<wire::ObjectInfo> versions;
  const bool by_label = uri.object.label && !uri.object.cka_id;
  if (by_label) {
    KC_ASSIGN(versions, Versions(context, uri, std::move(object)));
  } else {
    versions.push_back(std::move(object));
  }
  if (!uri.version.empty() && uri.version != client::kCurrentVersion) {
    KC_ASSIGN(wire::ObjectInfo one, Pick(std::move(versions), uri.version));
    versions.clear();
    versions.push_back(std::move(one));
  }
  std::vector<std::pair<Bytes, wire::ObjectRef>> found;
  for (const wire::ObjectInfo& version : versions) {
    const Bytes* spki = version.attributes.Find(CKA_PUBLIC_KEY_INFO);
    if (spki == nullptr || spki->empty())
      return Fail(Code::kUnsupported, "the enclave has no public key for this key");
    found.emplace_back(*spki, RefTo(version, uri));
  }
  return Key::FromVersions(context, std::move(found), std::move(uri));
}

}  // namespace

Result<KeyPtr> LoadPrivateKey(Context& context, client::KeyUri uri) {
  if (uri.object.object_class.value_or(CKO_PRIVATE_KEY) != CKO_PRIVATE_KEY)
    return Fail(Code::kInvalidArgument, "the URI names no private key (type=private)");
  uri.object.object_class = CKO_PRIVATE_KEY;
  KC_CHECK_OK(KeepPin(uri));
  // A label is the name of another key after the next rotation; only an id says which key has this
  // public half.
  if (uri.spki.empty() || !uri.object.cka_id) return FetchPrivateKey(context, std::move(uri));
  // Read the configuration now, while this process still may: a server's workers inherit it, and
  // have often dropped the right to read the file. A failure shows at the first use.
  (void)context.Client().ok();
  Bytes spki = uri.spki;
  return Key::FromSpki(context, spki, std::move(uri));
}

}  // namespace keyclave::ossl
