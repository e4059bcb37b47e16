// STORE for pkcs11: and keyclave: URIs. A URI names objects of the enclave: private keys, public
// keys, certificates.

#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>
#include <openssl/store.h>

#include "ossl_provider/algorithms.h"
#include "ossl_provider/lookup.h"
#include "ossl_provider/params.h"

namespace keyclave::ossl {
namespace {

struct StoreContext {
  Context& context;
  client::KeyUri uri;
  int expect = 0;   // OSSL_STORE_INFO_…; 0: anything
  size_t next = 0;  // in Classes()
  bool delivered = false;
};

StoreContext& Ctx(void* ctx) { return *static_cast<StoreContext*>(ctx); }

// Which classes of object to look for, in order: the URI's, or what the application expects.
std::vector<uint64_t> Classes(const StoreContext& ctx) {
  if (ctx.uri.object.object_class) return {*ctx.uri.object.object_class};
  switch (ctx.expect) {
    case OSSL_STORE_INFO_PKEY: return {CKO_PRIVATE_KEY};
    case OSSL_STORE_INFO_PUBKEY: return {CKO_PUBLIC_KEY};
    case OSSL_STORE_INFO_CERT: return {CKO_CERTIFICATE};
    case 0: return {CKO_PRIVATE_KEY, CKO_CERTIFICATE};
    default: return {};
  }
}

void* Open(void* provctx, const char* uri) {
  auto& context = *static_cast<Context*>(provctx);
  return GuardPointer(context, [&]() -> Result<StoreContext*> {
    KC_CHECK_OK(context.CheckOthersActive());
    KC_ASSIGN(client::KeyUri parsed, client::ParseKeyUri(uri));
    return new StoreContext{context, std::move(parsed)};
  });
}

const OSSL_PARAM* Settable(void* /*provctx*/) {
  static const OSSL_PARAM params[] = {
      OSSL_PARAM_int(OSSL_STORE_PARAM_EXPECT, nullptr),
      OSSL_PARAM_utf8_string(OSSL_STORE_PARAM_PROPERTIES, nullptr, 0), OSSL_PARAM_END};
  return params;
}

int SetCtxParams(void* vctx, const OSSL_PARAM params[]) {
  StoreContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&]() -> Status {
    KC_ASSIGN(const auto expect, IntParam(params, OSSL_STORE_PARAM_EXPECT));
    if (expect) ctx.expect = *expect;
    return Done{};
  });
}

OSSL_PARAM TypeParam(int& object) {
  return OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &object);
}

int DeliverKey(Context& context, KeyPtr key, OSSL_CALLBACK* callback, void* argument) {
  const KeyType type = key->type();
  const KeyData data{context, type, std::move(key)};
  const KeyData* reference = &data;
  int object = OSSL_OBJECT_PKEY;
  const OSSL_PARAM params[] = {
      TypeParam(object),
      OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE,
                                       const_cast<char*>(KeyTypeName(type)), 0),
      OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_REFERENCE, &reference, sizeof(reference)),
      OSSL_PARAM_construct_end()};
  return callback(params, argument);
}

int DeliverCertificate(Bytes der, OSSL_CALLBACK* callback, void* argument) {
  int object = OSSL_OBJECT_CERT;
  const OSSL_PARAM params[] = {
      TypeParam(object),
      OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_DATA, der.data(), der.size()),
      OSSL_PARAM_construct_end()};
  return callback(params, argument);
}

// A certificate's DER, or a key; what the enclave has of one class under the URI.
struct Found {
  KeyPtr key;
  Bytes certificate;
};

Result<Found> Fetch(StoreContext& ctx, uint64_t object_class) {
  Found found;
  client::KeyUri uri = ctx.uri;
  uri.object.object_class = object_class;
  if (object_class == CKO_PRIVATE_KEY) {
    KC_ASSIGN(found.key, LoadPrivateKey(ctx.context, std::move(uri)));
    return found;
  }
  if (object_class != CKO_PUBLIC_KEY && object_class != CKO_CERTIFICATE)
    return Fail(Code::kUnsupported, "only keys and certificates can be loaded by URI");
  KC_ASSIGN(const wire::ObjectInfo object, FetchObject(ctx.context, uri));
  const Bytes* value =
      object.attributes.Find(object_class == CKO_CERTIFICATE ? CKA_VALUE : CKA_PUBLIC_KEY_INFO);
  if (value == nullptr) return Fail(Code::kUnsupported, "the object has no readable value");
  if (object_class == CKO_CERTIFICATE) {
    found.certificate = *value;
  } else {
    KC_ASSIGN(found.key, Key::FromSpki(ctx.context, *value, std::nullopt));
  }
  return found;
}

int Load(void* vctx, OSSL_CALLBACK* callback, void* argument, OSSL_PASSPHRASE_CALLBACK* /*pass*/,
         void* /*pass_argument*/) {
  StoreContext& ctx = Ctx(vctx);
  Found found;
  bool any = false;
  const int ran = Guard(ctx.context, [&]() -> Status {
    const std::vector<uint64_t> classes = Classes(ctx);
    while (!any && ctx.next < classes.size()) {
      auto fetched = Fetch(ctx, classes[ctx.next++]);
      if (fetched.ok()) {
        found = *std::move(fetched);
        any = true;
      } else if (fetched.code() != Code::kObjectNotFound ||
                 (ctx.next == classes.size() && !ctx.delivered)) {
        // Only if no class has an object is its absence an error.
        return std::move(fetched).error();
      }
    }
    return Done{};
  });
  if (ran == 0 || !any) return 0;
  ctx.delivered = true;
  if (found.key == nullptr)
    return DeliverCertificate(std::move(found.certificate), callback, argument);
  return DeliverKey(ctx.context, std::move(found.key), callback, argument);
}

int Eof(void* vctx) {
  const StoreContext& ctx = Ctx(vctx);
  int end = 1;
  Guard(ctx.context, [&]() -> Status {
    end = ctx.next >= Classes(ctx).size() ? 1 : 0;
    return Done{};
  });
  return end;
}

int Close(void* ctx) {
  delete static_cast<StoreContext*>(ctx);
  return 1;
}

// For a key manager of another provider: the public half of a public key. A private key stays, and
// libcrypto then takes this provider's own key manager.
int ExportObject(void* /*ctx*/, const void* reference, size_t size, OSSL_CALLBACK* callback,
                 void* argument) {
  const auto data = FromReference(reference, size);
  if (!data.ok() || (*data)->key->is_private()) return 0;
  return EVP_PKEY_export((*data)->key->public_key(), EVP_PKEY_PUBLIC_KEY, callback, argument);
}

#define KC_STORE(name, type, function) \
  KC_FN(OSSL_FUNC_STORE_##name, OSSL_FUNC_store_##type##_fn, function)

const OSSL_DISPATCH kFunctions[] = {KC_STORE(OPEN, open, Open),
                                    KC_STORE(SETTABLE_CTX_PARAMS, settable_ctx_params, Settable),
                                    KC_STORE(SET_CTX_PARAMS, set_ctx_params, SetCtxParams),
                                    KC_STORE(LOAD, load, Load),
                                    KC_STORE(EOF, eof, Eof),
                                    KC_STORE(CLOSE, close, Close),
                                    KC_STORE(EXPORT_OBJECT, export_object, ExportObject),
                                    {0, nullptr}};

}  // namespace

const OSSL_DISPATCH* UriStore() { return kFunctions; }

}  // namespace keyclave::ossl
