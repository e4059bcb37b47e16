// DECODER: key-reference files. PEM, or DER, gives the same DER with the key's type, and that gives
// the key. Input that is not a key reference is passed over without a word, so that other decoders
// can have it.

#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>
#include <openssl/pem.h>

#include "ossl_provider/algorithms.h"
#include "ossl_provider/lookup.h"

namespace keyclave::ossl {
namespace {

constexpr char kStructure[] = "keyclave-reference";
constexpr size_t kMaxDer = client::kMaxUri + 64;

using Bio = std::unique_ptr<BIO, Free<BIO_free>>;

void* NewCtx(void* provctx) { return provctx; }
void FreeCtx(void* /*ctx*/) {}

// What the application looks for: anything with a key in it.
int DoesSelection(void* /*provctx*/, int selection) {
  return selection == 0 || (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0 ? 1 : 0;
}

OSSL_PARAM Text(const char* key, const char* value) {
  return OSSL_PARAM_construct_utf8_string(key, const_cast<char*>(value), 0);
}

// The next PEM block of the stream, if it is a key reference. Exactly one block is read, as the
// default provider's decoder does, because libcrypto walks a file of several by what was read.
std::optional<Bytes> ReadPemReference(const Context& context, OSSL_CORE_BIO* in) {
  const ErrorMark mark(context.core());
  const Bio bio(BIO_new_from_core_bio(context.libctx(), in));
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  if (bio == nullptr || PEM_read_bio(bio.get(), &name, &header, &data, &size) != 1)
    return std::nullopt;
  const std::unique_ptr<char, Free<FreeMemory>> own_name(name);
  const std::unique_ptr<char, Free<FreeMemory>> own_header(header);
  const Memory own_data(data);
  if (name != client::kKeyReferencePemLabel) return std::nullopt;
  return ToBytes(FromC(data, static_cast<size_t>(size)));
}

// The key that was just loaded from these bytes, while libcrypto looks for the decoder of its type:
// it calls that one from within Pass, in the same thread. So a reference is resolved once, however
// many types of keys there are.
struct Loaded {
  const Bytes& der;
  const KeyPtr& key;
};
thread_local const Loaded* loaded = nullptr;

// Loads the key of a reference and hands the reference on to the decoder of the key's type. 1: the
// bytes are none of ours, or libcrypto is to go on.
int Pass(Context& context, const std::optional<Bytes>& der, OSSL_CALLBACK* callback,
         void* argument) {
  KeyPtr key;
  const int ran = Guard(context, [&]() -> Status {
    if (!der) return Done{};
    KC_CHECK_OK(context.CheckOthersActive());
    KC_ASSIGN(const std::string text, client::DecodeKeyReference(*der));
    KC_ASSIGN(client::KeyUri uri, client::ParseKeyUri(text));
    KC_ASSIGN(key, LoadPrivateKey(context, std::move(uri)));
    return Done{};
  });
  if (ran == 0 || key == nullptr) return ran;
  int object = OSSL_OBJECT_PKEY;
  Bytes data = *der;
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &object),
      Text(OSSL_OBJECT_PARAM_DATA_TYPE, KeyTypeName(key->type())),
      Text(OSSL_OBJECT_PARAM_DATA_STRUCTURE, kStructure),
      OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_DATA, data.data(), data.size()),
      OSSL_PARAM_construct_end()};
  const Loaded mine{*der, key};
  const Loaded* const before = std::exchange(loaded, &mine);
  const int found = callback(params, argument);
  loaded = before;
  return found;
}

int DecodePem(void* provctx, OSSL_CORE_BIO* in, int /*selection*/, OSSL_CALLBACK* callback,
              void* argument, OSSL_PASSPHRASE_CALLBACK* /*pass*/, void* /*pass_argument*/) {
  auto& context = *static_cast<Context*>(provctx);
  std::optional<Bytes> der;
  Guard(context, [&]() -> Status {
    der = ReadPemReference(context, in);
    return Done{};
  });
  return Pass(context, der, callback, argument);
}

