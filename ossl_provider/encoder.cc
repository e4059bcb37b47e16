// ENCODER: public keys as the default provider writes them, and in place of a private key its
// reference, which is all that can leave the enclave.

#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>

#include "ossl_provider/algorithms.h"
#include "ossl_provider/key.h"
#include "ossl_provider/params.h"

namespace keyclave::ossl {
namespace {

struct EncoderContext {
  Context& context;
  bool encrypt = false;  // the application asked for an encrypted private key
};

EncoderContext& Ctx(void* ctx) { return *static_cast<EncoderContext*>(ctx); }

void* NewCtx(void* provctx) {
  auto& context = *static_cast<Context*>(provctx);
  return GuardPointer(context,
                      [&]() -> Result<EncoderContext*> { return new EncoderContext{context}; });
}

void FreeCtx(void* ctx) { delete static_cast<EncoderContext*>(ctx); }

// The public half, written by the default provider.
Result<Bytes> EncodePublic(const Key& key, const char* output, const char* structure) {
  const EncoderCtx encoder(OSSL_ENCODER_CTX_new_for_pkey(key.public_key(), EVP_PKEY_PUBLIC_KEY,
                                                         output, structure, nullptr));
  unsigned char* data = nullptr;
  size_t size = 0;
  const int ok = encoder != nullptr ? OSSL_ENCODER_to_data(encoder.get(), &data, &size) : 0;
  const Memory owned(data);
  if (ok != 1) return Fail(Code::kCryptoFailed, "encoding the public key");
  return ToBytes(FromC(data, size));
}

Result<Bytes> SpkiDer(const Key& key, int /*selection*/) { return key.spki(); }
Result<Bytes> SpkiPem(const Key& key, int /*selection*/) {
  return EncodePublic(key, "PEM", "SubjectPublicKeyInfo");
}
Result<Bytes> Pkcs1Der(const Key& key, int /*selection*/) {
  return EncodePublic(key, "DER", "type-specific");
}
Result<Bytes> Pkcs1Pem(const Key& key, int /*selection*/) {
  return EncodePublic(key, "PEM", "type-specific");
}

Result<Bytes> Text(const Key& key, int selection) {
  Bytes text;
  if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0) {
    KC_ASSIGN(const std::string uri, key.Uri(false));
    text = ToBytes("Private key in the enclave of Keyclave\nURI: " + uri + "\n");
  }
  KC_ASSIGN(const Bytes public_text, EncodePublic(key, "TEXT", nullptr));
  text.insert(text.end(), public_text.begin(), public_text.end());
  return text;
}

Result<Bytes> Reference(const Key& key, int /*selection*/) {
  KC_ASSIGN(const std::string uri, key.Uri(true));
  KC_ASSIGN(const std::string pem, client::EncodeKeyReferencePem(uri));
  return ToBytes(pem);
}

// What would be the key itself. Without this encoder libcrypto refuses too, but gives no reason.
Result<Bytes> Nothing(const Key& /*key*/, int /*selection*/) {
  return Fail(Code::kKeyUnextractable,
              "a private key never leaves the enclave: write its reference instead (PEM)");
}

// `object` is key data of our own KEYMGMT; libcrypto asks with `abstract` only when it is
// another's.
template <auto make>
int Encode(void* vctx, OSSL_CORE_BIO* out, const void* object, const OSSL_PARAM abstract[],
           int selection, OSSL_PASSPHRASE_CALLBACK* /*pass*/, void* /*argument*/) {
  const EncoderContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&]() -> Status {
    if (abstract != nullptr || object == nullptr)
      return Fail(Code::kInvalidArgument, "only keys of this provider are encoded here");
    if (ctx.encrypt)
      return Fail(Code::kUnsupported,
                  "a key reference is no secret and is not encrypted: leave out the cipher");
    const KeyPtr key = static_cast<const KeyData*>(object)->key;
    if (key == nullptr) return Fail(Code::kInvalidArgument, "an empty key");
    Bytes encoded;
    {
      const ErrorMark mark(ctx.context.core());
      KC_ASSIGN(encoded, make(*key, selection));
    }
    return ctx.context.core().Write(out, encoded);
  });
}

int SelectsPublic(void* /*provctx*/, int selection) {
  return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 &&
                 (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0
             ? 1
             : 0;
}
int SelectsPrivate(void* /*provctx*/, int selection) {
  return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ? 1 : 0;
}
int SelectsAny(void* /*provctx*/, int selection) {
  return (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0 ? 1 : 0;
}

const OSSL_PARAM* Settable(void* /*provctx*/) {
  static const OSSL_PARAM params[] = {
      OSSL_PARAM_utf8_string(OSSL_ENCODER_PARAM_CIPHER, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_ENCODER_PARAM_PROPERTIES, nullptr, 0), OSSL_PARAM_END};
  return params;
}

int SetCtxParams(void* vctx, const OSSL_PARAM params[]) {
  EncoderContext& ctx = Ctx(vctx);
  return Guard(ctx.context, [&]() -> Status {
    const OSSL_PARAM* cipher = OSSL_PARAM_locate_const(params, OSSL_ENCODER_PARAM_CIPHER);
    if (cipher != nullptr) ctx.encrypt = cipher->data != nullptr;
    return Done{};
  });
}

#define KC_ENCODER(name, type, function) \
  KC_FN(OSSL_FUNC_ENCODER_##name, OSSL_FUNC_encoder_##type##_fn, function)

template <auto make, auto selects>
struct EncoderTable {
  static const OSSL_DISPATCH functions[];
};

template <auto make, auto selects>
const OSSL_DISPATCH EncoderTable<make, selects>::functions[] = {
    KC_ENCODER(NEWCTX, newctx, NewCtx),
    KC_ENCODER(FREECTX, freectx, FreeCtx),
    KC_ENCODER(DOES_SELECTION, does_selection, selects),
    KC_ENCODER(SET_CTX_PARAMS, set_ctx_params, SetCtxParams),
    KC_ENCODER(SETTABLE_CTX_PARAMS, settable_ctx_params, Settable),
    KC_ENCODER(ENCODE, encode, Encode<make>),
    {0, nullptr}};

}  // namespace

const OSSL_DISPATCH* TextEncoder() { return EncoderTable<Text, SelectsAny>::functions; }
const OSSL_DISPATCH* SpkiDerEncoder() { return EncoderTable<SpkiDer, SelectsPublic>::functions; }
const OSSL_DISPATCH* SpkiPemEncoder() { return EncoderTable<SpkiPem, SelectsPublic>::functions; }
const OSSL_DISPATCH* Pkcs1DerEncoder() { return EncoderTable<Pkcs1Der, SelectsPublic>::functions; }
const OSSL_DISPATCH* Pkcs1PemEncoder() { return EncoderTable<Pkcs1Pem, SelectsPublic>::functions; }
const OSSL_DISPATCH* ReferenceEncoder() {
  return EncoderTable<Reference, SelectsPrivate>::functions;
}
const OSSL_DISPATCH* PrivateKeyEncoder() {
  return EncoderTable<Nothing, SelectsPrivate>::functions;
}

}  // namespace keyclave::ossl