// DER that is a key reference; nullopt for anything else.
std::optional<Bytes> ReadDerReference(const Context& context, OSSL_CORE_BIO* in) {
  auto der = context.core().ReadAll(in, kMaxDer);
  if (!der.ok() || !client::DecodeKeyReference(*der).ok()) return std::nullopt;
  return *std::move(der);
}

// A file in DER. What Pass hands on comes here, too, and is left to the decoder of the type.
int DecodeDerFile(void* provctx, OSSL_CORE_BIO* in, int /*selection*/, OSSL_CALLBACK* callback,
                  void* argument, OSSL_PASSPHRASE_CALLBACK* /*pass*/, void* /*pass_argument*/) {
  if (loaded != nullptr) return 1;
  auto& context = *static_cast<Context*>(provctx);
  std::optional<Bytes> der;
  Guard(context, [&]() -> Status {
    der = ReadDerReference(context, in);
    return Done{};
  });
  return Pass(context, der, callback, argument);
}

template <KeyType type>
int DecodeDer(void* provctx, OSSL_CORE_BIO* in, int /*selection*/, OSSL_CALLBACK* callback,
              void* argument, OSSL_PASSPHRASE_CALLBACK* /*pass*/, void* /*pass_argument*/) {
  if (loaded == nullptr || loaded->key->type() != type) return 1;
  auto& context = *static_cast<Context*>(provctx);
  KeyPtr key;
  const int ran = Guard(context, [&]() -> Status {
    const auto der = context.core().ReadAll(in, kMaxDer);
    if (der.ok() && *der == loaded->der) key = loaded->key;
    return Done{};
  });
  if (ran == 0 || key == nullptr) return ran;
  const KeyData data{context, type, key};
  const KeyData* reference = &data;
  int object = OSSL_OBJECT_PKEY;
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &object),
      Text(OSSL_OBJECT_PARAM_DATA_TYPE, KeyTypeName(type)),
      OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_REFERENCE, &reference, sizeof(reference)),
      OSSL_PARAM_construct_end()};
  return callback(params, argument);
}

// The public half for a key manager of another provider; the private one cannot leave.
int ExportObject(void* /*ctx*/, const void* reference, size_t size, OSSL_CALLBACK* callback,
                 void* argument) {
  const auto data = FromReference(reference, size);
  if (!data.ok() || (*data)->key->is_private()) return 0;
  return EVP_PKEY_export((*data)->key->public_key(), EVP_PKEY_PUBLIC_KEY, callback, argument);
}

#define KC_DECODER(name, type, function) \
  KC_FN(OSSL_FUNC_DECODER_##name, OSSL_FUNC_decoder_##type##_fn, function)

template <auto decode>
struct DecoderTable {
  static const OSSL_DISPATCH functions[];
};

template <auto decode>
const OSSL_DISPATCH DecoderTable<decode>::functions[] = {
    KC_DECODER(NEWCTX, newctx, NewCtx),
    KC_DECODER(FREECTX, freectx, FreeCtx),
    KC_DECODER(DOES_SELECTION, does_selection, DoesSelection),
    KC_DECODER(DECODE, decode, decode),
    KC_DECODER(EXPORT_OBJECT, export_object, ExportObject),
    {0, nullptr}};

}  // namespace

const OSSL_DISPATCH* PemDecoder() { return DecoderTable<DecodePem>::functions; }
const OSSL_DISPATCH* DerFileDecoder() { return DecoderTable<DecodeDerFile>::functions; }

template <KeyType type>
const OSSL_DISPATCH* ReferenceDecoder() {
  return DecoderTable<DecodeDer<type>>::functions;
}
#define KC_KEY_TYPE(id, name, aliases, family, set, since) \
  template const OSSL_DISPATCH* ReferenceDecoder<KeyType::id>();
#include "ossl_provider/key_types.inc"
#undef KC_KEY_TYPE

}  // namespace keyclave::ossl
